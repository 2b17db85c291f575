import type { Logger } from 'pino'
import type { MessageError } from '../../../schemas/problem.ts'
import type { BatchOutcome, Verdict } from '../../adapters/adapter.ts'
import type { Permit } from '../../dispatch/admission.ts'
import {
  CallFailed,
  type CallRecord,
  type DispatchChannel,
  type ProviderClient,
  TooLate
} from '../../dispatch/provider-client.ts'
import { ServiceError } from '../../errors.ts'
import { failpoint } from '../../failpoints.ts'
import { blockKeysOf } from '../../messages/blocks.ts'
import type { Notifications } from '../../messages/notifications.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import { draftOf } from '../../messages/row.ts'
import { refusalOf, type Standing, type Suppressed } from '../../messages/suppressed.ts'
import { timelineEntry } from '../../messages/timeline.ts'
import type { Metrics } from '../../metrics.ts'
import type { MessageRow } from '../../store/schema.ts'
import { all, type Store, type Unit } from '../../store/store.ts'
import type { Preparation, Prepared } from '../intake/prepare.ts'
import { retryPolicy } from '../retry-policy.ts'
import type { MessageAdmission } from '../scheduling/admission.ts'
import type { Executor } from './attempt.ts'
import type { Outcomes } from './outcome.ts'
import { writeUntilStored } from './write-until-stored.ts'

export interface DeliverManyParts {
  store: Store
  queries: MessageQueries
  suppressed: Suppressed
  outcomes: Outcomes
  executor: Executor
  admission: MessageAdmission
  providerClient: ProviderClient
  preparation: Preparation
  notifications: Notifications
  metrics: Metrics
  log: Logger
}

/**
 * Sends messages of one broadcast, claimed by this process, in one call of the channel's `sendBatch`, and writes what came
 * of each. Never throws for what the provider does. What could not go out just now waits again.
 */
export type DeliverMany = (rows: MessageRow[], channel: DispatchChannel, permit?: Permit) => Promise<void>

/** A message that is ready to go. */
interface Part {
  row: MessageRow
  prepared: Prepared
}
interface Settled {
  next: MessageRow
  record: CallRecord | undefined
}

/** Results in one commit: as many as an embedded store writes in a few milliseconds. */
const settledAtOnce = 100

const doubtful = (provider: string, code: 'internal' | 'outcome_unknown', detail: string): Verdict => ({
  code,
  outcome: 'unknown',
  later: false,
  detail,
  provider: { name: provider, status: null }
})
export function createDeliverMany(parts: DeliverManyParts): DeliverMany {
  const {
    store,
    queries,
    suppressed,
    outcomes,
    executor,
    admission,
    providerClient,
    preparation,
    notifications,
    metrics,
    log
  } = parts

  /** claimed → queued; where they are not ours any more, they stay as they are. */
  const defer = async (rows: MessageRow[], runAt: number | undefined, detail: string): Promise<void> => {
    await store.write(function* () {
      for (const row of rows) {
        const next: MessageRow = { ...row, state: 'queued', run_at: runAt ?? row.run_at }
        yield queries.release({ ...next, entry: timelineEntry(store.clock(), next, detail) })
      }
    })
    for (const { id } of rows) notifications.publish(id)
  }

  /** Prepares messages and returns those that can be sent. What is wrong with one of them ends that one, and not the others. */
  const makeReady = async (rows: MessageRow[], channel: DispatchChannel): Promise<Part[]> => {
    const ready: Part[] = []
    for (const [i, row] of rows.entries()) {
      try {
        const prepared = await preparation.prepare(draftOf(row), { ...channel, service: row.service })
        // What the provider cannot say to this one would stop the whole call.
        preparation.encodeNow(prepared, channel)
        ready.push({ row, prepared })
      } catch (error) {
        if (!(error instanceof ServiceError)) await executor.requeueAfterFault(row, error)
        else if (error.code === 'provider_unavailable' || error.code === 'rate_limited') {
          // Their template cannot be asked for: that is the same for all.
          await defer(
            [...ready.map(part => part.row), ...rows.slice(i)],
            store.clock() + retryPolicy.laterMs,
            error.message
          )
          return []
        } else await executor.fail(row, error)
      }
    }
    return ready
  }

  /** claimed → sending, all in the last commit before the write, but for those that something speaks against by now. */
  const dispatch = (made: Part[]): Promise<{ going: Part[]; stopped: { row: MessageRow; standing: Standing }[] }> =>
    store.write(function* () {
      const { mode, channel_id } = made[0]!.row
      const people = made.flatMap(({ row }) => row.contact ?? [])
      const said = yield* suppressed.among({ mode, channel_id, marketing: true }, people)
      const stopped = made.flatMap(({ row }) => {
        const standing = said.get(row.contact ?? '')
        return standing ? [{ row, standing }] : []
      })
      const ready = made.filter(({ row }) => !said.has(row.contact ?? ''))
      const gone = new Set<string>()
      // In one statement each, or on a database across a network the last would be long after its turn.
      for (const [attempts, parts] of Map.groupBy(ready, ({ row }) => row.attempts)) {
        const entry = timelineEntry(store.clock(), { state: 'sending', attempts: attempts + 1 })
        const keys = blockKeysOf(parts[0]!.row)
        const ids = parts.map(({ row }) => row.id)
        for (const { id } of yield* all(
          queries.dispatchAll({ ids, attempts, lease_ms: executor.leaseMs, entry, ...keys })
        ))
          gone.add(id)
      }
      for (const { row } of ready) {
        if (gone.has(row.id)) continue
        const next: MessageRow = { ...row, state: 'queued' }
        yield queries.release({ ...next, entry: timelineEntry(store.clock(), next, 'it was held up') })
      }
      const going = ready.flatMap(({ row, prepared }): Part[] =>
        gone.has(row.id) ? [{ row: { ...row, state: 'sending', attempts: row.attempts + 1 }, prepared }] : []
      )
      return { going, stopped }
    })

  /** sending → queued, as if this attempt had not been: its turn had passed. */
  const undoAttempt = async (going: Part[]): Promise<void> => {
    await store.write(function* () {
      for (const { row } of going) {
        const entry = timelineEntry(
          store.clock(),
          { state: 'queued', attempts: row.attempts - 1 },
          'its turn had passed: it waits for another'
        )
        yield queries.undoAttempt({ id: row.id, attempts: row.attempts, entry })
      }
    })
  }

  const settledBy = ({ row, prepared }: Part, outcome: BatchOutcome): MessageRow => {
    if (outcome === 'untold')
      return outcomes.judged(
        row,
        doubtful(row.provider, 'outcome_unknown', 'The answer to the call that it was part of does not mention it.')
      )
    if ('verdict' in outcome) return outcomes.judged(row, outcome.verdict)
    return outcomes.accepted(row, outcome.receipt, prepared.warnings)
  }

  /** One call for all of them, and what it made of each. */
  const send = async (
    going: Part[],
    channel: DispatchChannel,
    leasedAt: number,
    permit: Permit
  ): Promise<Settled[]> => {
    const [first] = going
    const { provider, broadcast_id } = first!.row
    try {
      failpoint('after_dispatch_commit')
      const messages = going.map(({ prepared }) => prepared.sendable as never)
      const input = { name: broadcast_id ?? first!.row.id, messages }
      const { output, record } = await providerClient.call('sendBatch', channel, input, {
        permit,
        // Stopped between commit and write for longer than the lease: others may have judged them, so they must not go out.
        notAfter: leasedAt + executor.leaseMs,
        type: 'template',
        ...(broadcast_id !== null && { broadcast: broadcast_id }),
        traceparent: first!.row.traceparent,
        lane: 1
      })
      failpoint('after_response')
      const verdicts = output.outcomes.flatMap(each => (each !== 'untold' && 'verdict' in each ? [each.verdict] : []))
      const aboutTemplate = verdicts.find(verdict => verdict.aboutTemplate)
      if (aboutTemplate) preparation.refused(draftOf(first!.row), channel, aboutTemplate)
      return going.map((part, i) => ({ next: settledBy(part, output.outcomes[i] ?? 'untold'), record }))
    } catch (error) {
      if (error instanceof TooLate) {
        await undoAttempt(going)
        return []
      }
      if (error instanceof CallFailed) preparation.refused(draftOf(first!.row), channel, error.verdict)
      if (error instanceof CallFailed)
        return going.map(({ row }) => ({ next: outcomes.judged(row, error.verdict), record: error.record }))
      // A defect of ours, with the request possibly out: unknown is the only true word for it.
      log.error({ err: error, broadcast: broadcast_id }, 'a batch ended in a defect')
      const verdict = doubtful(provider, 'internal', 'Switchboard failed while sending.')
      return going.map(({ row }) => ({ next: outcomes.judged(row, verdict), record: undefined }))
    }
  }

  /** A result is never thrown away, and a faulty one must not take the others with it. */
  const persist = async (results: Settled[]): Promise<void> => {
    const messages = results.map(({ next }) => [next.id, next.state])
    const unit = function* (): Unit<(MessageRow | undefined)[]> {
      const rows: (MessageRow | undefined)[] = []
      for (const { next, record } of results) {
        const detail = next.error === null ? null : (JSON.parse(next.error) as MessageError).detail
        rows.push(yield* outcomes.settle(next, detail, record))
      }
      return rows
    }
    try {
      const written = await writeUntilStored(store, unit, () =>
        log.error({ messages }, 'results cannot be stored yet: they are kept and offered again')
      )
      for (const { next } of results) notifications.publish(next.id)
      for (const row of written) {
        if (!row) continue
        metrics.message(row.channel_id, row.state)
        const { id: message, channel_id: channel, broadcast_id: broadcast, state } = row
        log.debug({ message, channel, broadcast, state }, 'a message of a batch was tried')
      }
    } catch (error) {
      if (results.length > 1) for (const one of results) await persist([one])
      else log.error({ err: error, messages }, 'a result could not be stored: its lease decides')
    }
  }

  return async (rows, channel, permit) => {
    const ready = await makeReady(rows, channel)
    if (ready.length === 0) return
    let turn: Permit
    try {
      // Its turn is waited for here, where dying is harmless: what is claimed has not left.
      turn = await admission.acquire(ready[0]!.row, channel, permit)
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      return defer(
        ready.map(({ row }) => row),
        store.clock() + retryPolicy.laterMs,
        error.message
      )
    }
    const leasedAt = performance.now()
    const { going, stopped } = await dispatch(ready)
    for (const { row, standing } of stopped) {
      await executor.fail(row, refusalOf(standing))
      notifications.publish(row.id)
    }
    if (going.length === 0) return
    const results = await send(going, channel, leasedAt, turn)
    for (let i = 0; i < results.length; i += settledAtOnce) await persist(results.slice(i, i + settledAtOnce))
  }
}
