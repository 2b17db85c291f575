import { Type } from '@sinclair/typebox'
import { strict } from '../schemas/kit.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { problems } from './answers.ts'

export const metrics: RoutePlugin = app => {
  app.get('/metrics', {
    config: { vital: true },
    schema: {
      operationId: 'getMetrics',
      tags: ['Health'],
      summary: 'Prometheus metrics',
      description:
        'With `METRICS_TOKEN` only for whoever sends it (`Authorization: Bearer …`); with `METRICS_PORT` on that listener, and not here.',
      querystring: strict({}),
      response: {
        200: { description: 'Prometheus text format.', content: { 'text/plain': { schema: Type.String() } } },
        ...problems(400, 401)
      }
    },
    handler: async (request, reply) => {
      app.requireScraper(request.headers.authorization)
      return reply.header('content-type', app.metrics.contentType).send(await app.metrics.text())
    }
  })
}
