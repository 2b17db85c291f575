import type { Answer } from './call.ts'
import type { RefusalName, StandIn } from './stand-in.ts'

/** How a fault plays out. Only `refuse`, `gateway` and an unprocessed `reset` keep the provider from acting. */
export type Effect =
  | {
      kind: 'refuse'
      /** Worded by the stand-in that is called. */
      as: RefusalName
      retryAfterSeconds?: number
      /** How one receiver of many is turned down by it; absent: the whole call is. */
      one?: { badNumber?: boolean; text?: string }
    }
  /** Maton says it itself, and the provider is not reached. */
  | { kind: 'gateway'; answer: Answer }
  | { kind: 'answer'; answer: (normal: Answer) => Answer }
  | { kind: 'slow'; ms: number }
  | { kind: 'silent' }
  | { kind: 'reset'; processed: boolean }
  | { kind: 'cut' }
  | { kind: 'dribble'; everyMs: number }

/** One magic recipient: a number that always meets the same fate. */
export interface MagicRecipient {
  number: string
  name: string
  description: string
  /** What comes back, in words for the manual, where it is no refusal that each provider words itself. */
  wire?: string
  /** whether the provider really took the message */
  processed: boolean
  effect: Effect
  /** a closed window does not touch templates */
  sparesTemplates?: boolean
  /** only every other try meets it */
  firstTryOnly?: boolean
}

/** What a recipient's messages are answered by one provider, in words for the manual. */
export function wordsOf({ wire, effect, firstTryOnly }: MagicRecipient, { says }: StandIn): string {
  if (effect.kind !== 'refuse') return wire ?? ''
  const { words } = says[effect.as]
  const plain = effect.retryAfterSeconds === undefined ? words : words.replace(/, Retry-After: \d+/, '')
  const seconds = effect.retryAfterSeconds === undefined ? '' : `, Retry-After: ${effect.retryAfterSeconds}`
  return `${plain}${seconds}${firstTryOnly ? '; then 200' : ''}`
}

/** A status and nothing else. */
export const empty = (status: number, headers?: Record<string, string>) => (): Answer => ({ status, headers })

/** A page where JSON was due. */
export const html = (status: number, text: string) => (): Answer => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: `<!DOCTYPE html><html><head><title>${text}</title></head><body><h1>${text}</h1></body></html>`
})

/** A refusal of Maton's own, which has no body that can be relied on (docs/upstream.md 2.4). */
export const gateway = (status: number, headers?: Record<string, string>): Effect => ({
  kind: 'gateway',
  answer: { status, ...(headers && { headers }) }
})

const ID_KEYS = new Set([
  'id',
  'ids',
  'whatsappMessageId',
  'localMessageId',
  'local_message_id',
  'model',
  'conversationId',
  'ticketId'
])

/** A success with every id taken out of it, however deep. */
export function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !ID_KEYS.has(key))
      // sendSessionFile answers its id as `result`; the other observed form of it is `true` (docs/upstream.md 3.4.6)
      .map(([key, inner]) =>
        key === 'result' && typeof inner === 'string' && inner !== 'success' ? [key, true] : [key, withoutIds(inner)]
      )
  )
}
