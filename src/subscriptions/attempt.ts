import type { DeliveryAttempt } from '../../schemas/deliveries.ts'
import { retryPolicy } from '../delivery/retry-policy.ts'
import { EgressError } from '../upstream/egress.ts'
import type { Poster } from '../upstream/post.ts'
import { sign } from './secrets.ts'

/** What became of one attempt. */
export interface Attempted {
  attempt: DeliveryAttempt
  /** gone: it never wants to hear of it again (410). */
  verdict: 'delivered' | 'failed' | 'gone'
  /** Seconds that it asked us to wait. */
  askedSeconds?: number
  /** It asked for that for everything (429, 503), not for this event alone. */
  busy?: boolean
}

export interface Letter {
  url: string
  eventId: string
  body: string
  /** Secrets that count now, the newest first. */
  secrets: readonly string[]
  /** It is none of the journal's events. */
  test?: boolean
}

/** Bytes of an answer that are kept. */
const keptBytes = 1024

/** Seconds that a Retry-After names, as a number or as a date (RFC 9110 10.2.3). */
function asked(retryAfter: string | undefined, now: number): number | undefined {
  if (retryAfter === undefined) return undefined
  if (/^\d{1,9}$/.test(retryAfter.trim())) return Number(retryAfter)
  const at = Date.parse(retryAfter)
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - now) / 1000))
}

const fault = (status: number): string =>
  status >= 300 && status < 400 ? `it redirects (${status}), which is not followed` : `it answered ${status}`

/** Posts an event once, signed as Standard Webhooks say; never throws for what the other side does. */
export async function attempt(
  poster: Poster,
  { url, eventId, body, secrets, test }: Letter,
  clock: () => number
): Promise<Attempted> {
  const now = clock()
  const begun = performance.now()
  const timestamp = Math.floor(now / 1000)
  const done = (status: number | null, error?: string, answer?: string): DeliveryAttempt => ({
    at: new Date(now).toISOString(),
    status,
    ms: Math.round(performance.now() - begun),
    ...(error !== undefined && { error }),
    ...(answer && { body: answer })
  })
  try {
    const answer = await poster.post(url, {
      headers: {
        'content-type': 'application/json',
        'user-agent': 'switchboard',
        'accept-encoding': 'identity',
        'webhook-id': eventId,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': sign(secrets, eventId, timestamp, body),
        ...(test && { 'switchboard-test': '1' })
      },
      body,
      timeoutMs: retryPolicy.subscribers.timeoutMs,
      maxBytes: keptBytes
    })
    const { status } = answer
    if (status >= 200 && status < 300) return { attempt: done(status, undefined, answer.body), verdict: 'delivered' }
    const askedSeconds = asked(answer.retryAfter, now)
    return {
      attempt: done(status, fault(status), answer.body),
      verdict: status === 410 ? 'gone' : 'failed',
      ...(askedSeconds !== undefined && { askedSeconds, busy: status === 429 || status === 503 })
    }
  } catch (error) {
    if (!(error instanceof EgressError)) throw error
    return { attempt: done(null, error.detail), verdict: 'failed' }
  }
}
