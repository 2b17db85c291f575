import type { Readable } from 'node:stream'
import { Type } from '@sinclair/typebox'
import { ref } from '../schemas/kit.ts'
import { Usage, UsageQuery } from '../schemas/usage.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, problems, wantsTable } from './answers.ts'

export const usage: RoutePlugin = app => {
  app.get('/usage', {
    config: { scope: 'admin' },
    schema: {
      operationId: 'getUsage',
      tags: ['Keys'],
      summary: 'What was used: calls, messages by status, recipients and prices by category',
      description:
        'Messages count on the day (UTC) that they were made, by where they stand now; with Accept: text/csv as a table. Messages are exact at every moment, calls to five seconds.',
      querystring: UsageQuery,
      headers: Type.Object({ Accept: Type.Optional(Type.String({ examples: ['application/json'] })) }),
      response: {
        200: {
          description: 'The figures.',
          content: {
            'application/json': { schema: ref(Usage) },
            'text/csv': { schema: Type.Unsafe<Readable>({ type: 'string' }) }
          }
        },
        ...problems(...guarded)
      }
    },
    handler: async (request, reply) => {
      if (!wantsTable(request.headers.accept)) return app.usage.report(request.query)
      reply.header('content-type', 'text/csv; charset=utf-8; header=present')
      return reply.send((await app.usage.csv(request.query)) as never)
    }
  })
}
