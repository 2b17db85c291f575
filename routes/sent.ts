import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SendOptions, Sent } from '../src/delivery/intake/submit.ts'
import { idempotencyHeader, made } from './answers.ts'
import { preference } from './headers.ts'

/** For the `headers` of a POST that sends. */
export const sendHeaders = Type.Object({
  ...idempotencyHeader,
  Prefer: Type.Optional(
    Type.String({
      description:
        'wait=N: how many seconds to wait for the provider (default 10, at most 50). respond-async: do not wait.'
    })
  ),
  traceparent: Type.Optional(Type.String({ description: 'W3C Trace Context; logged and kept, never sent on.' }))
})
/** The headers of its answer. */
export const sentHeaders = { ...made, 'Preference-Applied': Type.Optional(Type.String()) }

/** Answers a POST that made a message, from its row. */
export function replySent(
  request: FastifyRequest,
  reply: FastifyReply,
  sent: Sent,
  { waitMs }: SendOptions
): FastifyReply {
  if (sent.messageId) request.messageId = sent.messageId
  if (sent.channel) request.channelId = sent.channel
  return reply
    .code(sent.status)
    .headers(sent.headers)
    .headers(preference(request, waitMs))
    .headers(sent.replayed ? { 'idempotency-replayed': 'true' } : {})
    .send(sent.body)
}
