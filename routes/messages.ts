import { Type } from '@sinclair/typebox'
import { ref, strict } from '../schemas/kit.ts'
import { Message, MessageFilter, MessagePage, MessageParams, SendMessage, Timeline } from '../schemas/messages.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, json, problems } from './answers.ts'
import { preference, sendOptions, waitMsOf } from './headers.ts'
import { replySent, sendHeaders, sentHeaders } from './sent.ts'

const tags = ['Messages']
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
      return replySent(request, reply, sent, options)
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
      summary: 'One message as it stands now, or when it is final',
      params: MessageParams,
      headers: Type.Object({
        Prefer: Type.Optional(
          Type.String({ description: 'wait=N: how many seconds to wait for it to be final (default 0, at most 50).' })
        )
      }),
      querystring: strict({}),
      response: {
        200: json(Message, 'The message.', { 'Preference-Applied': Type.Optional(Type.String()) }),
        ...problems(...guarded, 404)
      }
    },
    handler: async (request, reply) => {
      const waitMs = waitMsOf(request)
      const { caller, params } = request
      const message = await app.messages.get(caller, params.id, waitMs, () => request.authenticateAgain())
      return reply.headers(preference(request, waitMs)).send(message)
    }
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
    config: { scope: 'messages:send', stops: true },
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
