import { Type } from '@sinclair/typebox'
import { ref, strict } from '../schemas/kit.ts'
import { Message, MessageFilter, MessagePage, MessageParams, SendMessage, Timeline } from '../schemas/messages.ts'
import type { RoutePlugin } from '../src/fastify.ts'
import { guarded, idempotencyHeader, json, made, problems } from './answers.ts'
import { preference, sendOptions } from './headers.ts'

const tags = ['Messages']
const sendHeaders = Type.Object({
  ...idempotencyHeader,
  Prefer: Type.Optional(
    Type.String({
      description:
        'wait=N: how many seconds to wait for the provider (default 10, at most 60). respond-async: do not wait.'
    })
  ),
  traceparent: Type.Optional(Type.String({ description: 'W3C Trace Context; logged and kept, never sent on.' }))
})
const sentHeaders = { ...made, 'Preference-Applied': Type.Optional(Type.String()) }

export const messages: RoutePlugin = app => {
  app.post('/messages', {
    config: { scope: 'messages:send' },
    schema: {
      operationId: 'sendMessage',
      tags,
      summary: 'Send a message',
      description:
        '201: the provider accepted it. 202: it is durable here and not settled yet (status queued or sending), or nobody can say whether it went out (status unknown; it is never sent again by itself). A problem with messageId: it was refused, and nothing was sent.',
      headers: sendHeaders,
      querystring: strict({}),
      body: ref(SendMessage),
      response: {
        201: json(Message, 'The provider accepted the message.', sentHeaders),
        202: json(Message, 'Durable, and not settled: queued, sending or unknown.', sentHeaders),
        ...problems(...guarded, 404, 409, 413, 415, 422, 429, 502)
      }
    },
    handler: async (request, reply) => {
      const options = sendOptions(request)
      const sent = await app.messages.send(request.caller, request.body, options)
      request.timing.upstream = sent.upstreamMs
      reply
        .code(sent.status as 201)
        .headers(sent.headers)
        .headers(preference(request, options.waitMs))
      return reply.headers(sent.replayed ? { 'idempotency-replayed': 'true' } : {}).send(sent.body)
    }
  })

  app.get('/messages', {
    config: { scope: 'messages:read' },
    schema: {
      operationId: 'listMessages',
      tags,
      summary: 'List messages, newest first',
      querystring: MessageFilter,
      response: { 200: json(MessagePage, 'One page.'), ...problems(...guarded) }
    },
    handler: request => app.messages.list(request.caller, request.query)
  })

  app.get('/messages/:id', {
    config: { scope: 'messages:read' },
    schema: {
      operationId: 'getMessage',
      tags,
      summary: 'One message as it stands now',
      params: MessageParams,
      querystring: strict({}),
      response: { 200: json(Message, 'The message.'), ...problems(...guarded, 404) }
    },
    handler: request => app.messages.get(request.caller, request.params.id)
  })

  app.get('/messages/:id/timeline', {
    config: { scope: 'messages:read' },
    schema: {
      operationId: 'getMessageTimeline',
      tags,
      summary: 'Every attempt and state change of a message',
      params: MessageParams,
      querystring: strict({}),
      response: { 200: json(Timeline, 'Oldest first.'), ...problems(...guarded, 404) }
    },
    handler: request => app.messages.timeline(request.caller, request.params.id)
  })

  app.post('/messages/:id/cancel', {
    config: { scope: 'messages:send' },
    schema: {
      operationId: 'cancelMessage',
      tags,
      summary: 'Cancel a message that is still queued',
      params: MessageParams,
      querystring: strict({}),
      response: { 200: json(Message, 'The message, canceled.'), ...problems(...guarded, 404, 409, 413, 415) }
    },
    handler: request => app.messages.cancel(request.caller, request.params.id)
  })
}
