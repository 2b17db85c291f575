import { sql } from 'kysely'
import type { Logger } from 'pino'
import type { Hold, HoldReason } from '../../schemas/hold.ts'
import { ServiceError, toMessageError } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import { auditEntry } from '../store/audit.ts'
import type { BlockRow, MessageRow } from '../store/schema.ts'
import { all, change, first, prepare, type Store, type Unit } from '../store/store.ts'
import { blockKey, blockQueries } from './blocks.ts'
import { timelineEntry } from './timeline.ts'
import { queueTransitions } from './transitions/queue.ts'

// After a restore the store says "queued" of messages that were sent since the copy was made (docs/reliability.md P33). So a
// restored store starts held: a block that stands before anything is looked at, and whose text says how far it has come.

/** What the text of the block says. `backup` writes it into a copy, and the first start from that copy goes on from it. */
export interface HoldDetail {
  reason: HoldReason
  /** Messages that became unknown by it so far. */
  turned: number
  /** Not all of them have been looked at yet. */
  pending: boolean
  /** When the copy was made, where that is known. */
  copiedAt?: number
}

export interface RestoreHold {
  /**
   * Before the first dispatch of a process: holds where the settings say that the store was restored, and goes on with
   * what a copy is stamped with, or an earlier start left half done. Everything that is not settled becomes unknown.
   */
  begin: (afterRestore: boolean) => Promise<void>
  view: () => Promise<Hold>
  /** Lets everything go on. Throws a 409 where nothing is held. */
  release: (caller: Caller) => Promise<Hold>
}

/** What stands in a copy that `npm run backup` makes, so that a start from it holds. */
export const holdStamp = (copiedAt: number): { key: string; detail: string } => ({
  key: blockKey.hold,
  detail: JSON.stringify({ reason: 'restored_backup', turned: 0, pending: true, copiedAt } satisfies HoldDetail)
})

/** Rows in one commit. */
const batch = 500
const instant = (ms: number): string => new Date(ms).toISOString()
const detail = 'The store was restored from a copy: it may have been sent since that was made.'

export function createRestoreHold({
  store,
  log,
  typeBase
}: {
  store: Store
  log: Logger
  typeBase: string
}): RestoreHold {
  const { build } = store
  const blocks = blockQueries(store)
  const key = blockKey.hold
  const unknown = JSON.stringify(
    toMessageError(new ServiceError('outcome_unknown', detail, { outcome: 'unknown' }), typeBase, true)
  )
  const block = prepare<object, BlockRow>(() => build.selectFrom('blocks').selectAll().where('key', '=', key))
  const note = (is: HoldDetail) =>
    build
      .updateTable('blocks')
      .set({ detail: JSON.stringify(is) })
      .where('key', '=', key)
      .compile()
  const read = (row: BlockRow): HoldDetail => JSON.parse(row.detail ?? '{}')

  type Open = Pick<MessageRow, 'id' | 'attempts'>
  // Each in the words of a partial index and its order: what is settled is not looked at.
  const queued = prepare<object, Open>(() =>
    build
      .selectFrom('messages')
      .select(['id', 'attempts'])
      .where(sql<boolean>`state = 'queued'`)
      .where('queue', '>=', '')
      .orderBy('queue')
      .limit(batch)
  )
  const inHand = prepare<object, Open>(() =>
    build
      .selectFrom('messages')
      .select(['id', 'attempts'])
      .where(sql<boolean>`state in ('claimed', 'sending')`)
      .orderBy('lease_until')
      .limit(batch)
  )
  const { doubtAll } = queueTransitions(store)
  /** One commit's worth, and whether it was the last. Two replicas may be at it: the block's row is what they queue for. */
  function* step(): Unit<boolean> {
    if ((yield* change(build.updateTable('blocks').set({ until: null }).where('key', '=', key))) === 0) return true
    const is = read((yield* first(block({})))!)
    const rows = [...(yield* all(queued({}))), ...(yield* all(inHand({})))]
    let turned = 0
    for (const attempts of new Set(rows.map(row => row.attempts))) {
      const ids = rows.filter(row => row.attempts === attempts).map(row => row.id)
      const entry = timelineEntry(store.clock(), { state: 'unknown', attempts }, detail)
      turned += yield* change(doubtAll({ ids, attempts, error: unknown, entry }))
    }
    // Rows that could not be changed were somebody else's at that moment: they are looked at again.
    const done = rows.length === 0
    yield note({ ...is, turned: is.turned + turned, pending: !done })
    return done
  }
  function* prepareToTurn(): Unit<void> {
    yield build.updateTable('blocks').set({ at: store.clock() }).where('key', '=', key).compile()
    const open = build
      .updateTable('broadcasts')
      .set({ status: 'paused' })
      .where('status', 'in', ['scheduled', 'running'])
    const at = store.clock()
    for (const { id } of yield* all(open.returning('id')))
      yield blocks.stop({ key: blockKey.broadcast(id), detail: 'paused by the hold after a restore', at })
  }

  const view = async (): Promise<Hold> => {
    const [row] = await store.read(block({}))
    if (!row) return { held: false }
    const { reason, turned, copiedAt } = read(row)
    return {
      held: true,
      reason,
      heldAt: instant(row.at),
      ...(copiedAt !== undefined && { copiedAt: instant(copiedAt) }),
      unknownMessages: turned
    }
  }

  return {
    begin: async afterRestore => {
      if (afterRestore) {
        const fresh: HoldDetail = { reason: 'after_restore', turned: 0, pending: true }
        await store.write(function* () {
          yield blocks.stop({ key, detail: JSON.stringify(fresh), at: store.clock() })
        })
      }
      const [row] = await store.read(block({}))
      if (!row) return
      if (read(row).pending) {
        await store.write(prepareToTurn)
        while (!(await store.write(step)));
      }
      log.warn(
        { hold: await view() },
        'HELD AFTER A RESTORE: messages are accepted, and none goes out until POST /admin/hold/release'
      )
      if (afterRestore) log.warn('take AFTER_RESTORE out of the settings: every start with it holds everything again')
    },
    view,
    release: async caller => {
      const before = await store.write(function* () {
        const row = yield* first(block({}))
        if (!row || read(row).pending) return row
        yield blocks.lift({ key })
        yield* auditEntry(store, caller, 'hold.released', key, read(row))
        return row
      })
      if (!before) throw new ServiceError('conflict', 'Nothing is held.')
      if (read(before).pending)
        throw new ServiceError('conflict', 'The restored messages are still being looked at: try again in a moment.')
      log.warn({ by: caller.keyId }, 'the hold after a restore is released')
      return view()
    }
  }
}
