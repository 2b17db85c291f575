import type { Answer, Call } from './call.ts'
import { graphError } from './cloud/graph.ts'
import { failure } from './wati/answers.ts'

/** How a fault plays out. Only `refuse` and an unprocessed `reset` keep the provider from acting. */
export type Effect =
  | { kind: 'refuse'; cloud: (call: Call) => Answer; wati: (call: Call) => Answer; badNumber?: boolean; text?: string }
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
  /** what each provider answers, in words, for the README */
  cloud: string
  wati: string
  /** whether the provider really took the message */
  processed: boolean
  effect: Effect
  /** a closed window does not touch templates */
  sparesTemplates?: boolean
  /** only every other try meets it */
  firstTryOnly?: boolean
}

/** A status and nothing else. */
export const empty = (status: number, headers?: Record<string, string>) => (): Answer => ({ status, headers })

/** A page where JSON was due. */
export const html = (status: number, text: string) => (): Answer => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: `<!DOCTYPE html><html><head><title>${text}</title></head><body><h1>${text}</h1></body></html>`
})

/** WATI's 429; its body is unconfirmed (UPSTREAM.md 3.8). */
export const throttled = (headers?: Record<string, string>) => (): Answer => ({
  status: 429,
  headers,
  body: { result: false, info: 'Too many requests' }
})

/** The same refusal of Maton's own, which has no body that can be relied on (UPSTREAM.md 2.4). */
export const maton = (status: number, headers?: Record<string, string>): Effect => ({
  kind: 'refuse',
  cloud: empty(status, headers),
  wati: empty(status, headers)
})

/** A Graph error with its details. */
export const graph = (code: number, details: string) => (): Answer => graphError(code, { details })

/** A failure in the words of the WATI endpoint that was called. */
export const watiSays =
  (text: string, badNumber = false) =>
  (call: Call): Answer =>
    failure(call, text, badNumber)

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
      // sendSessionFile answers its id as `result`; the other observed form of it is `true` (UPSTREAM.md 3.4.6)
      .map(([key, inner]) =>
        key === 'result' && typeof inner === 'string' && inner !== 'success' ? [key, true] : [key, withoutIds(inner)]
      )
  )
}
