import { type Static, Type } from '@sinclair/typebox'
import { nullable, stringEnum } from './kit.ts'

/** Every error code of the API. What each means stands in `src/errors.ts`, which is typed by this list. */
export const errorCodes = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'not_found',
  'method_not_allowed',
  'conflict',
  'idempotency_in_progress',
  'window_closed',
  'recipient_suppressed',
  'payload_too_large',
  'unsupported_media_type',
  'unsupported',
  'idempotency_key_reused',
  'recipient_invalid',
  'template_not_found',
  'template_invalid',
  'media_rejected',
  'message_rejected',
  'rate_limited',
  'channel_rejected',
  'provider_protocol',
  'provider_unavailable',
  'overloaded',
  'outcome_unknown',
  'internal'
] as const
export type ErrorCode = (typeof errorCodes)[number]

/** `not_sent`: nothing reached the recipient. `unknown`: it may have. */
export const outcomes = ['not_sent', 'unknown'] as const
export type Outcome = (typeof outcomes)[number]

/** What the provider itself said, for the reader of a log or a ticket. */
export const ProviderError = Type.Object(
  {
    name: Type.String({ description: 'The provider that speaks, or maton.', examples: ['maton'] }),
    status: nullable(Type.Integer({ description: 'HTTP status that came back' })),
    code: Type.Optional(Type.String()),
    subcode: Type.Optional(Type.String()),
    message: Type.Optional(Type.String()),
    traceId: Type.Optional(Type.String())
  },
  { $id: 'ProviderError', additionalProperties: false }
)
export type ProviderError = Static<typeof ProviderError>

export const FieldFault = Type.Object(
  {
    path: Type.String({ description: 'JSON Pointer into the body, or query/…, path/…, header/…' }),
    message: Type.String()
  },
  { $id: 'FieldFault', additionalProperties: false, examples: [{ path: '/to', message: 'must be 7 to 15 digits' }] }
)
export type FieldFault = Static<typeof FieldFault>

const failure = {
  type: Type.String({
    description: 'A link to the page that explains this code.',
    examples: ['/errors#window_closed']
  }),
  title: Type.String(),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String(),
  code: stringEnum(errorCodes),
  outcome: stringEnum(outcomes, { description: 'not_sent: nothing reached the recipient; unknown: it may have.' }),
  retryable: Type.Boolean({ description: 'Whether the same request may succeed later as it is.' }),
  requestId: Type.Optional(Type.String()),
  errors: Type.Optional(Type.Array(Type.Unsafe<FieldFault>({ $ref: 'FieldFault#' }))),
  retryAfterSeconds: Type.Optional(Type.Integer({ minimum: 0 })),
  messageId: Type.Optional(Type.String()),
  provider: Type.Optional(Type.Unsafe<ProviderError>({ $ref: 'ProviderError#' }))
}

/** An error answer (RFC 9457). */
export const Problem = Type.Object(
  { ...failure, instance: Type.String() },
  { $id: 'Problem', additionalProperties: false }
)
export type Problem = Static<typeof Problem>

/** Why a message failed: a problem without `instance`. */
export const MessageError = Type.Object(failure, { $id: 'MessageError', additionalProperties: false })
export type MessageError = Static<typeof MessageError>
