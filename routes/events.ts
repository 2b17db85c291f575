import { Type } from '@sinclair/typebox'
import { EventPage, EventPlace, EventQuery, EventStreamQuery } from '../schemas/events.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, json, problems } from './answers.ts'
import { stream } from './stream.ts'

const tags = ['Events']
const whose =
  'A key gets what is of its own service (of all services with read_all), and with inbound:read what the channels that it may use received.'

export const events: RoutePlugin = app => {
  app.get('/events', {
    config: { scope: 'events:read' },
    schema: {
      operationId: 'listEvents',
      tags,
      summary: 'What has changed, oldest first',
      description: `Go on with nextCursor as since, for ever: no event is skipped, however late its commit. Kept for RETENTION_DAYS. ${whose}`,
      querystring: EventQuery,
      response: {
        200: json(EventPage, 'One page; an empty one with the cursor that was asked with: nothing new.'),
        ...problems(...guarded)
      }
    },
    handler: request => app.events.list(request.caller, request.query)
  })

  app.get('/events/stream', {
    config: { scope: 'events:read' },
    schema: {
      operationId: 'streamEvents',
      tags,
      summary: 'What changes, as it happens',
      description: `Server-sent events: the type as event, the event as data. It begins with what happens next; with Last-Event-ID behind that event, so that a client that was cut off misses nothing and gets nothing twice. ${whose}`,
      headers: Type.Object({ 'Last-Event-ID': Type.Optional(EventPlace) }),
      querystring: EventStreamQuery,
      response: {
        200: { description: 'The events.', content: { 'text/event-stream': { schema: Type.String() } } },
        ...problems(...guarded)
      }
    },
    handler: (request, reply) => {
      const after = request.headers['last-event-id'] as string | undefined
      return stream(request, reply, watched =>
        app.events.stream({ ...watched, query: request.query, ...(after && { after }) })
      ) as never
    }
  })
}
