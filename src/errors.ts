import type { ErrorCode, FieldFault, MessageError, Outcome, Problem, ProviderError } from '../schemas/problem.ts'

interface ErrorRow {
  status: number
  /** `unknown` where the request was a write that may have had its effect. */
  outcome: Outcome | 'unknown_on_writes'
  retryable: boolean
  title: string
  /** For the page under /errors: when it comes. */
  when: string
  /** For the page under /errors: what the caller does. */
  advice: string
}

/** The one table that answers, the OpenAPI document and the page under /errors are made from. */
export const errorTable: Readonly<Record<ErrorCode, ErrorRow>> = {
  invalid_request: {
    status: 400,
    outcome: 'not_sent',
    retryable: false,
    title: 'The request is not valid',
    when: 'A field is missing, unknown, of the wrong form or out of bounds. `errors` lists every fault with its path.',
    advice: 'Mend the named fields and send it again; the Idempotency-Key is still free.'
  },
  unauthenticated: {
    status: 401,
    outcome: 'not_sent',
    retryable: false,
    title: 'No valid key',
    when: 'No key was given, or it is unknown, expired or revoked.',
    advice: 'Send `Authorization: Bearer sk_…` with a key that your administrator made with POST /keys.'
  },
  forbidden: {
    status: 403,
    outcome: 'not_sent',
    retryable: false,
    title: 'The key may not do this',
    when: 'The key lacks the scope, the channel, the template or the recipient that `detail` names.',
    advice: 'Ask an administrator for a key with that right.'
  },
  not_found: {
    status: 404,
    outcome: 'not_sent',
    retryable: false,
    title: 'There is no such thing',
    when: 'The object does not exist, or it belongs to another service; or the provider does not know it.',
    advice: 'Check the id and, for a channel, GET /channels.'
  },
  method_not_allowed: {
    status: 405,
    outcome: 'not_sent',
    retryable: false,
    title: 'The method is not allowed here',
    when: 'The path exists, the method does not.',
    advice: 'Use one of the methods in the Allow header.'
  },
  conflict: {
    status: 409,
    outcome: 'not_sent',
    retryable: false,
    title: 'The state of the object forbids it',
    when: 'The object is in a state that does not allow the act, exists already, or is managed by the channels file.',
    advice: 'Read the object again and decide anew.'
  },
  idempotency_in_progress: {
    status: 409,
    outcome: 'not_sent',
    retryable: true,
    title: 'The first request with this Idempotency-Key is still running',
    when: 'The same key and body arrived while the first is under way.',
    advice: 'Send the same request again after Retry-After; it is answered by the first one’s result.'
  },
  window_closed: {
    status: 409,
    outcome: 'not_sent',
    retryable: false,
    title: 'The 24-hour window is closed',
    when: 'The recipient has not written within the last 24 hours, so WhatsApp takes only templates.',
    advice: 'Send an approved template instead.'
  },
  recipient_suppressed: {
    status: 409,
    outcome: 'not_sent',
    retryable: false,
    title: 'The recipient must not be messaged',
    when: 'The number is on the suppression list.',
    advice: 'Do not message this number in this category.'
  },
  payload_too_large: {
    status: 413,
    outcome: 'not_sent',
    retryable: false,
    title: 'The body is too large',
    when: 'The body, the file or the CSV is over its limit.',
    advice: 'Send less; the limits stand in the API description.'
  },
  unsupported_media_type: {
    status: 415,
    outcome: 'not_sent',
    retryable: false,
    title: 'The content type is not taken here',
    when: 'The request is not JSON (or multipart, where a file is expected), or it is compressed.',
    advice: 'Send `Content-Type: application/json` in UTF-8, uncompressed.'
  },
  unsupported: {
    status: 422,
    outcome: 'not_sent',
    retryable: false,
    title: 'The channel’s provider cannot say this',
    when: 'The provider behind the channel has no way to express it. Nothing was sent.',
    advice: 'Use another message type, or a channel of a provider that can: `detail` names both.'
  },
  idempotency_key_reused: {
    status: 422,
    outcome: 'not_sent',
    retryable: false,
    title: 'The Idempotency-Key belongs to another request',
    when: 'The key was used with a different body.',
    advice: 'Use a new key for a new request.'
  },
  recipient_invalid: {
    status: 422,
    outcome: 'not_sent',
    retryable: false,
    title: 'The recipient cannot be reached',
    when: 'The number is not on WhatsApp, not allowed for this sender, or unreachable.',
    advice: 'Correct the number or use another way to reach the person.'
  },
  template_not_found: {
    status: 422,
    outcome: 'not_sent',
    retryable: false,
    title: 'There is no such approved template',
    when: 'The template does not exist in that language on this channel, or is not approved.',
    advice: 'Check the name and language; `detail` gives near ones.'
  },
  template_invalid: {
    status: 422,
    outcome: 'not_sent',
    retryable: false,
    title: 'The template’s variables do not fit',
    when: 'A variable is missing, unknown or empty, or a header or button is; `errors` names each.',
    advice: 'Give exactly the variables that the template’s definition asks for.'
  },
  media_rejected: {
    status: 422,
    outcome: 'not_sent',
    retryable: false,
    title: 'The file is not taken',
    when: 'Its type or size does not fit the kind of message, or its link cannot be fetched.',
    advice: 'Convert or shrink the file, or make the link public.'
  },
  message_rejected: {
    status: 422,
    outcome: 'not_sent',
    retryable: false,
    title: 'The provider refused the message',
    when: 'Any other definite refusal; `provider` holds its own words.',
    advice: 'Read `provider.message`; sending the same again will be refused again.'
  },
  rate_limited: {
    status: 429,
    outcome: 'not_sent',
    retryable: true,
    title: 'Too many requests',
    when: 'The caller’s own limit or quota, or the provider’s on a call that is not queued.',
    advice: 'Wait for Retry-After.'
  },
  channel_rejected: {
    status: 502,
    outcome: 'not_sent',
    retryable: false,
    title: 'The provider refused our credentials, number or account',
    when: 'Maton or the provider refuses the channel itself. Your key is not at fault.',
    advice: 'Tell whoever runs Switchboard: the connection needs to be renewed or the account cleared.'
  },
  provider_protocol: {
    status: 502,
    outcome: 'unknown_on_writes',
    retryable: false,
    title: 'The provider’s answer cannot be read',
    when: 'The answer was not what the provider documents.',
    advice: 'Reads may be tried again. Do not repeat a write before you have checked its effect.'
  },
  provider_unavailable: {
    status: 503,
    outcome: 'not_sent',
    retryable: true,
    title: 'The provider cannot be reached',
    when: 'No connection could be made, or the provider says that it did not take the request. Nothing was sent.',
    advice: 'Try again later.'
  },
  overloaded: {
    status: 503,
    outcome: 'not_sent',
    retryable: true,
    title: 'Switchboard cannot take more just now',
    when: 'Load is being shed, the queue of your service is full, or the store is not writable.',
    advice: 'Try again after Retry-After, with the same Idempotency-Key.'
  },
  outcome_unknown: {
    status: 504,
    outcome: 'unknown',
    retryable: false,
    title: 'The request left, and nobody knows how it ended',
    when: 'A write other than a message was sent and no answer settled it. (A message answers 202 with status unknown.)',
    advice: 'Check its effect before you repeat it.'
  },
  internal: {
    status: 500,
    outcome: 'unknown_on_writes',
    retryable: false,
    title: 'A defect of ours',
    when: 'Something in Switchboard failed.',
    advice:
      'Tell whoever runs Switchboard, with the requestId. A retry with the same Idempotency-Key never sends twice.'
  }
}

export interface ErrorFacts {
  errors?: FieldFault[]
  retryAfterSeconds?: number
  messageId?: string
  provider?: ProviderError
  outcome?: Outcome
  retryable?: boolean
  headers?: Record<string, string>
}

/** Any failure that a caller is told of. `detail` is for the caller: it never holds a secret, a host or a stack. */
export class ServiceError extends Error {
  readonly code: ErrorCode
  readonly facts: ErrorFacts

  constructor(code: ErrorCode, detail: string, facts: ErrorFacts = {}) {
    super(detail)
    this.name = 'ServiceError'
    this.code = code
    this.facts = facts
  }
}

/** A 400 for one field. */
export const invalid = (path: string, message: string): ServiceError =>
  new ServiceError('invalid_request', `${path} ${message}`, { errors: [{ path, message }] })

/**
 * The words of an error without the request they answer, as a failed message keeps them.
 * @param typeBase what stands before /errors#code: PUBLIC_URL or nothing
 * @param isWrite whether the request could have had an effect
 */
export function toMessageError(error: ServiceError, typeBase: string, isWrite: boolean): MessageError {
  const row = errorTable[error.code]
  const { facts } = error
  return {
    type: `${typeBase}/errors#${error.code}`,
    title: row.title,
    status: row.status,
    detail: error.message,
    code: error.code,
    outcome: facts.outcome ?? (row.outcome === 'unknown_on_writes' ? (isWrite ? 'unknown' : 'not_sent') : row.outcome),
    retryable: facts.retryable ?? row.retryable,
    ...(facts.errors && { errors: facts.errors }),
    ...(facts.retryAfterSeconds !== undefined && { retryAfterSeconds: facts.retryAfterSeconds }),
    ...(facts.messageId && { messageId: facts.messageId }),
    ...(facts.provider && { provider: facts.provider })
  }
}

/** The problem (RFC 9457) that answers one request. `instance` is the path without its query, which may hold a number. */
export function toProblem(
  error: ServiceError,
  request: { path: string; requestId: string; isWrite: boolean; typeBase: string }
): Problem {
  return {
    ...toMessageError(error, request.typeBase, request.isWrite),
    instance: request.path,
    requestId: request.requestId
  }
}

/** The answer to a live key that would send, or change anything at a provider, in sandbox mode. */
export const sandboxOnly = (): ServiceError =>
  new ServiceError(
    'forbidden',
    'This server is in sandbox mode (it has no MATON_API_KEY): a live key administers and reads here, and sends nothing. Use a key with mode test.'
  )
