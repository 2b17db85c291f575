import { Type } from '@sinclair/typebox'
import { strict, stringEnum } from '../schemas/kit.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { json, problems } from './answers.ts'

const tags = ['Health']
const Health = Type.Object(
  {
    status: Type.String(),
    reason: Type.Optional(Type.String()),
    mode: Type.Optional(
      stringEnum(['live', 'sandbox'], { description: 'sandbox: there is no account, and nothing leaves the machine.' })
    )
  },
  { additionalProperties: false }
)

export const liveness: RoutePlugin = app => {
  app.get('/livez', {
    config: { vital: true },
    schema: {
      operationId: 'getLiveness',
      tags,
      summary: 'The process runs; asks nobody else',
      querystring: strict({}),
      response: { 200: json(Health, 'It runs.'), ...problems(400) }
    },
    handler: async () => ({ status: 'ok' })
  })
}

export const health: RoutePlugin = app => {
  liveness(app)

  app.get('/readyz', {
    config: { vital: true },
    schema: {
      operationId: 'getReadiness',
      tags,
      summary: 'Whether traffic should come here: the store is writable and the server is not closing',
      querystring: strict({}),
      response: {
        200: json(Health, 'Ready: ok, or degraded with the reason.'),
        503: json(Health, 'Not ready; reason says why.'),
        ...problems(400)
      }
    },
    handler: async (_, reply) => {
      const reason = await app.notReady()
      if (reason !== null) return reply.code(503).send({ status: 'not_ready', reason, mode: app.serverMode })
      const trouble = await app.degraded()
      const status = trouble === null ? { status: 'ok' } : { status: 'degraded', reason: trouble }
      return { ...status, mode: app.serverMode }
    }
  })
}
