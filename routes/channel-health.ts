import { ChannelHealth } from '../schemas/channel-health.ts'
import { strict } from '../schemas/kit.ts'
import { NumberParams } from '../schemas/numbers.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, json, problems } from './answers.ts'

export const channelHealth: RoutePlugin = app => {
  app.get('/channels/:id/health', {
    config: { scope: 'channels:read' },
    schema: {
      operationId: 'getChannelHealth',
      tags: ['Channels'],
      summary: 'Whether the channel can send',
      description:
        'Asks Maton once; where it does not answer, the status of the connection is unknown. The rest is what Switchboard itself knows.',
      params: NumberParams,
      querystring: strict({}),
      response: { 200: json(ChannelHealth, 'What is known.'), ...problems(...guarded, 404) }
    },
    handler: request => app.channelHealth.get(request.caller, request.params.id)
  })
}
