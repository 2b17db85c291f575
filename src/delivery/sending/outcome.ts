import type { MessageError } from '../../../schemas/problem.ts'
import type { Receipt, Verdict } from '../../adapters/adapter.ts'
import type { CallRecord } from '../../dispatch/provider-client.ts'
import { ServiceError, toMessageError } from '../../errors.ts'
import { doubted, inDoubt, unknownQueries, wantsOnceMore } from '../../messages/doubt.ts'
import { isErased } from '../../messages/erased.ts'
import { identities } from '../../messages/identities.ts'
import { createProviderStatus } from '../../messages/provider-status.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import { doubts, timelineEntry } from '../../messages/timeline.ts'
import type { Outcome } from '../../messages/transitions/message.ts'
import type { MessageRow } from '../../store/schema.ts'
import { change, first, type Store, type Unit } from '../../store/store.ts'
import { isTired, retryDelayMs } from '../retry-policy.ts'

export interface Outcomes {
  /** What a verdict does to the row. */
  judged: (row: MessageRow, verdict: Verdict) => MessageRow
  accepted: (row: MessageRow, receipt: Receipt, warnings: string[]) => MessageRow
  /**
   * One result into the store. Zero rows changed: somebody took us for dead, and the late result settles the unknown.
   * Resolves to the row as it was written; undefined: somebody else decided.
   */
  settle: (next: MessageRow, detail: string | null, record: CallRecord | undefined) => Unit<MessageRow | undefined>
}

/** The person as a row keeps one; undefined where the answer does not say. */
function personOf({ recipient }: Receipt): string | undefined {
  const text = JSON.stringify({ waId: recipient?.phone, userId: recipient?.userId })
  return text === '{}' ? undefined : text
}
/** Every name of its recipient that a row knows. */
function namesOf({ contact, person }: MessageRow): (string | undefined)[] {
  const { waId, userId } = JSON.parse(person!) as { waId?: string; userId?: string }
  return [contact ?? undefined, waId, userId]
}

/** What the end of an attempt makes of its row. */
export function createOutcomes(store: Store, queries: MessageQueries, typeBase: string): Outcomes {
  const providerStatus = createProviderStatus(store)
  const people = identities(store)
  /** The ids that an acceptance told, beside the row that it makes. */
  const idsOf = new WeakMap<MessageRow, string[]>()
  const once = unknownQueries(store)

  const judged: Outcomes['judged'] = (row, verdict) => {
    const error = JSON.stringify(errorOf(verdict))
    if (verdict.outcome === 'unknown') return { ...row, state: 'unknown', final: 0, run_at: store.clock(), error }
    if (verdict.later && !isTired(verdict, row.attempts))
      return {
        ...row,
        state: 'queued',
        run_at: Math.round(store.clock() + retryDelayMs(row.attempts, verdict, Math.random)),
        // Of an earlier attempt that may have arrived it must not say that nothing was sent.
        error: doubted(row) ? row.error : error
      }
    const now = store.clock()
    return inDoubt({ ...row, state: 'failed', final: 1, error, failed_at: now }, now, typeBase)
  }
  const errorOf = ({ code, detail, provider, retryAfterSeconds, outcome }: Verdict): MessageError =>
    toMessageError(new ServiceError(code, detail, { provider, retryAfterSeconds, outcome }), typeBase, true)

  const accepted: Outcomes['accepted'] = (row, receipt, warnings) => {
    const all = [
      ...(row.warnings === null ? [] : (JSON.parse(row.warnings) as string[])),
      ...warnings,
      ...receipt.warnings
    ]
    const next: MessageRow = {
      ...row,
      state: 'accepted',
      provider_message_id: receipt.providerMessageId,
      accepted_at: store.clock(),
      error: null,
      warnings: all.length > 0 ? JSON.stringify(all) : null,
      person: personOf(receipt) ?? row.person
    }
    const { providerMessageId, aliases = [] } = receipt
    idsOf.set(next, [...new Set([...(providerMessageId === null ? [] : [providerMessageId]), ...aliases])])
    return next
  }

  function* settle(
    next: MessageRow,
    detail: string | null,
    record: CallRecord | undefined
  ): Unit<MessageRow | undefined> {
    const written = yield* write(next, detail, record)
    if (!written && next.state === 'accepted') {
      const row = yield* first(queries.byId({ id: next.id }))
      if (row && isErased(row)) return yield* settleErased(row, next)
    }
    if (written?.state === 'accepted' && next.person !== null) yield* people.link(next, { names: namesOf(next) })
    // The webhook of a status may have been faster than the answer: what it told waits for this id.
    const more = yield* providerStatus.adopt(next, next.attempts, idsOf.get(next) ?? [])
    return more ? yield* first(queries.byId({ id: next.id })) : written
  }

  /** The answer came late, and its person has been erased meanwhile: that it was accepted is all that is kept of it. */
  function* settleErased(row: MessageRow, next: MessageRow): Unit<MessageRow | undefined> {
    const { provider_message_id: providerMessageId, accepted_at, attempts: attempt } = next
    const event = { status: 'accepted' as const, at: accepted_at!, detail: '', attempt }
    yield* providerStatus.settleFromProvider(row, { ...event, providerMessageId, ids: idsOf.get(next) ?? [] })
    return yield* first(queries.byId({ id: row.id }))
  }

  function* write(
    next: MessageRow,
    detail: string | null,
    record: CallRecord | undefined
  ): Unit<MessageRow | undefined> {
    const outcome = (row: MessageRow): Outcome => ({ ...row, entry: timelineEntry(store.clock(), row, detail, record) })
    if (next.state === 'unknown' && wantsOnceMore(next)) {
      // This process has seen the attempt end, so nobody can still be about to write it.
      const delay_ms = Math.round(retryDelayMs(next.attempts, {}, Math.random))
      const again: MessageRow = {
        ...next,
        state: 'queued',
        resolution: 'resent_once',
        run_at: store.clock() + delay_ms
      }
      const entry = timelineEntry(store.clock(), again, `${detail ?? ''} ${doubts.again}`.trim(), record)
      const { id, attempts, error } = next
      return (yield* change(once.again({ id, attempts, error, delay_ms, entry }))) > 0 ? again : undefined
    }
    if ((yield* change(queries.settle(outcome(next)))) > 0) return next
    if (next.state === 'unknown' || (next.state === 'queued' && doubted(next))) return undefined
    // Where it waits for its one more attempt, that is not needed any more, unless this one may be tried again as well.
    if (next.state !== 'queued' && (yield* change(queries.settleWaiting(outcome(next)))) > 0) return next
    // A late "try again later" must not send again what was called unknown: it was refused, so it is failed.
    const late: MessageRow =
      next.state === 'queued' ? { ...next, state: 'failed', final: 1, failed_at: store.clock() } : next
    return (yield* change(queries.settleLate(outcome(late)))) > 0 ? late : undefined
  }

  return { judged, accepted, settle }
}
