import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import type { AnyAdapter, Heard } from '../adapters/adapter.ts'
import { failpoint } from '../failpoints.ts'

/** An index of PostgreSQL takes 2,700 bytes of an identity; what has more of them is a forged one. */
const longest = 600
const short = (identity: string): string =>
  identity.length > longest ? createHash('sha256').update(identity).digest('hex') : identity

/** A number of JSON whose digits a double may not hold: Graph's ids come as numbers here and there. */
const longNumber = /[:[,]\s*\d{16,}\s*[,\]}]/
/** Texts, which are left as they are, and whole numbers. One without its end goes to the end: else each of many would be looked for anew. */
const parts = /"[^"\\]*(?:\\.[^"\\]*)*"?|(?<![\d.eE+-])\d{16,}(?![\d.eE])/gs
const asText = (part: string): string =>
  part.startsWith('"') || Number.isSafeInteger(Number(part)) ? part : `"${part}"`

/** JSON with whole numbers that would lose digits as text. */
const parsed = (text: string): unknown => JSON.parse(longNumber.test(text) ? text.replace(parts, asText) : text)

/** Everything that a body tells; what cannot be read is a sentence. */
export function readBody(body: Uint8Array, adapter: AnyAdapter, log: Logger): Heard[] | string {
  if (!adapter.hear) return `${adapter.provider} has no webhooks here.`
  let told: unknown
  failpoint('webhook_in_hand')
  try {
    told = parsed(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return 'The body is not JSON in UTF-8.'
  }
  try {
    const all = adapter.hear.read(told)
    for (const heard of all) {
      heard.identity = short(heard.identity)
      if (heard.timeless !== undefined) heard.timeless = short(heard.timeless)
    }
    return all
  } catch (error) {
    log.error({ err: error, provider: adapter.provider }, 'a webhook made its decoder fail: a defect of ours')
    return 'Reading it failed: a defect of ours. The log tells more.'
  }
}
