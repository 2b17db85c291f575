import { Type } from '@sinclair/typebox'
import { Hold } from '../schemas/hold.ts'
import { strict } from '../schemas/kit.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, idempotencyHeader, json, problems } from './answers.ts'
import { answerOnce } from './once.ts'

const tags = ['Keys']

export const hold: RoutePlugin = app => {
  app.get('/admin/hold', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'getHold',
      tags,
      summary: 'Whether everything is held back after a restore',
      querystring: strict({}),
      response: { 200: json(Hold, 'Held, or not.'), ...problems(...guarded) }
    },
    handler: () => app.hold.view()
  })

  app.post('/admin/hold/release', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'releaseHold',
      tags,
      summary: 'Let messages go out again after a restore; what became unknown stays unknown',
      querystring: strict({}),
      headers: Type.Object(idempotencyHeader),
      response: { 200: json(Hold, 'It is not held any more.'), ...problems(...guarded, 409, 413, 415, 422) }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const object = await app.hold.release(request.caller)
        return { object, location: '/admin/hold', status: 200 }
      })
  })
}
