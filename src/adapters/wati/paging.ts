import { type Json, record } from './decode.ts'

/**
 * A place in one of WATI's lists: how many items stand before it, and the largest page that WATI is known to give.
 * WATI counts pages and not items (UPSTREAM.md 3.3), so a page number would be another place as soon as `limit` changes.
 */
export interface Place {
  offset: number
  most: number
}

const form = /^(\d{1,9})\.([1-9]\d{0,3})/
/** The place that a cursor of ours names; the beginning where there is none. */
export function placeOf(cursor: string | undefined): Place {
  const [, offset, most] = form.exec(cursor ?? '') ?? []
  return { offset: Number(offset ?? 0), most: Number(most ?? 9999) }
}

/** The largest page of at most `limit` items that begins exactly there. */
export function pageAt({ offset, most }: Place, limit: number): { pageSize: number; pageNumber: number } {
  let pageSize = Math.min(limit, most)
  while (offset % pageSize !== 0) pageSize--
  return { pageSize, pageNumber: offset / pageSize + 1 }
}

/** What an answer is of the place that was asked for. */
export interface Turn {
  /** Items at its beginning that stand before the place. */
  skip: number
  /** The place of what follows, null if nothing does. */
  next: string | null
}

/**
 * Reads where an answer stands. A page shorter than its size is the last (3.4.4); `link` may be missing, or tell the
 * total, or a smaller size than was asked for: then the page begins elsewhere, and the next one asks for no more.
 */
export function turn(
  place: Place,
  asked: { pageSize: number; pageNumber: number },
  count: number,
  link: unknown
): Turn {
  const { pageSize: said, total } = record(link) as Json
  const clamped = typeof said === 'number' && Number.isInteger(said) && said >= 1 && said < asked.pageSize
  const size = clamped ? said : asked.pageSize
  const begin = (asked.pageNumber - 1) * size
  const end = begin + count
  const done = typeof total === 'number' && total > 0 ? end >= total : count < size
  return {
    skip: Math.min(Math.max(place.offset - begin, 0), count),
    next: done || count === 0 ? null : `${Math.max(end, place.offset)}.${clamped ? size : place.most}`
  }
}
