import { hash } from 'node:crypto'
import { array, type Json, record, string } from './decode.ts'

/**
 * A place in one of WATI's lists: how many items stand before it, the largest page that WATI is known to give, a mark of
 * the page before, and how often that came once more. WATI counts pages and not items (docs/upstream.md 3.3), so a page number would be another place as soon
 * as `limit` changes.
 */
export interface Place {
  offset: number
  most: number
  mark: string
  again: number
}

const form = /^(\d{1,9})\.([1-9]\d{0,3})~([\w-]{12})(\d)/
/** The place that a cursor of ours names; the beginning where there is none. */
export function placeOf(cursor: string | undefined): Place {
  const [, offset, most, mark = '', again] = form.exec(cursor ?? '') ?? []
  return { offset: Number(offset ?? 0), most: Number(most ?? 9999), mark, again: Number(again ?? 0) }
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

/** Which items a page holds, so that the page before can be known again. */
const markOf = (rows: readonly unknown[]): string =>
  hash('sha256', JSON.stringify(rows.map(record).map(row => row.id ?? row.elementName ?? row)), 'base64url').slice(
    0,
    12
  )

/** Whether `link` says that nothing follows; undefined where it says nothing of it. */
function isLast({ total, nextPage }: Json, end: number): boolean | undefined {
  if (typeof total === 'number' && total > 0) return end >= total
  return nextPage === undefined ? undefined : string(nextPage) === undefined && typeof nextPage !== 'number'
}

/** What is new meanwhile pushes the rest deeper, so that a page may come again: no oftener than so in a list that ends. */
const mostAgain = 3

/**
 * Reads where an answer stands. A page shorter than its size is the last (3.4.4), and so is one that is the page before
 * again and again: a list that does not turn its pages would have no end. `link` may be missing, or tell the total, or the next
 * page, or a smaller size than was asked for: then the page begins elsewhere, and the next one asks for no more.
 */
export function turn(
  place: Place,
  asked: { pageSize: number; pageNumber: number },
  items: unknown,
  link: unknown
): Turn {
  const rows = array(items)
  const count = rows.length
  const mark = markOf(rows)
  const again = count > 0 && mark === place.mark ? place.again + 1 : 0
  if (again === mostAgain) return { skip: count, next: null }
  const { pageSize: said } = record(link)
  const clamped = typeof said === 'number' && Number.isInteger(said) && said >= 1 && said < asked.pageSize
  const size = clamped ? said : asked.pageSize
  const begin = (asked.pageNumber - 1) * size
  const end = begin + count
  const done = isLast(record(link), end) ?? count < size
  return {
    skip: again > 0 ? count : Math.min(Math.max(place.offset - begin, 0), count),
    next: done || count === 0 ? null : `${Math.max(end, place.offset)}.${clamped ? size : place.most}~${mark}${again}`
  }
}
