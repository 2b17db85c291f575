import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from 'pino'
import { blockKey, type blockQueries } from '../messages/blocks.ts'
import { timelineEntry } from '../messages/timeline.ts'
import { batchSize } from '../messages/transitions/broadcast.ts'
import { createPeriodic } from '../periodic.ts'
import { eventEntry } from '../store/event-entry.ts'
import type { BroadcastRow } from '../store/schema.ts'
import { all, change, first, type Store, StoreUnavailable, type Unit } from '../store/store.ts'
import type { BroadcastQueries } from './queries.ts'
import { toBroadcast, toCounts } from './view.ts'

/** Milliseconds between two looks at the broadcasts that begin or end by themselves. */
const everyMs = 1000
/** A draft is abandoned when nobody has added to it for this many milliseconds. */
const idleDraftMs = 120_000

export interface BroadcastLifecycle {
  /** Deletes drafts that an earlier process left half done, then looks at all running broadcasts at an interval. */
  start: () => Promise<void>
  /** Looks at all running broadcasts at once, after a change. Resolves when the look is over. */
  look: () => Promise<void>
  /** Deletes a draft, in the background. */
  discard: (id: string) => void
  /** Takes a draft away of which nobody can say whether it is complete: if it is, it is canceled, since its caller was told that it is not. */
  withdraw: (id: string) => void
  /** Resolves when what runs has come to its next commit. */
  stop: () => Promise<void>
}

const failure = 'broadcasts could not be looked after: it is tried again'

/** Begins, ends and clears up broadcasts. Every replica does it: each step is one commit that finds out whether it is due. */
export function createBroadcastLifecycle(
  store: Store,
  queries: BroadcastQueries,
  blocks: ReturnType<typeof blockQueries>,
  log: Logger,
  changed: (id: string) => void
): BroadcastLifecycle {
  let stopped = false
  let looking: Promise<void> | undefined
  const discarding = new Set<Promise<void>>()

  const begin = ({ id }: BroadcastRow): Promise<void> =>
    store.write(function* () {
      const row = yield* first(queries.lock({ id }))
      if (row?.status !== 'scheduled') return
      yield queries.setStatus({ id, status: 'running', started_at: store.clock(), finished_at: null })
    })

  /** Ends a broadcast of which no message waits any more: `finished`, or `failed` if nobody can have been reached. */
  function* end(id: string): Unit<BroadcastRow['status'] | undefined> {
    // Locked before the messages are looked at: whoever brings failed ones back holds the same lock.
    const row = yield* first(queries.lock({ id }))
    if (!row || row.finished_at !== null || (row.status !== 'running' && row.status !== 'canceled')) return undefined
    if (yield* first(queries.unsettled({ id }))) return undefined
    const counts = toCounts(yield* all(queries.counts({ id })))
    const { failed, expired } = counts
    const status = row.status === 'running' ? (failed + expired === row.total ? 'failed' : 'finished') : row.status
    const finished_at = store.clock()
    yield queries.setStatus({ id, status, started_at: row.started_at, finished_at })
    yield blocks.lift({ key: blockKey.broadcast(id) })
    const { mode, channel_id: channel, service } = row
    const data = toBroadcast({ ...row, status, finished_at }, counts)
    yield eventEntry(store, { type: 'broadcast.finished', mode, channel, service, data })
    return status
  }
  const finish = async (id: string): Promise<void> => {
    // Read first: as long as something waits, which is nearly always, nothing need be written.
    if ((await store.read(queries.unsettled({ id }))).length > 0) return
    const status = await store.write(() => end(id))
    if (!status) return
    changed(id)
    log.info({ broadcast: id, status }, 'a broadcast has ended')
  }

  /** Cancels the messages of a canceled broadcast, some at a time, until none is left; a send under way may queue another. */
  const clear = async (id: string): Promise<void> => {
    const entry = timelineEntry(store.clock(), { state: 'canceled', attempts: 0 }, 'its broadcast was canceled')
    for (let count = batchSize; count === batchSize && !stopped; )
      count = await store.write(() => change(queries.cancelSome({ id, entry })))
    changed(id)
  }

  const remove = async (id: string): Promise<void> => {
    // From here on its maker can add nothing to it and cannot complete it.
    if ((await store.write(() => change(queries.condemn({ id })))) === 0) return
    for (let count = batchSize; count === batchSize; ) {
      if (stopped) return
      count = await store.write(() => change(queries.dropMessages({ id })))
    }
    await store.write(function* () {
      yield queries.drop({ id })
      yield blocks.lift({ key: blockKey.broadcast(id) })
    })
    log.info({ broadcast: id }, 'a broadcast that was never complete was taken away')
  }
  const cancelComplete = (id: string): Promise<void> =>
    store.write(function* () {
      const row = yield* first(queries.lock({ id }))
      if (!row || row.status === 'draft' || row.status === 'canceled') return
      yield queries.setStatus({ ...row, status: 'canceled', finished_at: null })
      yield blocks.stop({ key: blockKey.broadcast(id), detail: 'it could not be made for certain', at: store.clock() })
    })
  /** Deletes a draft, and tries again as long as this process lives until the store takes it. */
  const deleteDraft = async (id: string): Promise<void> => {
    while (!stopped) {
      try {
        await cancelComplete(id)
        await remove(id)
        return
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        await wait(everyMs, undefined, { ref: false })
      }
    }
  }
  const inBackground = (id: string, removal: Promise<void>): void => {
    const work: Promise<void> = removal
      .catch(error => log.error({ err: error, broadcast: id }, 'a draft cannot be taken away: it is tried again'))
      .finally(() => discarding.delete(work))
    discarding.add(work)
  }
  const discard: BroadcastLifecycle['discard'] = id => inBackground(id, remove(id))
  const removeDead = async (idleMs: number): Promise<void> => {
    for (const { id } of await store.read(queries.deadDrafts({ idle_ms: idleMs }))) if (!stopped) discard(id)
  }

  const round = async (): Promise<void> => {
    const now = store.clock()
    for (const row of await store.read(queries.moving({}))) {
      if (stopped) return
      if (row.status === 'scheduled' && (row.start_at ?? 0) > now) continue
      if (row.status === 'scheduled') await begin(row)
      if (row.status === 'canceled') await clear(row.id)
      await finish(row.id)
    }
    if (discarding.size === 0) await removeDead(idleDraftMs)
  }
  const look: BroadcastLifecycle['look'] = () => {
    looking ??= round()
      .catch(error => log.error({ err: error }, failure))
      .finally(() => {
        looking = undefined
      })
    return looking
  }
  const repeating = createPeriodic(look, everyMs, log, failure)

  return {
    start: async () => {
      // On an embedded store this is the only process: nobody can be at work on a draft.
      if (store.dialect === 'sqlite') await removeDead(0)
      repeating.start()
    },
    look,
    discard,
    withdraw: id => inBackground(id, deleteDraft(id)),
    stop: async () => {
      stopped = true
      await repeating.stop()
      await looking
      await Promise.all(discarding)
    }
  }
}
