import type { Readable } from 'node:stream'
import { Type } from '@sinclair/typebox'
import { ChannelId } from '../schemas/common.ts'
import { strict } from '../schemas/kit.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, problems } from './answers.ts'

const methods = { GET: 'Get', POST: 'Post', PUT: 'Put', PATCH: 'Patch', DELETE: 'Delete' } as const
const anything = (description: string) => ({ description, content: { '*/*': { schema: Type.Any() } } })
const description =
  'For what the neutral API does not say. The path is the provider’s own with its version, e.g. `api/v1/getContacts` or `v24.0/106540352242922`; the query is passed on. Bytes pass unread both ways, with the provider’s status; of the headers only those of the body travel. `Idempotency-Key` is ignored: a call that is repeated is made again.'

export const native: RoutePlugin = app => {
  // Whatever the type, the bytes are the provider's to read: this holds for the routes of this file alone.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  for (const [method, name] of Object.entries(methods)) {
    app.route({
      method: method as keyof typeof methods,
      url: '/channels/:id/native/*',
      config: { scope: 'native', upload: true },
      schema: {
        operationId: `native${name}`,
        tags: ['Native'],
        summary: `${method} on the provider’s own API`,
        description,
        params: strict({ id: ChannelId, '*': Type.String({ description: 'The provider’s path.' }) }),
        response: {
          200: anything('What the provider answered.'),
          default: anything('What the provider answered with another status.'),
          ...problems(...guarded, 404, 413, 502, 504)
        }
      },
      handler: async (request, reply) => {
        const { method, url, headers, id: requestId, body } = request
        const call = { method, url, headers, requestId, body: body as Readable | undefined }
        const answer = await app.native(request.caller, request.params.id, call)
        return reply.code(answer.status).headers(answer.headers).send(answer.body)
      }
    })
  }
}
