import { Type } from '@sinclair/typebox'
import { ref, strict } from '../schemas/kit.ts'
import { Message, MessageParams } from '../schemas/messages.ts'
import { ResendMessage, ResolvedMessages, ResolveMessage, ResolveMessages } from '../schemas/unknown.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, idempotencyHeader, json, made, problems } from './answers.ts'
import { sendOptions } from './headers.ts'
import { answerOnce } from './once.ts'
import { replySent, sendHeaders, sentHeaders } from './sent.ts'

const tags = ['Messages']

export const unknown: RoutePlugin = app => {
  app.post('/messages/:id/resend', {
    config: { scope: 'messages:send' },
    schema: {
      operationId: 'resendMessage',
      tags,
      summary: 'Send a message anew: as another one, with resendOf',
      description:
        'Of a message that failed, expired or was canceled; of an unknown one only with acceptDuplicateRisk, since it may have arrived. The body may be left out. Answers as POST /messages: the same content, and the rights of the key as they are now.',
      params: MessageParams,
      headers: sendHeaders,
      querystring: strict({}),
      body: ref(ResendMessage),
      response: {
        201: json(Message, 'The provider accepted the new message.', sentHeaders),
        202: json(Message, 'Durable, and not settled: queued, sending or unknown.', sentHeaders),
        ...problems(...guarded, 404, 409, 413, 415, 422, 429, 502)
      }
    },
    handler: async (request, reply) => {
      const options = sendOptions(request)
      const sent = await app.unknowns.resend(request.caller, request.params.id, request.body ?? {}, options)
      return replySent(request, reply, sent, options)
    }
  })

  app.post('/messages/:id/reconcile', {
    config: { scope: 'messages:send' },
    schema: {
      operationId: 'reconcileMessage',
      tags,
      summary: 'Look an unknown message up at the provider, and settle it if it is there',
      description:
        'In the provider’s history of the conversation, where it keeps one. Where exactly one item says the same within a minute of the attempt, that is taken for the message; else it stays unknown, and the timeline says what was looked for. Where there is no history, only a webhook can tell.',
      params: MessageParams,
      querystring: strict({}),
      response: {
        200: json(Message, 'The message as it is now.'),
        ...problems(...guarded, 404, 409, 413, 415, 422, 429, 502)
      }
    },
    handler: request => app.unknowns.reconcile(request.caller, request.params.id)
  })

  app.post('/messages/:id/resolve', {
    config: { scope: 'messages:send' },
    schema: {
      operationId: 'resolveMessage',
      tags,
      summary: 'Settle an unknown message by your own word',
      description: 'With resend, Location is that of the new message; it goes on by itself.',
      params: MessageParams,
      headers: Type.Object(idempotencyHeader),
      querystring: strict({}),
      body: ref(ResolveMessage),
      response: {
        200: json(Message, 'The message, settled.', made),
        ...problems(...guarded, 404, 409, 413, 415, 422, 429, 502)
      }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const options = sendOptions(request)
        const done = await app.unknowns.resolve(request.caller, request.params.id, request.body, options)
        return { object: done.message, location: done.location, status: 200 }
      })
  })

  app.post('/messages/resolve', {
    config: { scope: 'messages:send' },
    schema: {
      operationId: 'resolveMessages',
      tags,
      summary: 'Settle many unknown messages by your own word',
      description:
        'All that are unknown, not final and fit the filter, at most 10,000. Where they are not expectedCount, it is a 409 whose detail names the number, and nothing is changed. What is sent anew waits for its turn.',
      headers: Type.Object(idempotencyHeader),
      querystring: strict({}),
      body: ref(ResolveMessages),
      response: {
        200: json(ResolvedMessages, 'How many were changed.', made),
        ...problems(...guarded, 404, 409, 413, 415, 422)
      }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const object = await app.unknowns.resolveMany(request.caller, request.body)
        return { object, location: '/messages', status: 200 }
      })
  })
}
