import type { Message } from '../../../schemas/messages.ts'
import type { Overview } from '../../../schemas/overview.ts'
import type { View } from '../visit.ts'

interface Page {
  items: Message[]
  nextCursor: string | null
}

/** What nobody knows the end of, by cause. */
export const unknownViews: readonly View[] = [
  {
    path: '/unknown',
    template: 'unknown',
    title: 'Unknown',
    show: async ({ api, fields }) => {
      const { channel, cursor } = fields
      const overview = await api.get<Overview>('/overview')
      const channels = overview.channels.filter(({ id, unknown }) => unknown.open > 0 && (!channel || id === channel))
      const filter = { status: 'unknown', final: false, channel, cursor, limit: 50 }
      return { channels, page: await api.get<Page>('/messages', filter) }
    }
  }
]
