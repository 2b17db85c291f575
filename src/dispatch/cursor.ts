import { createHash } from 'node:crypto'
import { invalid } from '../errors.ts'

/** Where a list that a provider keeps goes on. */
export interface ProviderPosition {
  /** The provider's own cursor of a page; none: its first. */
  cursor?: string
  /** How large that page is. A provider that counts pages would skip or repeat items in a page of another size. */
  limit: number
  /** How many of its items that fit have been given out already. */
  skip: number
}

/** Which list a cursor is of: a cursor of one channel or filter means nothing in another. */
const digest = (list: unknown): string =>
  createHash('sha256').update(JSON.stringify(list)).digest('base64url').slice(0, 8)

/** A cursor of ours around the provider's: opaque, and nothing has to be remembered for it. */
export const toCursor = (list: unknown, { cursor = '', limit, skip }: ProviderPosition): string =>
  Buffer.from(`1.${digest(list)}.${limit}.${skip}.${cursor}`).toString('base64url')

/** The position in a cursor that toCursor made for the same list. Throws a 400. */
export function fromCursor(list: unknown, text: string): ProviderPosition {
  const found = /^1\.([\w-]{8})\.([1-9]\d?|100)\.(\d{1,5})\.([\x21-\x7e]{0,3000})$/.exec(
    Buffer.from(text, 'base64url').toString()
  )
  if (!found || found[1] !== digest(list))
    throw invalid('query/cursor', 'is not a cursor of this list: take nextCursor of the page before')
  const [, , limit, skip, cursor] = found
  return { limit: Number(limit), skip: Number(skip), ...(cursor && { cursor }) }
}
