import { MarkRead, MarkReadParams, MarkReadQuery } from '../schemas/conversations.ts'
import { ref } from '../schemas/kit.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, noBody, problems } from './answers.ts'

export const receipts: RoutePlugin = app => {
  app.post('/messages/:id/read', {
    config: { scope: 'messages:send' },
    schema: {
      operationId: 'markMessageRead',
      tags: ['Messages'],
      summary: 'Tell the sender that a message was read, and that an answer is being written',
      description: 'The body may be left out.',
      params: MarkReadParams,
      querystring: MarkReadQuery,
      body: ref(MarkRead),
      response: { 204: noBody('Told.'), ...problems(...guarded, 404, 409, 413, 415, 422, 429, 502, 504) }
    },
    handler: async (request, reply) => {
      await app.conversations.markRead(request.caller, request.params.id, { ...request.query, ...request.body })
      return reply.code(204).send()
    }
  })
}
