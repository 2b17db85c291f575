import { array, type Json, template } from './decode.ts'
import { pageAt, placeOf, turn } from './paging.ts'

/** One page of getMessageTemplates, and how its answer is read. */
export function templatesPage(limit: number, cursor: string | undefined) {
  const place = placeOf(cursor)
  const page = pageAt(place, limit)
  const read = (body: Json, channel: string) => {
    const { skip, next } = turn(place, page, body.messageTemplates, body.link)
    const rows = array(body.messageTemplates).slice(skip)
    return { items: rows.flatMap(row => template(row, channel) ?? []), nextCursor: next }
  }
  return { page, read }
}
