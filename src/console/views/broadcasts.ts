import type { Broadcast } from '../../../schemas/broadcasts.ts'
import type { Message } from '../../../schemas/messages.ts'
import type { View } from '../visit.ts'

/** Messages of one broadcast that are shown at a time: on a telephone each is several lines. */
const mostShown = 10

/** Broadcasts and how far they are. */
export const broadcastViews: readonly View[] = [
  {
    path: '/broadcasts',
    template: 'broadcasts',
    title: 'Broadcasts',
    everySeconds: 5,
    show: async ({ api, fields }) => {
      const { status, channel, cursor } = fields
      return { page: await api.get<{ items: Broadcast[] }>('/broadcasts', { status, channel, cursor }) }
    }
  },
  {
    path: '/broadcasts/:id',
    template: 'broadcast',
    title: 'Broadcast',
    everySeconds: 5,
    show: async ({ api, params, fields }) => {
      const id = encodeURIComponent(params.id!)
      const broadcast = await api.get<Broadcast>(`/broadcasts/${id}`)
      const { status, cursor } = fields
      const filter = { status, cursor, limit: mostShown }
      const { value: page } = await api.look<{ items: Message[] }>(`/broadcasts/${id}/messages`, filter)
      return { broadcast, page: page ?? { items: [], nextCursor: null } }
    }
  }
]
