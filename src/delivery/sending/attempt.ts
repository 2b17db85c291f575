import type { Logger } from 'pino'
import type { MessageError } from '../../../schemas/problem.ts'
import type { Encoded } from '../../adapters/adapter.ts'
import type { Permit } from '../../dispatch/admission.ts'
import {
  CallFailed,
  type CallRecord,
  type DispatchChannel,
  type ProviderClient,
  TooLate
} from '../../dispatch/provider-client.ts'
import { ServiceError, toMessageError } from '../../errors.ts'
import { failpoint } from '../../failpoints.ts'
import { blockKeysOf } from '../../messages/blocks.ts'
import { inDoubt } from '../../messages/doubt.ts'
import type { Notifications } from '../../messages/notifications.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import { draftOf } from '../../messages/row.ts'
import { concernOf, refusalOf, type Suppressed } from '../../messages/suppressed.ts'
import { setbacks, setbacksOf, timelineEntry } from '../../messages/timeline.ts'
import type { Metrics } from '../../metrics.ts'
import { requestTrace } from '../../request-trace.ts'
import type { MessageRow } from '../../store/schema.ts'
import { change, first, type Store, StoreUnavailable, type Unit } from '../../store/store.ts'
import type { Preparation, Prepared } from '../intake/prepare.ts'
import { afterOwnFaultMs, retryPolicy } from '../retry-policy.ts'
import type { MessageAdmission } from '../scheduling/admission.ts'
import { failover } from './failover.ts'
import { createOutcomes } from './outcome.ts'
import { writeUntilStored } from './write-until-stored.ts'

export interface ExecutorParts {
  store: Store
  queries: MessageQueries
  suppressed: Suppressed
  providerClient: ProviderClient
  preparation: Preparation
  log: Logger
  metrics: Metrics
  /** Whole deadline of one provider call; the lease is this and a margin. */
  timeoutMs: number
  /** What stands before /errors#code in a stored error. */
  typeBase: string
  admission: MessageAdmission
  notifications: Notifications
  /** The provider of a channel; undefined where the channel is gone. */
  providerOf: (channelId: string) => Promise<string | undefined>
}

export interface Executor {
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
  /** Takes a `claimed` message through file, its turn (where it has none yet), dispatch commit and send. */
  deliver: (row: MessageRow, prepared: Prepared, channel: DispatchChannel, permit?: Permit) => Promise<MessageRow>
  /** claimed → failed: it cannot be sent any more, and nothing of it was. */
  fail: (row: MessageRow, error: ServiceError) => Promise<MessageRow>
  /** claimed → queued after a fault of ours before the write; at the third one failed. The store's faults do not count. */
  requeueAfterFault: (row: MessageRow, error: unknown) => Promise<MessageRow>
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

/** What a line of the timeline says beside its instant. */
type Told = Parameters<typeof timelineEntry> extends [number, ...infer Rest] ? Rest : never

export function createExecutor(parts: ExecutorParts): Executor {
  const { store, queries, suppressed, providerClient, preparation, log, metrics, timeoutMs, typeBase } = parts
  const { admission, notifications, providerOf } = parts
  const told = (...line: Told): string => timelineEntry(store.clock(), ...line)
  const leaseMs = leaseOf(timeoutMs)
  const { judged, accepted, settle } = createOutcomes(store, queries, typeBase)
  const inFlight = new Set<Promise<unknown>>()
  let direct = 0
  const redirected = new WeakSet<MessageRow>()
  const undone = new WeakSet<MessageRow>()

  /** A result is never thrown away. */
  const persist = async (
    next: MessageRow,
    detail: string | null,
    record: CallRecord | undefined,
    waited: boolean
  ): Promise<MessageRow> => {
    const { id: message, state, provider_message_id: providerMessageId } = next
    const tell = (words: string): void => log.error({ message, state, providerMessageId }, words)
    const unit = function* (): Unit<MessageRow | undefined> {
      const done = yield* settle(next, detail, record)
      // A caller may wait for a queued message at another replica.
      if (done && waited && store.notifications) yield store.notifications.publish(done.id)
      failpoint('before_result_commit')
      return done
    }
    const kept = () => tell('a result cannot be stored yet: it is kept and offered again')
    const written = await writeUntilStored(store, unit, kept).catch(error => {
      tell('a result could not be stored')
      throw error
    })
    failpoint('after_result_commit')
    notifications.publish(next.id)
    if (!written) return (await store.read(queries.byId({ id: next.id })))[0] ?? next
    metrics.message(written.channel_id, written.state)
    const { channel_id: channel, attempts: attempt } = written
    const requestId = requestTrace.getStore()?.requestId
    log.info({ requestId, message, channel, state, attempt, providerMessageId, ms: record?.ms }, 'a message was tried')
    return written
  }

  /** After a definite refusal: the row claimed for what comes next, in the one commit that settles the refusal. */
  const redirect = async (next: MessageRow, record: CallRecord | undefined): Promise<MessageRow | undefined> => {
    if (next.state !== 'failed') return undefined
    const way = await failover(next, providerOf)
    if (!way) return undefined
    const entry = told(way.row, way.detail, record)
    const taken = await store
      .write(() => change(queries.redirect({ ...way.row, entry, lease_ms: leaseMs })))
      .catch(error => {
        // It has been refused, and is told so: going on is a favour, keeping the result is not.
        log.error({ err: error, message: next.id }, 'a refused message cannot go on')
        return 0
      })
    if (taken === 0) return undefined
    redirected.add(way.row)
    return way.row
  }

  /** sending → queued, as if this attempt had not been. */
  const undoAttempt = async (row: MessageRow): Promise<MessageRow> => {
    const next: MessageRow = { ...row, state: 'queued', attempts: row.attempts - 1 }
    const back = { ...row, entry: told(next, 'its turn had passed: it waits for another') }
    const taken = await store.write(() => change(queries.undoAttempt(back)))
    if (taken === 0) return (await store.read(queries.byId({ id: row.id })))[0] ?? next
    undone.add(next)
    return next
  }

  const sendNow = async (
    row: MessageRow,
    encoded: Encoded,
    channel: DispatchChannel,
    leasedAt: number,
    permit: Permit,
    waited: boolean
  ): Promise<MessageRow> => {
    let next: MessageRow
    let record: CallRecord | undefined
    try {
      failpoint('after_dispatch_commit')
      const done = await providerClient.call('sendMessage', channel, encoded, {
        permit,
        type: row.type,
        to: row.contact!,
        ...{ attempt: row.attempts, message: row.id, traceparent: row.traceparent },
        // Stopped for longer than the lease between commit and write: others may have judged it.
        notAfter: leasedAt + leaseMs,
        lane: row.lane === 1 ? 1 : 0
      })
      failpoint('after_response')
      record = done.record
      next = accepted(row, done.output, encoded.warnings)
    } catch (error) {
      if (error instanceof TooLate) return undoAttempt(row)
      if (error instanceof CallFailed) {
        record = error.record
        next = judged(row, error.verdict)
        preparation.refused(draftOf(row), channel, error.verdict)
      } else {
        // A defect of ours, with the request possibly out: unknown is the only true word for it.
        log.error({ err: error, message: row.id }, 'a send ended in a defect')
        const defect = new ServiceError('internal', 'Switchboard failed while sending.', { outcome: 'unknown' })
        next = {
          ...row,
          state: 'unknown',
          run_at: store.clock(),
          error: JSON.stringify(toMessageError(defect, typeBase, true))
        }
      }
    }
    const detail = next.error === null ? null : (JSON.parse(next.error) as MessageError).detail
    return (await redirect(next, record)) ?? persist(next, detail, record, waited)
  }

  const tracked = <T>(work: Promise<T>): Promise<T> => {
    inFlight.add(work)
    return work.finally(() => inFlight.delete(work))
  }

  const fail: Executor['fail'] = async (row, error) => {
    const words = JSON.stringify(toMessageError(error, typeBase, true))
    const now = store.clock()
    const next = inDoubt({ ...row, state: 'failed', final: 1, failed_at: now, error: words }, now, typeBase)
    await store.write(function* () {
      yield queries.release({ ...next, entry: told(next, error.message) })
    })
    metrics.message(next.channel_id, next.state)
    return (await store.read(queries.byId({ id: row.id })))[0] ?? next
  }

  const requeueAfterFault: Executor['requeueAfterFault'] = async (row, error) => {
    log.error({ err: error, message: row.id }, 'a message could not be made ready')
    const outage = error instanceof StoreUnavailable
    const count = setbacksOf(row) + 1
    if (!outage && count >= retryPolicy.mostSetbacks)
      return fail(
        row,
        new ServiceError('internal', 'Switchboard could not make it ready, again and again. Nothing was sent.', {
          outcome: 'not_sent'
        })
      )
    const next: MessageRow = { ...row, state: 'queued', run_at: store.clock() + afterOwnFaultMs(count) }
    const entry = told(next, outage ? 'the store could not be read' : setbacks.fault)
    await store.write(function* () {
      yield queries.release({ ...next, entry })
    })
    return next
  }

  /** claimed → queued where something came in between; where it is not ours any more, it stays as it is. */
  const releaseClaim = async (row: MessageRow): Promise<MessageRow> => {
    await store.write(function* () {
      yield queries.release({ ...row, state: 'queued', entry: told({ ...row, state: 'queued' }, 'it was held up') })
    })
    return (await store.read(queries.byId({ id: row.id })))[0] ?? row
  }

  const deliverNow: Executor['deliver'] = async (row, prepared, channel, given) => {
    let encoded: Awaited<ReturnType<Preparation['encode']>>
    try {
      encoded = await preparation.encode(prepared, channel)
    } catch (error) {
      return error instanceof ServiceError ? fail(row, error) : requeueAfterFault(row, error)
    }
    try {
      // Its turn is waited for here, where dying is harmless: what is claimed has not left.
      const permit = await admission.acquire(row, channel, given)
      failpoint('after_slot')
      const sending: MessageRow = { ...row, state: 'sending', attempts: row.attempts + 1 }
      const leasedAt = performance.now()
      const keys = suppressed.keysOf(row, concernOf(row, prepared.sendable))
      const { committed, standing } = await store.write(function* () {
        const { id, attempts } = row
        const turn = {
          id,
          attempts,
          next: sending.attempts,
          lease_ms: leaseMs,
          entry: told(sending)
        }
        const committed = (yield* change(queries.dispatch({ ...turn, ...blockKeysOf(row), ...keys }))) > 0
        return { committed, standing: committed ? undefined : yield* first(suppressed.look(keys)) }
      })
      if (standing) return await fail(row, refusalOf(standing))
      // Canceled, stopped, expired or taken by another meanwhile: theirs is the truth, and nothing is written to the wire.
      if (!committed) return await releaseClaim(row)
      return await sendNow(sending, encoded, channel, leasedAt, permit, true)
    } finally {
      await encoded.dispose?.().catch(error => log.error({ err: error }, 'a spooled file cannot be deleted'))
    }
  }

  return {
    leaseMs,
    insertSending: function* (row) {
      yield queries.insert({ ...row, timeline: told(row), lease_ms: leaseMs })
    },
    send: (row, encoded, channel, leasedAt, permit) => {
      direct++
      return tracked(sendNow(row, encoded, channel, leasedAt, permit, false)).finally(() => direct--)
    },
    deliver: (row, prepared, channel, permit) => tracked(deliverNow(row, prepared, channel, permit)),
    sending: () => direct,
    fail,
    requeueAfterFault,
    redirected,
    undone,
    idle: async () => {
      while (inFlight.size > 0) await Promise.allSettled(inFlight)
    }
  }
}
