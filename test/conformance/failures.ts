import type { ErrorCode, Outcome } from '../../schemas/problem.ts'
import type { Answer, Play } from '../upstream/stub.ts'

/** Bodies in one provider's own words. */
export interface Words {
  /** What sendMessage is answered where it went well. */
  success: unknown
  /** A success without any id; `accepted` where the provider says success in another way too. */
  withoutId: { body: unknown; accepted: boolean }
  /** A definite refusal that says `text`, as an error status or inside a 200, and what it means to us. */
  refusal: (text: string) => { status: number; body: unknown; code: ErrorCode }
  /** It throttles. */
  throttle: Answer
  /** Whose limit that is, and how long it lasts where the answer does not tell. */
  throttled: { throttles: 'account' | 'channel' | 'recipient'; retryAfterSeconds?: number }
  /** It refuses the connection's credential. */
  credential: Answer
}

/** What a caller is to be told, and whether the same may be sent again. */
export interface Meaning {
  code: ErrorCode
  outcome: Outcome
  later: boolean
  retryAfterSeconds?: number
  throttles?: string
}

export interface Failure {
  name: string
  play: (words: Words) => Play | 'refused connection'
  /** Undefined where it is no failure: then the receipt has no id and a warning. */
  onWrite: (words: Words) => Meaning | undefined
  onRead: (words: Words) => Meaning
  /** Only a send can meet it. */
  sendOnly?: true
}

const html = '<!DOCTYPE html><html><body><h1>It works</h1></body></html>'
const meaning = (code: ErrorCode, later = false, more: Partial<Meaning> = {}): Meaning => ({
  code,
  outcome: 'not_sent',
  later,
  ...more
})
const definite = (same: Meaning | ((words: Words) => Meaning)) => {
  const tell = typeof same === 'function' ? same : () => same
  return { onWrite: tell, onRead: tell }
}
/** The request left, and nothing says how it ended. */
const lost = {
  onWrite: () => meaning('outcome_unknown', false, { outcome: 'unknown' }),
  onRead: () => meaning('provider_unavailable', true)
}
/** A success was said, in a form that proves nothing. */
const unproven = {
  onWrite: () => meaning('provider_protocol', false, { outcome: 'unknown' }),
  onRead: () => meaning('provider_protocol')
}
const always = (play: Play) => () => play
const with429 = (wait?: string): Play => ({ status: 429, ...(wait && { headers: { 'retry-after': wait } }) })

/** Every way in which a call can fail, docs/reliability.md 4; bodies of Maton's own are unknown (docs/upstream.md 2.4). */
export const failures: readonly Failure[] = [
  { name: '401 without a body', play: always({ status: 401 }), ...definite(meaning('channel_rejected')) },
  {
    name: 'the provider refuses the credential',
    play: words => words.credential,
    ...definite(meaning('channel_rejected'))
  },
  { name: '403 without a body', play: always({ status: 403 }), ...definite(meaning('channel_rejected')) },
  {
    name: '429 without a body or Retry-After',
    play: always(with429()),
    ...definite(meaning('rate_limited', true, { throttles: 'account' }))
  },
  {
    name: '429 without a body, with Retry-After',
    play: always(with429('7')),
    ...definite(meaning('rate_limited', true, { throttles: 'account', retryAfterSeconds: 7 }))
  },
  {
    name: 'the provider throttles',
    play: words => words.throttle,
    ...definite(words => meaning('rate_limited', true, words.throttled))
  },
  {
    name: 'the provider throttles and says for how long',
    play: ({ throttle }) => ({ ...throttle, headers: { ...throttle.headers, 'retry-after': '7' } }),
    ...definite(({ throttled }) => meaning('rate_limited', true, { ...throttled, retryAfterSeconds: 7 }))
  },
  { name: '500 without a body', play: always({ status: 500 }), ...lost },
  { name: '502 with a page', play: always({ status: 502, body: html }), ...lost },
  { name: '503 without a body', play: always({ status: 503 }), ...lost },
  {
    name: '503 with Retry-After',
    play: always({ status: 503, headers: { 'retry-after': '7' } }),
    onWrite: lost.onWrite,
    onRead: () => meaning('provider_unavailable', true, { retryAfterSeconds: 7 })
  },
  { name: '504 without a body', play: always({ status: 504 }), ...lost },
  { name: '408 without a body', play: always({ status: 408 }), ...lost },
  { name: '200 with a page', play: always({ status: 200, body: html }), ...unproven },
  { name: '200 without a body', play: always({ status: 200 }), ...unproven },
  { name: '200 with broken JSON', play: always({ status: 200, body: '{"result": tr' }), ...unproven },
  { name: '200 with JSON that says nothing', play: always({ status: 200, body: {} }), ...unproven },
  { name: '200 with null', play: always({ status: 200, body: 'null' }), ...unproven },
  {
    name: '200 without an id',
    play: words => ({ status: 200, body: words.withoutId.body }),
    onWrite: words => (words.withoutId.accepted ? undefined : unproven.onWrite()),
    onRead: unproven.onRead,
    sendOnly: true
  },
  {
    name: 'a refusal inside a 200',
    play: words => ({ status: 200, body: words.refusal('This cannot be done').body }),
    ...definite(words => meaning(words.refusal('').code))
  },
  {
    name: 'a refusal with its own status',
    play: words => words.refusal('This cannot be done'),
    ...definite(words => meaning(words.refusal('').code))
  },
  {
    name: '302 to another host',
    play: always({ status: 302, headers: { location: 'http://127.0.0.1:9/elsewhere' } }),
    onWrite: lost.onWrite,
    onRead: () => meaning('provider_protocol')
  },
  {
    name: 'a refused connection',
    play: () => 'refused connection',
    ...definite(meaning('provider_unavailable', true))
  },
  { name: 'a reset before the answer', play: always('reset'), ...lost },
  { name: 'a close before the answer', play: always('close'), ...lost },
  { name: 'a body that is cut in the middle', play: always('cut'), ...lost },
  { name: 'silence until the deadline', play: always('silence'), ...lost },
  { name: 'a body that never comes', play: always('stall'), ...lost },
  { name: 'a body that dribbles until the deadline', play: always('dribble'), ...lost },
  {
    name: 'an answer larger than 4 MiB',
    play: always({ status: 200, body: Buffer.alloc(4 * 1024 * 1024 + 1, ' ') }),
    ...unproven
  }
]
