import type { ErrorCode } from '../../schemas/problem.ts'
import { effects, type Operation, type UpstreamFailure, type Verdict } from '../adapters/adapter.ts'

// What a failure means when the provider did not say it in its own words: docs/reliability.md 4, by the hook and the
// status alone. A send whose request may have left is unknown unless a status says for certain that it was refused.

interface StatusRow {
  code: ErrorCode
  /** The code where nothing but a read was lost. */
  onRead?: ErrorCode
  unknown?: true
  later?: true
  detail: string
}
const byStatus: Readonly<Record<number, StatusRow>> = {
  401: {
    code: 'channel_rejected',
    detail: 'The credential was refused; whether by Maton or by the provider is not told.'
  },
  403: { code: 'channel_rejected', detail: 'Access was refused; whether by Maton or by the provider is not told.' },
  404: { code: 'message_rejected', onRead: 'not_found', detail: 'The provider knows no such object.' },
  408: {
    code: 'outcome_unknown',
    onRead: 'provider_unavailable',
    unknown: true,
    detail: 'The provider gave up waiting for the request.'
  },
  425: { code: 'provider_unavailable', later: true, detail: 'The provider was not ready to take it.' },
  429: { code: 'rate_limited', later: true, detail: 'The rate limit of the Maton account was reached.' }
}
const otherRefusal: StatusRow = {
  code: 'message_rejected',
  detail: 'It was refused without a reason that can be read.'
}
const redirect: StatusRow = {
  code: 'outcome_unknown',
  onRead: 'provider_protocol',
  unknown: true,
  detail: 'The answer was a redirect, which is never followed.'
}
const serverFault: StatusRow = {
  code: 'outcome_unknown',
  onRead: 'provider_unavailable',
  unknown: true,
  detail: 'The answer does not say whether the provider took it.'
}

/** Seconds of a Retry-After header: a number, or a date. At most an hour, so that a wild header cannot park a message. */
export function retryAfter(header: string | string[] | undefined, now: number): number | undefined {
  const text = Array.isArray(header) ? header[0] : header
  if (!text) return undefined
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - now) / 1000)
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 3600) : undefined
}

/** The verdict on a failure that the adapter does not know. */
export const judge = (failure: UpstreamFailure, operation: Operation, provider: string): Verdict =>
  judgeAs(failure, effects[operation] === 'read', provider)

/** Judges the failure of a call that is no operation of an adapter. `read`: that it was lost changes nothing. */
export function judgeAs(failure: UpstreamFailure, read: boolean, provider: string): Verdict {
  const said = { name: provider, status: failure.status ?? null, ...(failure.cause && { code: failure.cause }) }
  if (failure.kind === 'unsendable') {
    return {
      code: 'internal',
      outcome: 'not_sent',
      later: false,
      detail: 'Switchboard could not write the request: nothing was sent.',
      provider: said
    }
  }
  if (failure.kind === 'transport') {
    if (!failure.started) {
      return {
        code: 'provider_unavailable',
        outcome: 'not_sent',
        later: true,
        detail: 'No connection could be made: nothing was sent.',
        provider: said
      }
    }
    return read
      ? {
          code: 'provider_unavailable',
          outcome: 'not_sent',
          later: true,
          detail: 'The connection broke or stayed silent.',
          provider: said
        }
      : {
          code: 'outcome_unknown',
          outcome: 'unknown',
          later: false,
          detail: 'The request left and no complete answer came back.',
          provider: said
        }
  }
  if (failure.kind !== 'status') {
    return {
      code: 'provider_protocol',
      outcome: read ? 'not_sent' : 'unknown',
      later: false,
      detail: 'The provider answered success in a form that proves nothing.',
      provider: said
    }
  }
  const status = failure.status ?? 0
  const row = byStatus[status] ?? (status < 400 ? redirect : status < 500 ? otherRefusal : serverFault)
  const code = read ? (row.onRead ?? row.code) : row.code
  const later = row.later ?? code === 'provider_unavailable'
  // Where it may have been taken, a wait would read as an invitation to send it again.
  const wait = later ? retryAfter(failure.headers?.['retry-after'], Date.now()) : undefined
  return {
    code,
    outcome: row.unknown && !read ? 'unknown' : 'not_sent',
    later,
    ...(status === 429 && { throttles: 'account' as const }),
    ...(wait !== undefined && { retryAfterSeconds: wait }),
    detail: row.detail,
    provider: said
  }
}

/** The secret in the address of one of our doors. */
const doorToken = /(webhooks\\?\/[^/\s"'\\]{1,100}\\?\/)[\w-]{16,}/g

/** A verdict without our secrets: a provider may repeat in its words what a call gave it, and these are logged and told. */
export function withoutSecrets(verdict: Verdict, input: unknown): Verdict {
  const { verifyToken } = (input ?? {}) as { verifyToken?: string }
  const clean = (text: string): string => {
    const plain = text.replace(doorToken, '$1…')
    return verifyToken === undefined ? plain : plain.replaceAll(verifyToken, '…')
  }
  return JSON.parse(
    JSON.stringify(verdict, (_, value: unknown) => (typeof value === 'string' ? clean(value) : value))
  ) as Verdict
}
