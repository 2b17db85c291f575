import { type Call, Refusal } from '../call.ts'
import { unknownObject, wrong } from './graph.ts'
import { NOBODY } from './seed-numbers.ts'

/** The id in the path: any 10 to 20 digits are some business's, but for the one that is nobody's. */
export function objectId(call: Call): string {
  const id = call.params.id ?? ''
  const { method } = call.operation
  if (!/^\d{10,20}$/.test(id)) throw new Refusal(unknownObject(id, method), `"${id}" is no object id`)
  if (id === NOBODY) throw missing(call, id)
  return id
}

/** Unknown objects are nobody's mistake: an id may have expired. */
export function missing(call: Call, id: string): Refusal {
  call.entry.refused = `unknown object ${id}`
  return new Refusal(unknownObject(id, call.operation.method))
}

/** The fields that are asked for, each of them one that the object has. */
export function pick(
  call: Call,
  object: Record<string, unknown>,
  known: readonly string[],
  defaults: readonly string[],
  node: string
): Record<string, unknown> {
  const fields = call.query.fields?.split(',').map(field => field.trim()) ?? defaults
  const stray = fields.find(field => !known.includes(field))
  if (stray !== undefined) throw wrong(100, `Tried accessing nonexisting field (${stray}) on node type (${node})`)
  const wanted = fields.includes('id') || !('id' in object) ? fields : [...fields, 'id']
  return Object.fromEntries(wanted.flatMap(field => (object[field] === undefined ? [] : [[field, object[field]]])))
}

interface Paging {
  cursors: { before: string; after: string }
  next?: string
  previous?: string
}

const toCursor = (at: number): string => Buffer.from(`sandbox:${at}`).toString('base64url')

function fromCursor(cursor: string): number {
  const at = /^sandbox:(\d{1,9})$/.exec(Buffer.from(cursor, 'base64url').toString())?.[1]
  if (at === undefined) throw wrong(100, 'Invalid cursors values')
  return Number(at)
}

/** A token that must never leave the facade: Graph embeds one in `paging.next` (docs/upstream.md 4.7). */
export const PAGING_TOKEN = 'EAASANDBOXNEVERSHOWTHISTOKEN'

/** One page of a list; `next` is there only where another page follows (docs/upstream.md 4.7). */
export function page<T>(call: Call, all: T[], edge: string): { data: T[]; paging: Paging } {
  const { limit = '25', after, before } = call.query
  const size = Number(limit)
  if (!/^\d{1,4}$/.test(limit) || size < 1) throw wrong(100, 'Param limit is not valid')
  if (after !== undefined && before !== undefined) throw wrong(100, 'after and before exclude each other')
  const end = before === undefined ? undefined : fromCursor(before)
  const start = end === undefined ? (after === undefined ? 0 : fromCursor(after) + 1) : Math.max(0, end - size)
  const data = all.slice(start, end ?? start + size)
  const last = start + data.length - 1
  const address = (side: string, cursor: string): string =>
    `https://graph.facebook.com/${call.params.version}/${call.params.id}/${edge}` +
    `?access_token=${PAGING_TOKEN}&limit=${size}&${side}=${cursor}`
  const cursors = { before: toCursor(start), after: toCursor(last) }
  return {
    data,
    paging: {
      cursors,
      ...(last + 1 < all.length ? { next: address('after', cursors.after) } : {}),
      ...(start > 0 ? { previous: address('before', cursors.before) } : {})
    }
  }
}
