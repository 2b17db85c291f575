import type { Delivery } from '../../../schemas/deliveries.ts'
import type { Subscription } from '../../../schemas/subscriptions.ts'
import type { View } from '../visit.ts'

/** Who is told of events, and whether it is heard. */
export const subscriptionViews: readonly View[] = [
  {
    path: '/subscriptions',
    template: 'subscriptions',
    title: 'Subscriptions',
    show: async ({ api, fields }) => {
      const { cursor } = fields
      return { page: await api.get<{ items: Subscription[] }>('/subscriptions', { cursor, limit: 50 }) }
    }
  },
  {
    path: '/subscriptions/:id',
    template: 'subscription',
    title: 'Subscription',
    everySeconds: 5,
    show: async ({ api, params, fields }) => {
      const at = `/subscriptions/${encodeURIComponent(params.id!)}`
      const { status, cursor } = fields
      return {
        shown: await api.get<Subscription>(at),
        page: await api.get<{ items: Delivery[] }>(`${at}/deliveries`, { status, cursor })
      }
    }
  }
]
