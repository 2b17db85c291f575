import type { Readable } from 'node:stream'
import { Type } from '@sinclair/typebox'
import { BroadcastMessageFilter, BroadcastParams } from '../schemas/broadcasts.ts'
import { ref, strict } from '../schemas/kit.ts'
import { MessagePage } from '../schemas/messages.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, problems, wantsTable } from './answers.ts'
import { stream } from './stream.ts'

const tags = ['Broadcasts']
const text = { schema: Type.Unsafe<Readable>({ type: 'string' }) }

export const broadcastsResults: RoutePlugin = app => {
  app.get('/broadcasts/:id/messages', {
    config: { scope: 'broadcasts:read' },
    schema: {
      operationId: 'listBroadcastMessages',
      tags,
      summary: 'The messages of a broadcast, newest first, or all results as CSV',
      description:
        "With Accept: text/csv all of them that fit the filter come as a table (RFC 4180, UTF-8 with a byte order mark) in the order of the recipients, whatever limit and cursor say: phone, reference, status, ids, attempts, error and times. A cell that a spreadsheet would run as a formula has a ' before it.",
      params: BroadcastParams,
      querystring: BroadcastMessageFilter,
      headers: Type.Object({ Accept: Type.Optional(Type.String({ examples: ['application/json'] })) }),
      response: {
        200: {
          description: 'One page, or the table.',
          content: { 'application/json': { schema: ref(MessagePage) }, 'text/csv': text }
        },
        ...problems(...guarded, 404)
      }
    },
    handler: async (request, reply) => {
      const { caller, params, query } = request
      if (!wantsTable(request.headers.accept)) return app.broadcasts.messages(caller, params.id, query)
      const table = await app.broadcasts.results(caller, params.id, query)
      reply.header('content-type', 'text/csv; charset=utf-8; header=present')
      reply.header('content-disposition', `attachment; filename="${params.id}.csv"`)
      return reply.send(table as never)
    }
  })

  app.get('/broadcasts/:id/events', {
    config: { scope: 'broadcasts:read' },
    schema: {
      operationId: 'streamBroadcastEvents',
      tags,
      summary: 'The progress of a broadcast as it happens',
      description:
        'Server-sent events: the broadcast as `progress` at least once a second while something changes, and once as `end` when it is over, then the stream ends. Every event is the whole state, so a client that was cut off only connects again.',
      params: BroadcastParams,
      querystring: strict({}),
      response: {
        200: { description: 'The events.', content: { 'text/event-stream': text } },
        ...problems(...guarded, 404)
      }
    },
    handler: (request, reply) =>
      stream(request, reply, ({ signal }) => app.broadcasts.events(request.caller, request.params.id, signal)) as never
  })
}
