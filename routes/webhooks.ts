import type { IncomingHttpHeaders } from 'node:http'
import { Type } from '@sinclair/typebox'
import type { RoutePlugin } from '../src/http/fastify.ts'
import type { Admission } from '../src/inbound/door.ts'
import { problems } from './answers.ts'

const tags = ['Webhooks']
/** Meta sends up to 3 MB (docs/webhooks.md A6). */
const bodyLimit = 4 * 1024 * 1024
const params = Type.Object({
  channel: Type.String({ examples: ['demo-cloud'] }),
  token: Type.String({ description: 'The secret of the address; GET /channels/{id}/webhooks tells it.' })
})
const plain = (description: string) => ({ description, content: { 'text/plain': { schema: Type.String() } } })

/** Where the providers call (docs/api.md 12). No key: the token in the address vouches, and the signature where one is set up. */
export const webhooks: RoutePlugin = app => {
  // Bytes, whatever they claim to be: the signature is over them, and nothing is parsed before the answer.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_, body, done) => done(null, body))
  const admitted = new WeakMap<object, Admission>()
  const told = new WeakMap<object, IncomingHttpHeaders>()
  app.addHook<{ Params: { channel: string; token: string } }>('onRequest', async (request, reply) => {
    reply.headers({ 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' })
    admitted.set(request, await app.door.admit(request.params.channel, request.params.token))
    // A type that is none would be refused before any parser is asked.
    told.set(request, { ...request.headers })
    delete request.headers['content-type']
  })

  app.get('/webhooks/:channel/:token', {
    config: { vital: true, raw: true },
    schema: {
      operationId: 'verifyWebhook',
      tags,
      summary: 'The handshake of Meta, for a provider',
      security: [],
      params,
      response: { 200: plain('hub.challenge as it came.'), ...problems(400, 403, 404, 503) }
    },
    handler: async (request, reply) =>
      reply.type('text/plain').send(app.door.shake(admitted.get(request)!, request.query as Record<string, unknown>))
  })

  app.post('/webhooks/:channel/:token', {
    config: { vital: true, raw: true },
    schema: {
      operationId: 'receiveWebhook',
      tags,
      summary: 'Take an event of a provider',
      description: 'Kept on disk, then answered 200, whatever it says: a provider switches off what answers badly.',
      security: [],
      params,
      response: { 200: plain('Kept.'), ...problems(400, 401, 404, 413, 503) }
    },
    handler: async (request, reply) => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      await app.door.receive(admitted.get(request)!, told.get(request)!, body)
      return reply.type('text/plain').send('')
    }
  })
}
