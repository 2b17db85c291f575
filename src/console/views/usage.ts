import type { Channel } from '../../../schemas/channels.ts'
import type { Usage, UsageItem } from '../../../schemas/usage.ts'
import type { View } from '../visit.ts'

const ways = ['day', 'service', 'channel', 'template'] as const satisfies readonly Usage['by'][]
type Status = keyof UsageItem['messages']
/** In the order of a message's life; the type has each of them here. */
const statuses = Object.keys({
  ...{ accepted: 1, sent: 1, delivered: 1, read: 1, failed: 1, unknown: 1, expired: 1, canceled: 1 }
} satisfies Record<Status, 1>) as Status[]

/** The statuses that any of them has: a table has no column that is empty throughout. */
const columnsOf = (items: readonly UsageItem[]) =>
  statuses.filter(status => items.some(({ messages }) => (messages[status] ?? 0) > 0))

/** What was used, by whom. */
export const usageViews: readonly View[] = [
  {
    path: '/usage',
    template: 'usage',
    title: 'Usage',
    show: async ({ api, key, fields }) => {
      const { service, channel, from, to, by = 'day', mode = key.mode } = fields
      const usage = await api.get<Usage>('/usage', { by, service, channel, from, to, mode })
      const { value } = await api.look<{ items: Channel[] }>('/channels')
      const items = by === 'day' ? usage.items.toReversed() : usage.items
      return { usage, items, ways, channels: value?.items ?? [], columns: columnsOf(usage.items) }
    }
  }
]
