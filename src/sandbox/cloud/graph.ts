import { type Answer, Refusal } from '../call.ts'
import type { Mistake } from '../check.ts'
import { fbtrace } from '../ids.ts'

/** Meta's codes as the sandbox uses them: HTTP status and title (docs/upstream.md 4.10, section 7). */
const CODES: Record<number, readonly [number, string]> = {
  100: [400, 'Invalid parameter'],
  190: [401, 'Error validating access token: Session has expired.'],
  2500: [400, 'Unknown path components'],
  130429: [429, 'Rate limit hit'],
  131000: [500, 'Something went wrong'],
  131008: [400, 'Required parameter is missing'],
  131009: [400, 'Parameter value is not valid'],
  131016: [503, 'Service unavailable'],
  131021: [400, 'Recipient cannot be sender'],
  131026: [400, 'Message undeliverable'],
  131030: [400, 'Recipient phone number not in allowed list'],
  131031: [403, 'Business Account locked'],
  131047: [400, 'Re-engagement message'],
  131051: [400, 'Unsupported message type'],
  131053: [400, 'Media upload error'],
  131056: [400, '(Business Account, Consumer Account) pair rate limit hit'],
  131062: [400, 'Business-scoped user id is not supported for this message'],
  132000: [400, 'Number of parameters does not match the expected number of params'],
  132001: [404, 'Template name does not exist in the translation'],
  132005: [400, 'Translated text too long'],
  132012: [400, 'Parameter format does not match format in the created template'],
  132015: [400, 'Template is paused'],
  132016: [400, 'Template is disabled']
}

export interface GraphExtras {
  status?: number
  /** goes to `error_data.details`, as messaging errors do */
  details?: string
  /** replaces the title in `message`, as plain Graph errors do */
  message?: string
  subcode?: number
  userTitle?: string
  userMsg?: string
  type?: string
  headers?: Record<string, string>
}

/** The `error` object of Graph (docs/upstream.md 4.10). */
export function graphErrorBody(code: number, extras: GraphExtras = {}): { error: Record<string, unknown> } {
  const title = CODES[code]?.[1] ?? 'An unknown error occurred'
  return {
    error: {
      message: extras.message ?? (extras.subcode === undefined ? `(#${code}) ${title}` : title),
      type: extras.type ?? 'OAuthException',
      code,
      ...(extras.subcode === undefined ? {} : { error_subcode: extras.subcode }),
      ...(extras.details === undefined
        ? {}
        : { error_data: { messaging_product: 'whatsapp', details: extras.details } }),
      ...(extras.userTitle === undefined
        ? {}
        : {
            is_transient: false,
            error_user_title: extras.userTitle,
            error_user_msg: extras.userMsg ?? extras.userTitle
          }),
      fbtrace_id: fbtrace()
    }
  }
}

/** A Graph error with the status that Meta's table gives its code. */
export function graphError(code: number, extras: GraphExtras = {}): Answer {
  return {
    status: extras.status ?? CODES[code]?.[0] ?? 400,
    ...(extras.headers === undefined ? {} : { headers: extras.headers }),
    body: graphErrorBody(code, extras)
  }
}

/** A refusal that a correct client would not have earned. */
export function wrong(code: number, text: string, extras: GraphExtras = {}): Refusal {
  const plain = code === 100 && extras.subcode === undefined ? { message: `(#100) ${text}` } : { details: text }
  return new Refusal(graphError(code, { ...plain, ...extras }), `${code}: ${text}`)
}

/** Which code a broken rule gets in a message (docs/upstream.md 4.10); what is not here is 100. */
const RULE_CODES: Record<string, number> = { required: 131008, minItems: 131009, maxItems: 131009 }

/** The refusal for the first mistake in a message body. */
export function wrongParam({ path, rule, text }: Mistake): Refusal {
  if (rule === 'unknown') return wrong(100, `Unexpected key "${path}"`)
  return wrong(RULE_CODES[rule] ?? 100, path === '' ? `The body ${text}` : `Param ${path} ${text}`)
}

/** Graph's "no such object", which is a 400 and not a 404 (docs/upstream.md 4.10). */
export function unknownObject(id: string, method: string): Answer {
  const message =
    `Unsupported ${method.toLowerCase()} request. Object with ID '${id}' does not exist, cannot be ` +
    'loaded due to missing permissions, or does not support this operation. Please read the Graph API documentation ' +
    'at https://developers.facebook.com/docs/graph-api'
  return graphError(100, { message, subcode: 33, type: 'GraphMethodException' })
}
