import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import type { AnyAdapter, Heard } from '../adapters/adapter.ts'
import { failpoint } from '../failpoints.ts'

/** An index of PostgreSQL takes 2,700 bytes of an identity; what has more of them is a forged one. */
const longest = 600

/** Everything that a body tells; what cannot be read is a sentence. */
export function readBody(body: Uint8Array, adapter: AnyAdapter, log: Logger): Heard[] | string {
  if (!adapter.hear) return `${adapter.provider} has no webhooks here.`
  let told: unknown
  failpoint('webhook_in_hand')
  try {
    told = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return 'The body is not JSON in UTF-8.'
  }
  try {
    const all = adapter.hear.read(told)
    for (const heard of all)
      if (heard.identity.length > longest) heard.identity = createHash('sha256').update(heard.identity).digest('hex')
    return all
  } catch (error) {
    log.error({ err: error, provider: adapter.provider }, 'a webhook made its decoder fail: a defect of ours')
    return 'Reading it failed: a defect of ours. The log tells more.'
  }
}
