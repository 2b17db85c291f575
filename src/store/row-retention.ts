import { setTimeout as pause } from 'node:timers/promises'
import { forgetAudit } from './audit-chain.ts'
import { type Going, hasEnded, idAt, lastChange, nothingUndelivered, type Undelivered, untold } from './retention.ts'
import type { Store } from './store.ts'

// What of the past is deleted as a whole: rows that have ended, with their numbers and metadata, and what was written about
// who did what. Ids begin with their time, so old rows are found along the keys that are there anyway.

/** Rows of one look. */
const page = 500
/** Rows of one commit: SQLite keeps everybody waiting meanwhile, and among ten million rows one takes a third of a millisecond. */
const batch = 25
const restMs = 5
const dayMs = 24 * 3600_000

/** How many rows went. */
export interface Forgotten {
  broadcasts: number
  messages: number
  audit: number
}

/**
 * Deletes what ended longer ago than it is to be kept.
 * @param now by the store's clock
 * @param keepDays KEEP_ROWS_DAYS
 */
export async function forgetRows(
  store: Store,
  now: number,
  keepDays: number,
  going: Going,
  undelivered: Undelivered = nothingUndelivered
): Promise<Forgotten> {
  const { build } = store
  const before = now - keepDays * dayMs

  /** Again and again until a commit is not full. */
  const drain = async (once: () => Promise<number>): Promise<number> => {
    let all = 0
    for (let count = batch; count === batch && going(); all += count) {
      count = await once()
      await pause(restMs)
    }
    return all
  }

  /** A broadcast goes ahead of its messages: a broadcast of which some were gone would count them wrongly. */
  const dropBroadcasts = (): Promise<number> =>
    store.write(function* () {
      const over = build
        .selectFrom('broadcasts')
        .select('id')
        .where('id', '<', idAt('brd', before))
        .where('status', 'in', ['finished', 'failed', 'canceled'])
        .where('finished_at', '<=', before)
        .limit(batch)
      const { rows, changes } = yield build.deleteFrom('broadcasts').where('id', 'in', over).returning('id').compile()
      // As messages/blocks.ts names them.
      const keys = (rows as { id: string }[]).map(({ id }) => `broadcast/${id}`)
      if (keys.length > 0) yield build.deleteFrom('blocks').where('key', 'in', keys).compile()
      return changes
    })
  const dropAudit = (): Promise<number> => forgetAudit(store, idAt('aud', before), batch)

  const old = build
    .selectFrom('messages')
    .leftJoin('broadcasts', 'broadcasts.id', 'messages.broadcast_id')
    .select(['messages.id', 'state', 'final', 'timeline', 'messages.created_at', 'broadcasts.id as broadcast'])
    .where('messages.id', '<', idAt('msg', before))
    .orderBy('messages.id')
    .limit(page)
  const drop = (ids: string[]): Promise<number> =>
    store.write(function* () {
      yield build.deleteFrom('message_ids').where('message_id', 'in', ids).compile()
      yield build.deleteFrom('events').where('message_id', 'in', ids).compile()
      return (yield build.deleteFrom('messages').where('id', 'in', ids).compile()).changes
    })
  const dropMessages = async (): Promise<number> => {
    let count = 0
    for (let from = 'msg_'; going(); ) {
      const rows = await store.read(old.where('messages.id', '>', from).compile())
      const over = rows
        .filter(row => hasEnded(row) && row.broadcast === null && lastChange(row) <= before)
        .map(row => row.id)
      const waiting = await untold(store, over, undelivered)
      const ids = over.filter(id => !waiting.has(id))
      for (let i = 0; i < ids.length; i += batch) count += await drop(ids.slice(i, i + batch))
      if (rows.length < page) break
      from = rows.at(-1)!.id
      await pause(restMs)
    }
    return count
  }

  const broadcasts = await drain(dropBroadcasts)
  return { broadcasts, messages: await dropMessages(), audit: await drain(dropAudit) }
}

/**
 * Deletes events that are older than is kept, but for those that are still to be delivered.
 * @param keepDays RETENTION_DAYS; a day at least, so that whoever asks now and then finds them all. They hold no content.
 * @returns how many went
 */
export async function forgetEvents(
  store: Store,
  now: number,
  keepDays: number,
  going: Going,
  undelivered: Undelivered = nothingUndelivered
): Promise<number> {
  const { build } = store
  // Places are microseconds.
  const before = (now - Math.max(keepDays, 1) * dayMs) * 1000
  const old = build.selectFrom('events').select('position').where('position', '<', before).orderBy('position')
  let count = 0
  for (let from = 0; going(); ) {
    const rows = await store.read(old.where('position', '>', from).limit(page).compile())
    const places = rows.map(row => row.position!)
    const waiting = await undelivered(places)
    const over = places.filter(place => !waiting.has(place))
    for (let i = 0; i < over.length; i += batch)
      count += await store.write(function* () {
        const some = build.deleteFrom('events').where('position', 'in', over.slice(i, i + batch))
        return (yield some.compile()).changes
      })
    if (rows.length < page) break
    from = places.at(-1)!
    await pause(restMs)
  }
  return count
}
