import { setTimeout } from 'node:timers/promises'
import { CompiledQuery } from 'kysely'
import type { Logger } from 'pino'
import type { BroadcastForm } from '../../schemas/broadcasts.ts'
import type { FieldFault } from '../../schemas/problem.ts'
import type { Channels } from '../channels/channels.ts'
import type { BacklogLimit } from '../delivery/intake/backlog-limit.ts'
import type { Claim } from '../delivery/intake/idempotency.ts'
import type { Preparation } from '../delivery/intake/prepare.ts'
import { retryPolicy } from '../delivery/retry-policy.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import { invalid, ServiceError, toMessageError } from '../errors.ts'
import { failpoint } from '../failpoints.ts'
import type { Caller } from '../keys/caller.ts'
import type { Booking, Limiter } from '../limits/limiter.ts'
import { blockKey, type blockQueries } from '../messages/blocks.ts'
import { refusalOf, type Suppressed } from '../messages/suppressed.ts'
import { timelineEntry } from '../messages/timeline.ts'
import { batchSize, type Common } from '../messages/transitions/broadcast.ts'
import type { QuietHours } from '../quiet-hours/index.ts'
import type { BroadcastRow } from '../store/schema.ts'
import { change, first, type Store, StoreUnavailable, type Unit } from '../store/store.ts'
import { type Batches, openBatches } from './batches.ts'
import { createRules } from './check.ts'
import type { BroadcastQueries } from './queries.ts'
import { newTally, type Ready, type Rules, recipientsOf, refusal } from './recipients.ts'
import { commonOf, rowOf } from './row.ts'
import type { Source } from './rows.ts'

/** From the beginning: somewhat less than an Idempotency-Key is locked, after which another request would do it again. */
const longestMs = 100_000

export interface IntakeParts {
  store: Store
  queries: BroadcastQueries
  blocks: ReturnType<typeof blockQueries>
  channels: Channels
  preparation: Preparation
  suppressed: Suppressed
  quietHours: QuietHours
  /** What stands before /errors#code in a stored error. */
  typeBase: string
  /** An existing folder of ours alone. */
  directory: string
  log: Logger
  /** Throws where the queue of the service has no room for so many. */
  backlogLimit?: BacklogLimit
  /** Books recipients against the quota of whoever orders them. */
  limiter?: Pick<Limiter, 'book'>
  /** Told when messages fall due. */
  wake: (mode: string, dueAt: number) => void
  /** Takes away a draft that was given up, in the background. */
  discard: (id: string) => void
  /** Takes a draft away of which nobody can say whether it is complete: if it is, it is canceled. */
  withdraw: (id: string) => void
  /** How long a doubtful commit is made sure of. */
  doubtMs?: number
}

export interface IntakeOptions {
  skipInvalid?: boolean | undefined
  traceparent?: string | undefined
  /** Its Idempotency-Key, which is settled in the commit that makes it. */
  claim?: Claim | undefined
}

/** Checks every row, then stores the whole of it. Throws the ServiceError that answers it; nothing is kept then. */
export type BroadcastIntake = (
  caller: Caller,
  form: BroadcastForm,
  source: Source,
  options: IntakeOptions
) => Promise<{ id: string; faults: FieldFault[] }>

/** What is paid for a broadcast in the commit that makes it: the quota, and the key that stands for it. */
interface Costs {
  booking: Booking | undefined
  claim: Claim | undefined
}

const { doubtfulCommit } = retryPolicy

/** From so many messages on, PostgreSQL's planner is told of them. */
const many = 5000

/** A part waits for the commit of the one before; on a slow disk that is longer than locks are waited for elsewhere. */
const slowCommits = CompiledQuery.raw('set local lock_timeout = 6000')

const tooSlow = () => new ServiceError('overloaded', 'The broadcast could not be stored in time. Nothing was sent.')

const uncertain = () =>
  new ServiceError(
    'overloaded',
    'The store cannot be written just now, and whether the broadcast was made is not known. Ask again with the same Idempotency-Key.',
    { outcome: 'unknown', retryAfterSeconds: 2 }
  )

export function createBroadcastIntake(parts: IntakeParts): BroadcastIntake {
  const {
    store,
    queries,
    blocks,
    suppressed,
    typeBase,
    directory,
    log,
    backlogLimit,
    limiter,
    wake,
    discard,
    withdraw,
    doubtMs = doubtfulCommit.longestMs
  } = parts

  const { rulesOf, requireSendable } = createRules(parts)

  /**
   * The commit that makes the broadcast: were it told as failed and kept all the same, its caller would try again, and
   * everybody would be written to twice. So it is made again until it is certain; the unit finds what is there already. Where it
   * stays uncertain, a key has its caller find what came of it; without one it is taken back.
   */
  const makeSure = async (id: string, claim: Claim | undefined, unit: () => Unit<void>): Promise<void> => {
    for (const end = performance.now() + doubtMs; ; ) {
      try {
        await store.write(unit)
        return
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        if (performance.now() > end) {
          if (!claim) {
            withdraw(id)
            throw error
          }
          discard(id)
          throw uncertain()
        }
        await setTimeout(doubtfulCommit.everyMs)
      }
    }
  }

  /** All at once where one statement takes them: then there never is a draft. */
  const storeWhole = (row: BroadcastRow, common: Common, rows: string, { booking, claim }: Costs): Promise<void> =>
    makeSure(row.id, claim, function* () {
      // First, since a commit of which nobody knows may still be under way: this waits for it.
      if ((yield* change(queries.insert(row))) === 0) return
      if (claim) yield* claim.settle()
      if (booking) yield* booking.unit()
      yield queries.addMessages({ ...common, rows, entry: leftOut() })
    })

  /** The draft comes last: its row is locked until the commit, and the next part waits for it. */
  function* addPart(id: string, common: Common, rows: string): Unit<void> {
    if (store.dialect === 'postgres') yield slowCommits
    yield queries.addMessages({ ...common, rows, entry: leftOut() })
    if ((yield* change(queries.keepDraft({ id }))) === 0) throw tooSlow()
  }

  /** Behind a block that only the last commit lifts; a crash in between leaves a draft that is taken away. */
  const storeInParts = async (
    row: BroadcastRow,
    common: Common,
    parts: AsyncIterable<string>,
    end: number,
    { booking, claim }: Costs
  ): Promise<void> => {
    const { id } = row
    const key = blockKey.broadcast(id)
    try {
      await store.write(function* () {
        yield queries.insert({ ...row, status: 'draft', started_at: row.created_at })
        yield blocks.stop({ key, detail: 'its recipients are being stored', at: row.created_at })
      })
      let before: Promise<void> = Promise.resolve()
      for await (const rows of parts) {
        if (performance.now() > end) throw tooSlow()
        const part = store.write(() => addPart(id, common, rows))
        // Told when it is waited for; where the one before has failed, that one's error is.
        part.catch(() => {})
        // PostgreSQL works at one while the one before is put on disk, and on another core.
        await (store.dialect === 'postgres' ? before : part)
        before = part
      }
      await before
    } catch (error) {
      discard(id)
      throw error
    }
    await makeSure(id, claim, function* () {
      const now = yield* first(queries.lock({ id }))
      if (now && now.status !== 'draft') return
      if (claim) yield* claim.settle()
      if (booking) yield* booking.unit()
      if ((yield* change(queries.completeDraft(row))) === 0) throw tooSlow()
      yield blocks.lift({ key })
    }).catch(error => {
      // The quota was used up meanwhile, or another has taken the key.
      if (error instanceof ServiceError) discard(id)
      throw error
    })
  }

  /** Says of those who must not be messaged why. Who says so from now on is found when their message is dispatched. */
  const refuse = async (some: Ready[], { id, mode }: DispatchChannel): Promise<number> => {
    const people = some.map(({ to }) => to)
    const said = await suppressed.amongNow({ mode, channel_id: id, marketing: true }, people)
    for (const ready of some) {
      const standing = said.get(ready.to)
      if (standing) ready.refusal = JSON.stringify(toMessageError(refusalOf(standing), typeBase, true))
    }
    return said.size
  }
  const leftOut = (): string =>
    timelineEntry(store.clock(), { state: 'failed', attempts: 0 }, 'the recipient must not be messaged')

  /** Every row is held against the rules before the first is stored. */
  const check = async (
    source: Source,
    rules: Rules,
    batches: Batches,
    skipInvalid: boolean,
    channel: DispatchChannel
  ) => {
    const tally = newTally()
    let sample: Ready | undefined
    let suppressed = 0
    for await (const some of recipientsOf(source, rules, tally)) {
      sample ??= some[0]
      if (tally.skipped > 0 && !skipInvalid) continue
      suppressed += await refuse(some, channel)
      await batches.add(some)
    }
    if (tally.skipped > 0 && !(skipInvalid && sample)) throw refusal(tally)
    if (!sample) throw invalid('/file', 'must have at least one recipient')
    return { tally, sample, suppressed }
  }

  /** Nobody waits for it, and where it fails PostgreSQL does it by itself in time. */
  const recount = (): void => {
    const query = queries.recount
    if (!query) return
    store
      .write(function* () {
        yield query
      })
      .catch(error => log.warn({ err: error }, 'PostgreSQL could not count the messages anew: it does so by itself'))
  }

  return async (caller, form, source, { skipInvalid = false, traceparent, claim }) => {
    const end = performance.now() + longestMs
    const { channel, rules, window } = await rulesOf(caller, form)
    const batches = await openBatches(directory)
    try {
      const { tally, sample, suppressed } = await check(source, rules, batches, skipInvalid, channel)
      requireSendable(sample, rules, channel)
      await backlogLimit?.(caller.service, caller.mode, tally.total)
      const booking = await limiter?.book(caller, tally.total)
      if (performance.now() > end) throw tooSlow()
      const terms = { template: rules.template, tally, suppressed, window }
      const row = rowOf(caller, form, channel, terms, { id: claim?.id, now: store.clock() })
      const common = commonOf(row, channel.provider, traceparent)
      const { id, total, duplicates, skipped } = row
      const costs = { booking, claim }
      if (total > batchSize) await storeInParts(row, common, batches.all(), end, costs)
      else for await (const rows of batches.all()) await storeWhole(row, common, rows, costs)
      failpoint('broadcast_kept')
      booking?.kept()
      wake(row.mode, common.run_at)
      if (total >= many) recount()
      log.info({ broadcast: id, total, duplicates, skipped, suppressed }, 'a broadcast was accepted')
      return { id, faults: tally.faults }
    } finally {
      await batches.remove().catch(error => log.error({ err: error }, 'a spooled file cannot be deleted'))
    }
  }
}
