import { DryRun } from '../schemas/dry-run.ts'
import { ref, strict } from '../schemas/kit.ts'
import { SendMessage } from '../schemas/messages.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, json, problems } from './answers.ts'

export const dryRun: RoutePlugin = app => {
  app.post('/messages/validate', {
    config: { scope: 'messages:send' },
    schema: {
      operationId: 'validateMessage',
      tags: ['Messages'],
      summary: 'Check a message without sending it',
      description:
        'The body of POST /messages. Tells the channel, the exact request that the provider would get, and what a template makes of its variables; answers a problem where the send would before anything leaves. Sends nothing and keeps nothing; a link is not fetched. A template’s definition may be asked for.',
      querystring: strict({}),
      body: ref(SendMessage),
      response: { 200: json(DryRun, 'What would be sent.'), ...problems(...guarded, 404, 409, 413, 415, 422, 429, 502) }
    },
    handler: request => app.dryRun(request.caller, request.body)
  })
}
