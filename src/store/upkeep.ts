import type { Logger } from 'pino'
import { createPeriodic } from '../periodic.ts'
import { chainLoose, looseAtOnce } from './audit-chain.ts'
import { forgetSecrets } from './key-retention.ts'
import { createBodies, forgetKeys, forgetLimits, nothingUndelivered, type Undelivered } from './retention.ts'
import { forgetEvents, forgetRows } from './row-retention.ts'
import type { Store } from './store.ts'

/** How long a file that only a provider has is known by its id, from when it was listed. */
export const remoteMediaMs = 30 * 24 * 3600_000

/** Between two sweeps. */
const everyMs = 10 * 60_000
/** Milliseconds between two sweeps where nothing that has ended is to be kept. */
const everyShortMs = 60_000
/** After its expiry a file stays this long: whoever had begun to read it comes to its end, whatever the clocks say. */
const graceMs = 3600_000
/** No upload takes longer: pieces of a file that is not told of by then will never be. */
const uploadMs = 24 * 3600_000
/** Rows in one statement. */
const batch = 500
/** Pieces of files in one statement: 4 MiB, since deleting is writing and stops the embedded store for as long. */
const piecesAtOnce = 16

/** Deletes what is kept for a time only. */
export interface Upkeep {
  /** Deletes what is due. */
  sweep: () => Promise<void>
  /** Sweeps now, in the background, and from then on every ten minutes; every minute where RETENTION_DAYS is 0. */
  start: () => void
  /** Resolves when the sweep that runs has ended, at its next batch. */
  stop: () => Promise<void>
}

/**
 * Files, contents and memories whose time is over, by the clock of the database. Every replica does it: what another has deleted is only not
 * found. A file's row goes first and its pieces after it, so a reader never finds half a file behind a row.
 */
export function createUpkeep(
  store: Store,
  log: Logger,
  retentionDays: number,
  keepRowsDays = 400,
  undelivered: Undelivered = nothingUndelivered
): Upkeep {
  const { build, now } = store
  let stopped = false
  const going = () => !stopped
  const dropBodies = createBodies(store, retentionDays, undelivered)

  /** Again and again until a batch is not full. */
  const drain = async (most: number, once: () => Promise<number>): Promise<number> => {
    let all = 0
    for (let count = most; count === most && !stopped; all += count) count = await once()
    return all
  }
  const expire = (at: number) => (): Promise<number> =>
    store.write(function* () {
      const due = build
        .selectFrom('media')
        .select('id')
        .where('expires_at', '<=', at - graceMs)
        .limit(batch)
      return (yield build.deleteFrom('media').where('id', 'in', due).compile()).changes
    })
  const forget = (at: number) => (): Promise<number> =>
    store.write(function* () {
      const due = build
        .selectFrom('remote_media')
        .select('id')
        .where('created_at', '<=', at - remoteMediaMs - graceMs)
        .limit(batch)
      return (yield build.deleteFrom('remote_media').where('id', 'in', due).compile()).changes
    })
  /** Files without a row: their expiry deleted it, or the upload ended half way. An id begins with its time. */
  const orphans = (at: number): Promise<{ media_id: string }[]> =>
    store.read(
      build
        .selectFrom('media_chunks')
        .select('media_id')
        .where('seq', '=', 0)
        .where('media_id', '<', `med_${(at - uploadMs).toString(16).padStart(12, '0')}`)
        .where(eb =>
          eb.not(
            eb.exists(eb.selectFrom('media').select('media.id').whereRef('media.id', '=', 'media_chunks.media_id'))
          )
        )
        .limit(batch)
        .compile()
    )
  /** The last pieces first: an interrupted deletion is found again by the first. */
  const erase = (id: string) => (): Promise<number> =>
    store.write(function* () {
      const last = build
        .selectFrom('media_chunks')
        .select('seq')
        .where('media_id', '=', id)
        .orderBy('seq', 'desc')
        .limit(piecesAtOnce)
      const query = build.deleteFrom('media_chunks').where('media_id', '=', id).where('seq', 'in', last)
      return (yield query.compile()).changes
    })

  const sweep = async (): Promise<void> => {
    const [clock] = await store.read(build.selectNoFrom(now.as('at')).compile())
    const { at } = clock!
    const files = await drain(batch, expire(at))
    const remembered = await drain(batch, forget(at))
    let pieces = 0
    await drain(batch, async () => {
      const found = await orphans(at)
      for (const { media_id } of found) pieces += await drain(piecesAtOnce, erase(media_id))
      return found.length
    })
    if (files + remembered + pieces > 0) log.info({ files, remembered, pieces }, 'deleted files whose time is over')
    const bodies = await dropBodies(at, going)
    const keys = await forgetKeys(store, at, going)
    const limits = await forgetLimits(store, at, going)
    const events = await forgetEvents(store, at, retentionDays, going, undelivered)
    const secrets = await forgetSecrets(store, at)
    if (bodies + keys + limits + events + secrets > 0)
      log.info({ bodies, keys, limits, events, secrets }, 'dropped what is not kept any longer')
    await drain(looseAtOnce, () => chainLoose(store))
    // After the keys: a replay must not find a key whose message has gone.
    const { broadcasts, messages, audit } = await forgetRows(store, at, keepRowsDays, going, undelivered)
    if (broadcasts + messages + audit > 0) log.info({ broadcasts, messages, audit }, 'deleted rows that ended long ago')
  }
  const everyRun = retentionDays === 0 ? everyShortMs : everyMs
  const repeating = createPeriodic(sweep, everyRun, log, 'what is old could not be deleted: it is tried again')

  return {
    sweep,
    start: repeating.start,
    stop: () => {
      stopped = true
      return repeating.stop()
    }
  }
}
