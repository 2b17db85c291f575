import type { AuditEntry, AuditQuery } from '../../schemas/audit.ts'
import { newId } from '../ids.ts'
import type { Caller } from '../keys/caller.ts'
import { append } from './audit-chain.ts'
import { pageRequest, toPage } from './page.ts'
import { type Store, storable, type Unit } from './store.ts'

/** Text as both databases give it back, so that its digest holds. */
const kept = (text: string | undefined): string | null =>
  text === undefined ? null : (storable(text.toWellFormed()) as string)

/** Who did it: a caller, or a word for somebody without a key. */
type Actor = Pick<Caller, 'keyId' | 'subject' | 'address'>

/**
 * Writes the entry that goes into the same unit as the change it tells of, best as its last: entries are written one
 * after the other, and the next waits for the end of this unit. `detail` never holds a secret, nor a number in full.
 */
export function* auditEntry(
  store: Store,
  actor: Actor | null,
  action: string,
  target: string,
  detail?: unknown
): Unit<void> {
  yield* append(store, {
    id: newId('aud'),
    at: store.clock(),
    actor: actor?.keyId ?? 'start',
    subject: kept(actor?.subject),
    address: kept(actor?.address),
    action,
    target,
    detail: detail === undefined ? null : JSON.stringify(detail)
  })
}

export type Audit = (query: AuditQuery) => Promise<{ items: AuditEntry[]; nextCursor: string | null }>

/** Reads the audit log, newest first. */
export const createAudit =
  (store: Store): Audit =>
  async query => {
    const { limit, after } = pageRequest(query)
    let rows = store.build
      .selectFrom('audit')
      .selectAll()
      .orderBy('id', 'desc')
      .limit(limit + 1)
    if (query.target) rows = rows.where('target', '=', query.target)
    if (query.actor) rows = rows.where('actor', '=', query.actor)
    if (query.action) rows = rows.where('action', '=', query.action)
    if (query.since) rows = rows.where('at', '>=', Date.parse(query.since))
    if (query.until) rows = rows.where('at', '<', Date.parse(query.until))
    if (after) rows = rows.where('id', '<', after)
    const { items, nextCursor } = toPage(await store.read(rows.compile()), limit)
    const entry = ({ at, detail, hash, ...rest }: (typeof items)[number]): AuditEntry => ({
      ...rest,
      at: new Date(at).toISOString(),
      detail: detail === null ? null : JSON.parse(detail)
    })
    return { items: items.map(entry), nextCursor }
  }
