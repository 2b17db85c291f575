import type { Logger } from 'pino'
import type { MessageError } from '../../schemas/problem.ts'
import type { Encoded, Receipt, Verdict } from '../adapters/adapter.ts'
import { CallFailed, type CallRecord, type Corridor, type DispatchChannel } from '../dispatch/corridor.ts'
import { ServiceError, toMessageError } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import type { MessageRow } from '../store/schema.ts'
import { change, type Store, StoreUnavailable, type Unit } from '../store/store.ts'
import { blockKeysOf } from './blocks.ts'
import { onward } from './onward.ts'
import type { Preparation, Prepared } from './prepare.ts'
import type { MessageQueries, Outcome } from './queries.ts'
import { maxSetbacks, setbacks, setbacksOf, timelineEntry } from './timeline.ts'

export interface EngineParts {
  store: Store
  queries: MessageQueries
  corridor: Corridor
  preparation: Preparation
  log: Logger
  metrics: Metrics
  /** Whole deadline of one provider call; the lease is this and a margin. */
  timeoutMs: number
  /** What stands before /errors#code in a stored error. */
  typeBase: string
  /** The provider of a channel; undefined where the channel is gone. */
  providerOf: (channelId: string) => Promise<string | undefined>
}

export interface Engine {
  readonly leaseMs: number
  /** The row of a message that goes out at once: `sending` from its first commit. */
  readonly insertSending: (row: MessageRow) => Unit<void>
  /**
   * Sends a message whose row is `sending` (this process put it there) and writes what came of it. Never throws for what
   * the provider does; resolves to the row as it then is.
   * @param leasedAt performance.now() from before the commit that made it `sending`
   */
  send: (row: MessageRow, encoded: Encoded, channel: DispatchChannel, leasedAt: number) => Promise<MessageRow>
  /** Takes a `claimed` message through file, dispatch commit and send. */
  deliver: (row: MessageRow, prepared: Prepared, channel: DispatchChannel) => Promise<MessageRow>
  /** claimed → failed: it cannot be sent any more, and nothing of it was. */
  giveUp: (row: MessageRow, error: ServiceError) => Promise<MessageRow>
  /**
   * claimed → queued after a fault of ours before the write; at the third one failed. What only the store brought about
   * does not count.
   */
  putBack: (row: MessageRow, error: unknown) => Promise<MessageRow>
  /** Rows that this process claimed for what comes after a refusal: whoever is given one delivers it. */
  readonly redirected: WeakSet<MessageRow>
  /** Milliseconds that the provider took for the last attempt of a row, where this process made it. */
  readonly upstreamMs: WeakMap<MessageRow, number>
  /** Resolves when nothing is in flight. */
  idle: () => Promise<void>
}

/** Seconds until the next try: doubling from 1 to 60 with jitter, or what the provider asked for. */
export function retryDelayMs(
  attempt: number,
  verdict: Pick<Verdict, 'retryAfterSeconds' | 'throttles'>,
  random: () => number
): number {
  if (verdict.retryAfterSeconds !== undefined) return verdict.retryAfterSeconds * 1000 + random() * 250
  // Meta's rule for one recipient: 4^n seconds (UPSTREAM.md 4.11).
  const base = verdict.throttles === 'recipient' ? 4 ** Math.min(attempt, 6) : Math.min(2 ** Math.min(attempt, 6), 60)
  return Math.max(1000, base * 1000 * (0.5 + random() / 2))
}

const asleep = (provider: string): Verdict => ({
  code: 'provider_unavailable',
  outcome: 'not_sent',
  later: true,
  provider: { name: provider, status: null },
  detail: 'The process was stopped before it could send: nothing was sent.'
})

/** How long a result that the store would not take is held before it is offered again. */
const persistRetryMs = 500

export function createEngine({
  store,
  queries,
  corridor,
  preparation,
  log,
  metrics,
  timeoutMs,
  typeBase,
  providerOf
}: EngineParts): Engine {
  const leaseMs = timeoutMs + 15_000
  const inFlight = new Set<Promise<unknown>>()
  const upstreamMs = new WeakMap<MessageRow, number>()
  const redirected = new WeakSet<MessageRow>()

  /** What a verdict does to the row. */
  const judged = (row: MessageRow, verdict: Verdict): MessageRow => {
    const error = JSON.stringify(errorOf(verdict))
    if (verdict.outcome === 'unknown') return { ...row, state: 'unknown', final: 0, error }
    if (verdict.later)
      return {
        ...row,
        state: 'queued',
        run_at: Math.round(Date.now() + retryDelayMs(row.attempts, verdict, Math.random)),
        error
      }
    return { ...row, state: 'failed', final: 1, error, failed_at: Date.now() }
  }
  const errorOf = ({ code, detail, provider, retryAfterSeconds, outcome }: Verdict): MessageError =>
    toMessageError(new ServiceError(code, detail, { provider, retryAfterSeconds, outcome }), typeBase, true)

  const accepted = (row: MessageRow, receipt: Receipt, warnings: string[]): MessageRow => {
    const all = [
      ...(row.warnings === null ? [] : (JSON.parse(row.warnings) as string[])),
      ...warnings,
      ...receipt.warnings
    ]
    return {
      ...row,
      state: 'accepted',
      provider_message_id: receipt.providerMessageId,
      accepted_at: Date.now(),
      error: null,
      warnings: all.length > 0 ? JSON.stringify(all) : null
    }
  }

  /** One result into the store. Zero rows changed: somebody took us for dead, and the late result settles the unknown. */
  function* settle(
    next: MessageRow,
    detail: string | null,
    record: CallRecord | undefined
  ): Unit<MessageRow | undefined> {
    const write = (row: MessageRow): Outcome => ({ ...row, entry: timelineEntry(row, detail, record) })
    if ((yield* change(queries.settle(write(next)))) > 0) return next
    if (next.state === 'unknown') return undefined
    // A late "try again later" must not send again what was called unknown: it was refused, so it is failed.
    const late: MessageRow =
      next.state === 'queued' ? { ...next, state: 'failed', final: 1, failed_at: Date.now() } : next
    return (yield* change(queries.settleLate(write(late)))) > 0 ? late : undefined
  }

  /** A result is never thrown away: while the store refuses it, it is kept and offered again (RELIABILITY.md 3.1 rule 5). */
  const persist = async (
    next: MessageRow,
    detail: string | null,
    record: CallRecord | undefined
  ): Promise<MessageRow> => {
    for (let told = false; ; told = true) {
      try {
        const written = await store.write(() => settle(next, detail, record))
        if (!written) return (await store.read(queries.byId({ id: next.id })))[0] ?? next
        metrics.message(written.provider, written.state)
        return written
      } catch (error) {
        const lost = !(error instanceof StoreUnavailable)
        if (!told || lost)
          log.error(
            { message: next.id, state: next.state, providerMessageId: next.provider_message_id },
            lost ? 'a result could not be stored' : 'a result cannot be stored yet: it is kept and offered again'
          )
        if (lost) throw error
        await new Promise(resolve => setTimeout(resolve, persistRetryMs))
      }
    }
  }

  /** After a definite refusal: the row claimed for what comes next, in the one commit that settles the refusal. */
  const redirect = async (next: MessageRow, record: CallRecord | undefined): Promise<MessageRow | undefined> => {
    if (next.state !== 'failed') return undefined
    const way = await onward(next, providerOf)
    if (!way) return undefined
    const entry = timelineEntry(way.row, way.detail, record)
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

  const sendNow: Engine['send'] = async (row, encoded, channel, leasedAt) => {
    let next: MessageRow
    let record: CallRecord | undefined
    try {
      // Stopped between commit and write for longer than the lease: others may have judged it, so it must not go out now.
      if (performance.now() - leasedAt > leaseMs) throw new CallFailed(asleep(row.provider), { started: false, ms: 0 })
      const done = await corridor.call('sendMessage', channel, encoded)
      record = done.record
      next = accepted(row, done.output, encoded.warnings)
    } catch (error) {
      if (error instanceof CallFailed) {
        record = error.record
        next = judged(row, error.verdict)
      } else {
        // A defect of ours, with the request possibly out: unknown is the only true word for it.
        log.error({ err: error, message: row.id }, 'a send ended in a defect')
        next = {
          ...row,
          state: 'unknown',
          error: JSON.stringify(
            toMessageError(
              new ServiceError('internal', 'Switchboard failed while sending.', { outcome: 'unknown' }),
              typeBase,
              true
            )
          )
        }
      }
    }
    const detail = next.error === null ? null : (JSON.parse(next.error) as MessageError).detail
    const settled = (await redirect(next, record)) ?? (await persist(next, detail, record))
    upstreamMs.set(settled, record?.ms ?? 0)
    return settled
  }

  const tracked = <T>(work: Promise<T>): Promise<T> => {
    inFlight.add(work)
    const done = () => inFlight.delete(work)
    work.then(done, done)
    return work
  }

  const giveUp: Engine['giveUp'] = async (row, error) => {
    const next: MessageRow = {
      ...row,
      state: 'failed',
      final: 1,
      failed_at: Date.now(),
      error: JSON.stringify(toMessageError(error, typeBase, true))
    }
    await store.write(function* () {
      yield queries.release({ ...next, entry: timelineEntry(next, error.message) })
    })
    metrics.message(next.provider, next.state)
    return (await store.read(queries.byId({ id: row.id })))[0] ?? next
  }

  const putBack: Engine['putBack'] = async (row, error) => {
    log.error({ err: error, message: row.id }, 'a message could not be made ready')
    const outage = error instanceof StoreUnavailable
    const count = setbacksOf(row) + 1
    if (!outage && count >= maxSetbacks)
      return giveUp(
        row,
        new ServiceError('internal', 'Switchboard could not make it ready, again and again. Nothing was sent.', {
          outcome: 'not_sent'
        })
      )
    const next: MessageRow = { ...row, state: 'queued', run_at: Date.now() + 1000 * 4 ** count }
    const entry = timelineEntry(next, outage ? 'the store could not be read' : setbacks.fault)
    await store.write(function* () {
      yield queries.release({ ...next, entry })
    })
    return next
  }

  const deliverNow: Engine['deliver'] = async (row, prepared, channel) => {
    let encoded: Awaited<ReturnType<Preparation['encode']>>
    try {
      encoded = await preparation.encode(prepared, channel)
    } catch (error) {
      return error instanceof ServiceError ? giveUp(row, error) : putBack(row, error)
    }
    try {
      const sending: MessageRow = { ...row, state: 'sending', attempts: row.attempts + 1 }
      const leasedAt = performance.now()
      const committed = await store.write(function* () {
        const { id, attempts } = row
        const turn = { id, attempts, next: sending.attempts, lease_ms: leaseMs, entry: timelineEntry(sending) }
        return (yield* change(queries.dispatch({ ...turn, ...blockKeysOf(row) }))) > 0
      })
      // Canceled, expired or taken by another meanwhile: theirs is the truth, and nothing is written to the wire.
      if (!committed) return (await store.read(queries.byId({ id: row.id })))[0] ?? row
      return await sendNow(sending, encoded, channel, leasedAt)
    } finally {
      await encoded.dispose?.().catch(error => log.error({ err: error }, 'a spooled file cannot be deleted'))
    }
  }

  return {
    leaseMs,
    insertSending: function* (row) {
      yield queries.insert({ ...row, timeline: timelineEntry(row), lease_ms: leaseMs })
    },
    send: (row, encoded, channel, leasedAt) => tracked(sendNow(row, encoded, channel, leasedAt)),
    deliver: (row, prepared, channel) => tracked(deliverNow(row, prepared, channel)),
    giveUp,
    putBack,
    redirected,
    upstreamMs,
    idle: async () => {
      while (inFlight.size > 0) await Promise.allSettled(inFlight)
    }
  }
}
