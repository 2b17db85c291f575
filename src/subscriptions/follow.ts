import { sql } from 'kysely'
import type { Logger } from 'pino'
import { type EventHead, hears, type Journal, type JournalEvent } from '../events/index.ts'
import type { Caller } from '../keys/caller.ts'
import type { ReplayRow, SubscriptionRow } from '../store/schema-subscriptions.ts'
import { change, first, type Store, StoreUnavailable, type Unit } from '../store/store.ts'
import type { MakerOf } from './makers.ts'
import { type DeliveryQueries, locked } from './queries.ts'
import { disable } from './record.ts'

/** Follows the journal for each subscription, and makes a delivery of each event that it asks for. */
export interface Follower {
  /** There may be something to read: a new subscription, a replay. */
  wake: () => void
  start: () => void
  /** Resolves when what is being made has been written. */
  stop: () => Promise<void>
}

export interface FollowerParts {
  store: Store
  queries: DeliveryQueries
  journal: Pick<Journal, 'read' | 'follow' | 'onNews'>
  makerOf: MakerOf
  /** Deliveries of this subscription are due. */
  deliver: (subscriptionId: string) => void
  log: Logger
  clock: () => number
}

/** Events of one subscription in one commit. */
const atOnce = 200
/** A word can be missed. */
const pollMs = 1000
/** A place that only passed what a subscription does not want is written down so often. */
const noteMs = 1000

/** What a subscription wants of the journal, as far as its maker may see it now. */
export function wanted(row: Pick<SubscriptionRow, 'events' | 'channels'>, maker: Caller): (head: EventHead) => boolean {
  const types = new Set<string>(JSON.parse(row.events))
  const channels = row.channels === null ? undefined : new Set<string>(JSON.parse(row.channels))
  const visible = hears(maker)
  return head =>
    types.has(head.type) &&
    (channels === undefined || (head.channel_id !== null && channels.has(head.channel_id))) &&
    visible(head)
}

export function createFollower(parts: FollowerParts): Follower {
  const { store, queries, journal, makerOf, deliver, log, clock } = parts
  const { build } = store
  const seen = new Map<string, { position: number; noted: number }>()
  let stopped = true
  let running: Promise<void> | undefined
  let again = false
  let timer: NodeJS.Timeout | undefined
  let endNews: (() => void) | undefined

  /** False: another process has read on, or somebody has changed what is wanted. */
  function* make(
    row: SubscriptionRow,
    events: readonly JournalEvent[],
    { from, next }: { from: number; next: number }
  ): Unit<boolean> {
    const now = yield* first(locked(store, row.id))
    if (!now || now.disabled_reason !== null || now.position > from) return false
    if (now.events !== row.events || now.channels !== row.channels || now.ordered !== row.ordered) return false
    yield* queries.make(row, events, clock())
    yield build.updateTable('subscriptions').set({ position: next }).where('id', '=', row.id).compile()
    return true
  }

  /** Some events for one subscription. Answers whether there may be more. */
  const follow = async (row: SubscriptionRow): Promise<boolean> => {
    const maker = await makerOf(row)
    if (!maker) {
      await store.write(() => disable(store, row.id, 'key_ended', clock()))
      log.warn({ subscription: row.id }, 'a subscription ends with the key that made it')
      return false
    }
    const before = seen.get(row.id)
    const from = Math.max(row.position, before?.position ?? 0)
    const { events, next, more } = await journal.follow({ after: from, limit: atOnce, filter: wanted(row, maker) })
    const noted = before?.noted ?? performance.now()
    const late = next > row.position && performance.now() - noted >= noteMs
    if (events.length > 0 || late) {
      const made = await store.write(() => make(row, events, { from, next }))
      if (!made) {
        seen.delete(row.id)
        return true
      }
      if (events.length > 0) deliver(row.id)
    }
    seen.set(row.id, { position: next, noted: events.length > 0 || late ? performance.now() : noted })
    return more
  }

  /** Of these places, those that were given up and have not been sent once more since. */
  const failedOnes = async (subscriptionId: string, positions: number[]): Promise<Set<number>> => {
    if (positions.length === 0) return new Set()
    const of = build
      .selectFrom('deliveries')
      .select('position')
      .where('subscription_id', '=', subscriptionId)
      .where('position', 'in', positions)
    const given = await store.read(of.where('kind', '=', sql.lit('event')).where('state', '=', 'failed').compile())
    const sent = await store.read(of.where('kind', '=', sql.lit('replay')).where('state', '!=', 'failed').compile())
    const over = new Set(sent.map(row => Number(row.position)))
    return new Set(given.map(row => Number(row.position)).filter(position => !over.has(position)))
  }
  /** @param next how far it is read then; null: to its end */
  function* makeAgain(
    { id, position }: ReplayRow,
    row: SubscriptionRow | undefined,
    events: readonly JournalEvent[],
    next: number | null
  ): Unit<void> {
    if (row) yield* first(locked(store, row.id))
    const mine =
      next === null
        ? build.deleteFrom('replays').where('id', '=', id).where('position', '=', position)
        : build.updateTable('replays').set({ position: next }).where('id', '=', id).where('position', '=', position)
    // Once, whoever else reads for it.
    if ((yield* change(mine)) === 0) return
    if (row) yield* queries.make(row, events, clock(), id)
  }
  const replay = async (replaying: ReplayRow): Promise<boolean> => {
    const [row] = await store.read(
      build.selectFrom('subscriptions').selectAll().where('id', '=', replaying.subscription_id).compile()
    )
    const maker = row && (await makerOf(row))
    const asked = row && maker ? wanted(row, maker) : () => false
    const page = await journal.read({
      after: replaying.position,
      limit: atOnce,
      filter: head => head.position <= replaying.until && asked(head)
    })
    const positions = page.events.map(({ head }) => head.position)
    const failed = replaying.only_failed === 1 ? await failedOnes(replaying.subscription_id, positions) : undefined
    const events = page.events.filter(({ head }) => failed?.has(head.position) ?? true)
    const over = !maker || !page.more || page.next >= replaying.until
    await store.write(() => makeAgain(replaying, row, events, over ? null : page.next))
    if (events.length > 0) deliver(replaying.subscription_id)
    return !over
  }

  /** Nobody need read the newest events where no subscription wants any; a new one is found by the next round. */
  const listen = (wanted: boolean): void => {
    if (wanted) endNews ??= journal.onNews(run)
    else {
      endNews?.()
      endNews = undefined
    }
  }
  const round = async (): Promise<void> => {
    const rows = await store.read(
      build.selectFrom('subscriptions').selectAll().where('disabled_reason', 'is', null).compile()
    )
    if (!stopped) listen(rows.length > 0)
    for (const id of seen.keys()) if (!rows.some(row => row.id === id)) seen.delete(id)
    for (const row of rows) {
      if (stopped) return
      try {
        if (await follow(row)) again = true
      } catch (error) {
        if (error instanceof StoreUnavailable) throw error
        log.error(
          { err: error, subscription: row.id },
          'events could not be read for a subscription: it is tried again'
        )
      }
    }
    for (const one of await store.read(build.selectFrom('replays').selectAll().orderBy('id').compile())) {
      if (stopped) return
      if (await replay(one)) again = true
    }
  }
  const run = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (running) {
      again = true
      return
    }
    if (stopped) return
    again = false
    running = round()
      .catch(error => log.warn({ err: error }, 'events could not be read for subscriptions: it is tried again'))
      .finally(() => {
        running = undefined
        if (stopped) return
        if (again) setImmediate(run)
        else timer = setTimeout(run, pollMs).unref()
      })
  }

  return {
    wake: run,
    start: () => {
      stopped = false
      run()
    },
    stop: async () => {
      stopped = true
      listen(false)
      clearTimeout(timer)
      await running
    }
  }
}
