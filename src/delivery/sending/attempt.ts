import type { Encoded } from '../../adapters/adapter.ts'
import type { Permit } from '../../dispatch/admission.ts'
import { CallFailed, type DispatchChannel, TooLate } from '../../dispatch/provider-client.ts'
import { ServiceError } from '../../errors.ts'
import { failpoint } from '../../failpoints.ts'
import { draftOf } from '../../messages/row.ts'
import { refusalOf } from '../../messages/suppressed.ts'
import { timelineEntry } from '../../messages/timeline.ts'
import type { MessageRow } from '../../store/schema.ts'
import type { Unit } from '../../store/store.ts'
import type { MessageAdmission } from '../scheduling/admission.ts'
import type { Place } from './order.ts'
import { createRelease, type Release, type ReleaseParts } from './release.ts'
import { type Answered, createResults, type ResultParts } from './results.ts'
import { type Attempt, createStrategies, type Part, type StrategyParts } from './strategies.ts'

export interface ExecutorParts extends ReleaseParts, Omit<ResultParts, 'leaseMs'>, Omit<StrategyParts, 'leaseMs'> {
  /** Whole deadline of one provider call; the lease is this and a margin. */
  timeoutMs: number
  admission: MessageAdmission
}

export interface Executor extends Pick<Release, 'fail' | 'requeueAfterFault' | 'putOff' | 'putBack'> {
  readonly leaseMs: number
  /** The row of a message that goes out at once: `sending` from its first commit. */
  readonly insertSending: (row: MessageRow) => Unit<void>
  /**
   * Sends a message that this process has made `sending` and resolves to what came of it; never throws for what the provider does.
   * @param leasedAt performance.now() from before the commit that made it `sending`
   */
  send: (
    row: MessageRow,
    encoded: Encoded,
    channel: DispatchChannel,
    leasedAt: number,
    permit: Permit
  ) => Promise<MessageRow>
  /**
   * Takes `claimed` messages of one channel through the whole course and resolves to them as they then stand, in their order.
   * @param how one message alone, or many of one broadcast together in one call
   * @param permit the one that came with the claim; without one it is waited for
   * @param place of one alone, among those to the same person; without one it waits for nobody
   */
  deliver: (
    how: 'alone' | 'together',
    rows: MessageRow[],
    channel: DispatchChannel,
    permit?: Permit,
    place?: Place
  ) => Promise<MessageRow[]>
  /** Rows that this process claimed for what comes after a refusal: whoever is given one delivers it. */
  readonly redirected: WeakSet<MessageRow>
  /** Rows whose turn had passed: they stand in line again, as if nothing had been tried. */
  readonly undone: WeakSet<MessageRow>
  /** How many sends of `send` are under way. */
  sending: () => number
  /** Resolves when nothing is in flight. */
  idle: () => Promise<void>
}

/** How long whoever took a message is believed to be alive (docs/reliability.md 3.1 rule 3). */
export const leaseOf = (timeoutMs: number): number => timeoutMs + 15_000

/** The provider could not be asked just now, or there was no turn. */
const passes = (error: unknown): error is ServiceError =>
  error instanceof ServiceError && (error.code === 'provider_unavailable' || error.code === 'rate_limited')

/** Makes the one executor there is, of one message or many: `run` is its whole course. */
export function createExecutor(options: ExecutorParts): Executor {
  const { store, queries, preparation, admission, notifications, log, timeoutMs } = options
  const leaseMs = leaseOf(timeoutMs)
  const { fail, requeueAfterFault, putOff, putBack } = createRelease(options)
  const { judge, redirect, persist, undo, redirected, undone } = createResults({ ...options, leaseMs })
  const strategies = createStrategies({ ...options, leaseMs })
  /** Counted and not kept: a Set of promises would keep what they told until the whole heap is collected (docs/decisions/0103). */
  let running = 0
  let rested: PromiseWithResolvers<void> | undefined
  let direct = 0

  /**
   * The whole course of an attempt. Each step is given the messages that are still on their way and returns those that go on;
   * of the others it leaves the row as it then stands. What was made `sending` by its first commit begins with the call.
   */
  const run = async (attempt: Attempt): Promise<MessageRow[]> => {
    const { parts } = attempt
    let going = parts
    try {
      // What is claimed has not left: dying is harmless here, and what is wrong with one message ends that one alone.
      if (attempt.leasedAt === undefined) {
        going = await prepare(going, attempt)
        going = await acquire(going, attempt)
        going = await dispatch(going, attempt)
      }
      // What is `sending` may have left: whatever comes of it is kept, and nobody sends it again for not knowing.
      const answered = await call(going, attempt)
      const judged = judge(answered, attempt)
      const ended = await redirect(judged)
      await persist(ended, attempt)
    } finally {
      for (const { encoded } of parts) if (encoded?.dispose) await encoded.dispose().catch(notDeleted)
    }
    return parts.map(({ row }) => row)
  }

  /** Resolves references and template, encodes, brings a file: nothing is sent or stored where that fails. */
  const prepare = async (parts: Part[], { strategy, channel }: Attempt): Promise<Part[]> => {
    const ready: Part[] = []
    for (const [i, part] of parts.entries()) {
      const { row } = part
      try {
        part.prepared = await preparation.prepare(draftOf(row), { ...channel, service: row.service })
        await strategy.encode(part, channel)
        ready.push(part)
      } catch (error) {
        // Their template cannot be asked for: that is the same for all.
        if (passes(error) && !part.prepared) return defer([...ready, ...parts.slice(i)], error)
        part.row = await (error instanceof ServiceError ? fail(row, error) : requeueAfterFault(row, error))
      }
    }
    return ready
  }

  /** Waits for their turn, and for those before them to the same person, where dying is harmless. */
  const acquire = async (parts: Part[], attempt: Attempt): Promise<Part[]> => {
    const [first] = parts
    if (!first) return parts
    const { channel, place } = attempt
    try {
      // One that was not ready for its slot asks for another when nobody is before it any more.
      const permit = await admission.acquire(first.row, channel, attempt.permit, place && (() => place.reached()))
      const reached = permit && (!place || ((await place.reached(permit)) && performance.now() <= permit.until))
      if (!reached) {
        place?.back()
        for (const part of parts) part.row = await putBack(part.row)
        return []
      }
      attempt.permit = permit
    } catch (error) {
      if (passes(error)) return defer(parts, error)
      throw error
    }
    failpoint('after_slot')
    return parts
  }

  /** claimed → sending, in the last commit before the write. */
  const dispatch = async (parts: Part[], attempt: Attempt): Promise<Part[]> => {
    if (parts.length === 0) return parts
    attempt.leasedAt = performance.now()
    const came = await store.write(() => attempt.strategy.dispatch(parts))
    const going: Part[] = []
    for (const [i, part] of parts.entries()) {
      const found = came[i]!
      if ('sending' in found) {
        part.row = found.sending
        going.push(part)
      } else if ('heldUp' in found) part.row = found.heldUp
      else {
        part.row = await fail(part.row, refusalOf(found.standing))
        notifications.publish(part.row.id)
      }
    }
    return going
  }

  /** One call for all of them. Nothing is thrown: what came of it, a defect of ours included, is for the judge. */
  const call = async (parts: Part[], { strategy, channel, permit, leasedAt, place }: Attempt): Promise<Answered[]> => {
    if (parts.length === 0) return []
    const { row } = parts[0]!
    const { type, traceparent } = row
    try {
      failpoint('after_dispatch_commit')
      const { outcomes, record } = await strategy.call(parts, channel, {
        ...{ permit: permit!, type, traceparent, lane: row.lane === 1 ? 1 : 0 },
        // Stopped for longer than the lease between commit and write: others may have judged them, so they must not go out.
        notAfter: leasedAt! + leaseMs,
        ...(place && { leave: place.leave })
      })
      failpoint('after_response')
      return parts.map((part, i) => ({ part, outcome: outcomes[i] ?? 'untold', record }))
    } catch (error) {
      if (error instanceof TooLate) {
        place?.back()
        await undo(parts)
        return []
      }
      if (error instanceof CallFailed) {
        const { verdict, record } = error
        return parts.map(part => ({ part, outcome: { verdict }, record }))
      }
      log.error({ err: error, ...strategy.subject(row) }, strategy.words.defect)
      return parts.map(part => ({ part, outcome: 'defect', record: undefined }))
    }
  }

  /** Puts all of them off: none goes on. */
  const defer = async (parts: Part[], error: ServiceError): Promise<Part[]> => {
    const rows = parts.map(({ row }) => row)
    for (const [i, row] of (await putOff(rows, error)).entries()) parts[i]!.row = row
    return []
  }

  const notDeleted = (error: unknown): void => log.error({ err: error }, 'a spooled file cannot be deleted')

  const tracked = (attempt: Attempt): Promise<MessageRow[]> => {
    running++
    return run(attempt).finally(() => {
      if (--running > 0) return
      rested?.resolve()
      rested = undefined
    })
  }

  return {
    leaseMs,
    insertSending: function* (row) {
      yield queries.insert({ ...row, timeline: timelineEntry(store.clock(), row), lease_ms: leaseMs })
    },
    send: (row, encoded, channel, leasedAt, permit) => {
      direct++
      const parts: Part[] = [{ row, encoded }]
      return tracked({ strategy: strategies.alone, channel, parts, awaited: false, permit, place: undefined, leasedAt })
        .finally(() => direct--)
        .then(([done]) => done!)
    },
    deliver: (how, rows, channel, permit, place) => {
      const parts = rows.map((row): Part => ({ row }))
      return tracked({
        strategy: strategies[how],
        channel,
        parts,
        awaited: how === 'alone',
        permit,
        place,
        leasedAt: undefined
      })
    },
    sending: () => direct,
    fail,
    requeueAfterFault,
    putOff,
    putBack,
    redirected,
    undone,
    idle: async () => {
      while (running > 0) await (rested ??= Promise.withResolvers()).promise
    }
  }
}
