import { setTimeout as pause } from 'node:timers/promises'
import type { MessageRow } from './schema.ts'
import { all, type Store, type Unit } from './store.ts'

// What is deleted of messages and of what is remembered for them. Ids begin with their time, so old rows are found along
// the keys that are there anyway, a page at a time, with a rest between pages: whoever sends must not notice.

/** Rows of one look. */
const page = 500
/** Rows of one commit. */
const batch = 100
const restMs = 5
const hourMs = 3600_000
const dayMs = 24 * hourMs
/** Younger than this nothing is touched: a commit with an older id may still be on its way. */
const youngMs = 60_000
/** Messages that had not ended when they were passed, and are looked at again one by one. */
const mostLeft = 100_000
/** An Idempotency-Key is kept this long, and until a day after its message or broadcast has ended (docs/reliability.md P15). */
const keyMs = 7 * dayMs

/** Nothing can become of it any more for which its content would be needed. `unknown` may be sent again until it is final. */
const ended: readonly MessageRow['state'][] = [
  ...(['accepted', 'sent', 'delivered', 'read', 'failed'] as const),
  ...(['expired', 'canceled', 'received'] as const)
]
export const hasEnded = ({ state, final }: Pick<MessageRow, 'state' | 'final'>): boolean =>
  ended.includes(state) || (state === 'unknown' && final === 1)

/** The first id of an instant. */
export const idAt = (prefix: string, ms: number): string =>
  `${prefix}_${Math.max(0, ms).toString(16).padStart(12, '0')}`
/** When the last line of a timeline was written; a message without one has not been touched since it was made. */
export const lastChange = (row: Pick<MessageRow, 'timeline' | 'created_at'>): number => {
  const line = row.timeline.trimEnd().split('\n').at(-1)
  return line ? (JSON.parse(line) as { at: number }).at : row.created_at
}

/**
 * Of these places in the journal of events, those whose events are still to be delivered: they are kept, with the content
 * of their messages, whatever RETENTION_DAYS says (docs/api.md 12).
 */
export type Undelivered = (positions: number[]) => Promise<ReadonlySet<number>>
export const nothingUndelivered: Undelivered = async () => new Set()

/** Of these messages, those of which something is still to be delivered. */
export async function untold(store: Store, ids: string[], undelivered: Undelivered): Promise<ReadonlySet<string>> {
  if (undelivered === nothingUndelivered || ids.length === 0) return new Set()
  const told = store.build
    .selectFrom('events')
    .select(['position', 'message_id'])
    .where('message_id', 'in', ids)
    .where('position', 'is not', null)
  const rows = await store.read(told.compile())
  const waiting = await undelivered(rows.map(row => row.position!))
  return new Set(rows.filter(row => waiting.has(row.position!)).map(row => row.message_id!))
}

/** Stops a long sweep between two pages. */
export type Going = () => boolean

/** What of a message is of use only until it has ended: its content and what sending needs beside it. */
export function createBodies(store: Store, retentionDays: number, undelivered: Undelivered = nothingUndelivered) {
  const { build } = store
  type Seen = Pick<MessageRow, 'id' | 'state' | 'final'> & { kept: number }
  /** All before this id have been looked at by this process. */
  let floor = 'msg_'
  let left: string[] = []
  const looked = build
    .selectFrom('messages')
    .select(['id', 'state', 'final'])
    .select(eb =>
      eb
        .case()
        .when(eb.or([eb('content', 'is not', null), eb('options', 'is not', null)]))
        .then(1)
        .else(0)
        .end()
        .as('kept')
    )

  /** An answer that was stored for an Idempotency-Key says what the row says. */
  function* stripAnswers(ids: string[]): Unit<void> {
    const answers = build
      .selectFrom('idempotency')
      .innerJoin('messages', 'messages.id', 'idempotency.message_id')
      .select(['messages.id', 'messages.type', 'idempotency.body'])
      .where('idempotency.message_id', 'in', ids)
      .where('idempotency.body', 'is not', null)
    for (const { id, type, body } of yield* all(answers)) {
      const answer = JSON.parse(body!) as Record<string, unknown>
      if (!(type in answer)) continue
      delete answer[type]
      yield build
        .updateTable('idempotency')
        .set({ body: JSON.stringify(answer) })
        .where('message_id', '=', id)
        .where('body', '=', body)
        .compile()
    }
  }
  function* drop(ids: string[]): Unit<number> {
    const rows = build
      .updateTable('messages')
      .set({ content: null, options: null })
      .where('id', 'in', ids)
      .where(eb => eb.or([eb('state', 'in', [...ended]), eb.and([eb('state', '=', 'unknown'), eb('final', '=', 1)])]))
    const { changes } = yield rows.compile()
    yield* stripAnswers(ids)
    return changes
  }
  /** Keeps in `left` what has to be looked at again. */
  const dropAll = async (rows: Seen[]): Promise<number> => {
    const over = rows.filter(row => row.kept === 1 && hasEnded(row)).map(row => row.id)
    const waiting = await untold(store, over, undelivered)
    const ids = over.filter(id => !waiting.has(id))
    left.push(...rows.filter(row => !hasEnded(row)).map(row => row.id), ...waiting)
    let count = 0
    for (let i = 0; i < ids.length; i += batch) count += await store.write(() => drop(ids.slice(i, i + batch)))
    return count
  }

  /** Drops what is due. Answers how many messages lost their content. */
  return async (now: number, going: Going): Promise<number> => {
    const end = idAt('msg', now - Math.max(retentionDays * dayMs, youngMs))
    let count = 0
    const again = left
    left = []
    for (let i = 0; i < again.length && going(); i += page) {
      const rows = (await store.read(looked.where('id', 'in', again.slice(i, i + page)).compile())) as Seen[]
      count += await dropAll(rows)
      await pause(restMs)
    }
    while (going() && left.length < mostLeft) {
      const next = looked.where('id', '>', floor).where('id', '<', end).orderBy('id').limit(page)
      const rows = (await store.read(next.compile())) as Seen[]
      count += await dropAll(rows)
      if (rows.length < page) break
      floor = rows.at(-1)!.id
      await pause(restMs)
    }
    return count
  }
}

/** Deletes the Idempotency-Keys whose time is over. Answers how many. */
export async function forgetKeys(store: Store, now: number, going: Going): Promise<number> {
  const { build } = store
  let count = 0
  // A key belongs to a message, or to another act by the id that it was held under.
  for (const prefix of ['msg', 'req', 'brd']) {
    const end = idAt(prefix, now - keyMs)
    for (let from = `${prefix}_`; going(); ) {
      const rows = await store.read(
        build
          .selectFrom('idempotency')
          .leftJoin('messages', 'messages.id', 'idempotency.message_id')
          .leftJoin('broadcasts', 'broadcasts.id', 'idempotency.message_id')
          .select(['idempotency.message_id as id', 'idempotency.created_at as made'])
          .select(['state', 'final', 'timeline', 'messages.created_at'])
          .select(['broadcasts.id as broadcast', 'finished_at'])
          .where('message_id', '>', from)
          .where('message_id', '<', end)
          .orderBy('message_id')
          .limit(batch)
          .compile()
      )
      const over = rows.filter(
        row =>
          row.made <= now - keyMs &&
          // One that is still to come would be made a second time.
          (row.broadcast === null || (row.finished_at !== null && row.finished_at <= now - dayMs)) &&
          (row.state === null ||
            (hasEnded({ state: row.state, final: row.final! }) &&
              lastChange({ timeline: row.timeline!, created_at: row.created_at! }) <= now - dayMs))
      )
      const ids = over.map(row => row.id!)
      if (ids.length > 0)
        count += await store.write(function* () {
          return (yield build.deleteFrom('idempotency').where('message_id', 'in', ids).compile()).changes
        })
      if (rows.length < batch) break
      from = rows.at(-1)!.id!
      await pause(restMs)
    }
  }
  return count
}

/** Deletes the memory of limits that nobody has touched for a day, and stops that have ended by themselves. */
export async function forgetLimits(store: Store, now: number, going: Going): Promise<number> {
  const { build } = store
  let count = 0
  const walk = async (
    rowsAfter: (key: string) => Promise<{ key: string; over: boolean }[]>,
    table: 'paces' | 'blocks'
  ) => {
    for (let from = ''; going(); ) {
      const rows = await rowsAfter(from)
      const keys = rows.filter(row => row.over).map(row => row.key)
      if (keys.length > 0)
        count += await store.write(function* () {
          // Again by its age: somebody may have used it since.
          const over =
            table === 'paces'
              ? build.deleteFrom('paces').where('updated_at', '<', now - dayMs)
              : build.deleteFrom('blocks').where('until', '<', now - hourMs)
          return (yield over.where('key', 'in', keys).compile()).changes
        })
      if (rows.length < page) return
      from = rows.at(-1)!.key
      await pause(restMs)
    }
  }
  const paces = build.selectFrom('paces').select(['key', 'updated_at as at']).orderBy('key').limit(page)
  const blocks = build.selectFrom('blocks').select(['key', 'until as at']).orderBy('key').limit(page)
  await walk(
    async from =>
      (await store.read(paces.where('key', '>', from).compile())).map(row => ({ ...row, over: row.at < now - dayMs })),
    'paces'
  )
  await walk(
    async from =>
      (await store.read(blocks.where('key', '>', from).compile())).map(row => ({
        ...row,
        over: row.at !== null && row.at < now - hourMs
      })),
    'blocks'
  )
  return count
}
