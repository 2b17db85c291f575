import { createHash } from 'node:crypto'
import type { MessageError } from '../../schemas/problem.ts'
import type { MessageRow } from '../store/schema.ts'

// What is left of the message of a person who was erased, so that the provider's later words find it and bring nothing back
// (docs/api.md 6).

/** Whether its person was erased. */
export const isErased = (row: Pick<MessageRow, 'contact' | 'user_id' | 'content'>): boolean =>
  row.contact === null && row.user_id === null && row.content === null

const mark = 'erased:'
/** What a provider's id is known again by: the id itself is made of the number. */
export const blindId = (providerId: string): string =>
  providerId.startsWith(mark)
    ? providerId
    : mark + createHash('sha256').update(providerId).digest('base64url').slice(0, 32)

/**
 * In `heard_events`: a webhook body that told of somebody who was erased is not kept again.
 * @param digest holds the SHA-256 of its bytes, in hexadecimal digits
 */
export const bodyMark = (digest: string): string => `body/${/[0-9a-f]{64}/.exec(digest)?.[0]}`

/** A kept error without the provider's words, which may name the person. */
export function withoutWords(error: string): string {
  const { type, title, status, code, outcome, retryable } = JSON.parse(error) as MessageError
  const detail = 'Its words went when the person was erased.'
  return JSON.stringify({ type, title, status, detail, code, outcome, retryable })
}
