import { invalid } from '../errors.ts'

export interface PageRequest {
  limit: number
  /** The id behind which the page begins. */
  after?: string
}

/** Reads `limit` and `cursor` of a list request. Our cursors are ids in base64url: opaque, and still right after inserts. */
export function pageRequest(query: { limit?: number; cursor?: string }): PageRequest {
  if (query.cursor === undefined) return { limit: query.limit ?? 25 }
  const after = Buffer.from(query.cursor, 'base64url').toString()
  if (!/^[a-z0-9_-]{1,64}$/.test(after))
    throw invalid('query/cursor', 'is not a cursor of this list: take nextCursor of the page before')
  return { limit: query.limit ?? 25, after }
}

/** Makes a page of one row more than asked for: that row says whether another page follows. */
export function toPage<R extends { id: string }>(rows: R[], limit: number): { items: R[]; nextCursor: string | null } {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, nextCursor: rows.length > limit && last ? Buffer.from(last.id).toString('base64url') : null }
}
