import { hash } from 'node:crypto'
import type { AuditRow } from './schema-audit.ts'
import { all, first, type Store, type Unit } from './store.ts'

// Each entry of the audit log holds a digest of itself and of the entry before it, so that one which was changed, taken out
// or moved is found (`npm run audit:verify`). Entries get their place in the commit that they tell of, one after the other.

/** An end of the chain: `start` is the last entry that retention has deleted, `end` the newest. */
export interface ChainEnd {
  position: number
  hash: string
}
type Told = Pick<AuditRow, 'id' | 'at' | 'actor' | 'subject' | 'address' | 'action' | 'target' | 'detail'>

/** Entries of a release that knew no chain, which one commit gives a place. */
export const looseAtOnce = 200

export const digest = (before: string, position: number, row: Told): string =>
  hash(
    'sha256',
    JSON.stringify([
      ...[before, position, row.id, row.at, row.actor, row.subject, row.address, row.action, row.target, row.detail]
    ])
  )

const head = (store: Store, name: 'start' | 'end', to: ChainEnd) =>
  store.build
    .insertInto('audit_chain')
    .values({ name, ...to })
    .onConflict(conflict => conflict.column('name').doUpdateSet(to))

/** The newest end, held until the unit ends: nobody else can go on from it meanwhile. */
function* holdEnd({ build }: Store): Unit<ChainEnd> {
  const fresh = build.insertInto('audit_chain').values({ name: 'end', position: 0, hash: '' })
  const hold = fresh.onConflict(conflict => conflict.column('name').doUpdateSet({ name: 'end' }))
  return (yield* first(hold.returning(['position', 'hash'])))!
}

/** Gives entries that have no place theirs, oldest first, and answers the new end. */
function* adopt(store: Store, from: ChainEnd): Unit<{ end: ChainEnd; count: number }> {
  const { build } = store
  const loose = build.selectFrom('audit').selectAll().where('position', 'is', null).orderBy('id').limit(looseAtOnce)
  let end = from
  const rows = yield* all(loose)
  for (const row of rows) {
    const position = end.position + 1
    end = { position, hash: digest(end.hash, position, row) }
    yield build.updateTable('audit').set(end).where('id', '=', row.id).compile()
  }
  return { end, count: rows.length }
}

/** Writes an entry at the end of the chain. */
export function* append(store: Store, row: Told): Unit<void> {
  const { end } = yield* adopt(store, yield* holdEnd(store))
  const position = end.position + 1
  const place = { position, hash: digest(end.hash, position, row) }
  yield store.build
    .insertInto('audit')
    .values({ ...row, ...place })
    .compile()
  yield head(store, 'end', place).compile()
}

/** Gives entries of a release before the chain their places. @returns how many; fewer than before: there is none left */
export const chainLoose = (store: Store): Promise<number> =>
  store.write(function* () {
    const { end, count } = yield* adopt(store, yield* holdEnd(store))
    if (count > 0) yield head(store, 'end', end).compile()
    return count
  })

/** Deletes up to `most` of the oldest entries whose ids are below `before`; the chain then begins behind them. */
export const forgetAudit = (store: Store, before: string, most: number): Promise<number> =>
  store.write(function* () {
    const { build } = store
    const { end, count } = yield* adopt(store, yield* holdEnd(store))
    if (count > 0) yield head(store, 'end', end).compile()
    const oldest = build.selectFrom('audit').select(['id', 'position', 'hash']).where('position', 'is not', null)
    const rows = yield* all(oldest.orderBy('position').limit(most))
    const young = rows.findIndex(({ id }) => id >= before)
    const over = young < 0 ? rows : rows.slice(0, young)
    const last = over.at(-1)
    if (!last) return 0
    yield head(store, 'start', { position: last.position!, hash: last.hash! }).compile()
    return (yield build.deleteFrom('audit').where('position', '<=', last.position!).compile()).changes
  })
