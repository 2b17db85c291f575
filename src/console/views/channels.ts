import type { ChannelHealth } from '../../../schemas/channel-health.ts'
import type { Channel } from '../../../schemas/channels.ts'
import type { Connection } from '../../../schemas/connections.ts'
import type { PhoneNumber } from '../../../schemas/numbers.ts'
import type { ChannelWebhooks } from '../../../schemas/webhooks.ts'
import type { View } from '../visit.ts'

/** Channels, their connections and what their providers tell. */
export const channelViews: readonly View[] = [
  {
    path: '/channels',
    template: 'channels',
    title: 'Channels',
    show: async ({ api }) => ({
      channels: (await api.get<{ items: Channel[] }>('/channels')).items,
      connections: await api.look<{ items: Connection[] }>('/connections')
    })
  },
  {
    path: '/channels/:id',
    template: 'channel',
    title: 'Channel',
    show: async ({ api, params }) => {
      const at = `/channels/${encodeURIComponent(params.id!)}`
      return {
        channel: await api.get<Channel>(at),
        health: await api.look<ChannelHealth>(`${at}/health`),
        webhooks: await api.look<ChannelWebhooks>(`${at}/webhooks`),
        number: await api.look<PhoneNumber>(`${at}/phone-number`)
      }
    }
  },
  {
    path: '/connections/:id',
    template: 'connection',
    title: 'Connection',
    everySeconds: 5,
    show: async ({ api, params }) => ({
      connection: await api.get<Connection>(`/connections/${encodeURIComponent(params.id!)}`)
    })
  }
]
