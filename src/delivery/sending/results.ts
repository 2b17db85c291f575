import type { Logger } from 'pino'
import type { MessageError } from '../../../schemas/problem.ts'
import type { BatchOutcome, Verdict } from '../../adapters/adapter.ts'
import type { CallRecord } from '../../dispatch/provider-client.ts'
import { failpoint } from '../../failpoints.ts'
import type { Notifications } from '../../messages/notifications.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import { draftOf } from '../../messages/row.ts'
import { timelineEntry } from '../../messages/timeline.ts'
import type { Metrics } from '../../metrics.ts'
import type { MessageRow } from '../../store/schema.ts'
import { change, first, type Store, type Unit } from '../../store/store.ts'
import type { Preparation } from '../intake/prepare.ts'
import { failover } from './failover.ts'
import { createOutcomes } from './outcome.ts'
import type { Attempt, Judged, Part } from './strategies.ts'
import { writeUntilStored } from './write-until-stored.ts'

/** A part with what the call said of it; a defect of ours may have come in between. */
export interface Answered {
  part: Part
  outcome: BatchOutcome | 'defect'
  record: CallRecord | undefined
}

/** The steps of an attempt that come after the call. */
export interface Results {
  /** What the answers make of the messages. */
  judge: (answered: Answered[], attempt: Attempt) => Judged[]
  /** Claims those that have somewhere to go after a definite refusal, each in the one commit that settles the refusal, and returns the others. */
  redirect: (judged: Judged[]) => Promise<Judged[]>
  /** Stores what came of the messages, and tells of it. A result is never thrown away, and a faulty one must not take the others with it. */
  persist: (judged: Judged[], attempt: Attempt) => Promise<void>
  /** sending → queued, as if this attempt had not been: the turn had passed. */
  undo: (parts: Part[]) => Promise<void>
  readonly redirected: WeakSet<MessageRow>
  readonly undone: WeakSet<MessageRow>
}

export interface ResultParts {
  store: Store
  queries: MessageQueries
  preparation: Preparation
  notifications: Notifications
  metrics: Metrics
  log: Logger
  typeBase: string
  leaseMs: number
  /** The provider of a channel; undefined where the channel is gone. */
  providerOf: (channelId: string) => Promise<string | undefined>
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
const untold = 'The answer to the call that it was part of does not mention it.'

export function createResults(parts: ResultParts): Results {
  const { store, queries, preparation, notifications, metrics, log, typeBase, leaseMs, providerOf } = parts
  const { judged, accepted, settle } = createOutcomes(store, queries, typeBase)
  const redirected = new WeakSet<MessageRow>()
  const undone = new WeakSet<MessageRow>()

  const nextOf = ({ row, encoded, prepared }: Part, outcome: Answered['outcome']): MessageRow => {
    // With the request possibly out, unknown is the only true word for a defect of ours.
    if (outcome === 'defect')
      return judged(row, doubtful(row.provider, 'internal', 'Switchboard failed while sending.'))
    if (outcome === 'untold') return judged(row, doubtful(row.provider, 'outcome_unknown', untold))
    if ('verdict' in outcome) return judged(row, outcome.verdict)
    return accepted(row, outcome.receipt, (encoded ?? prepared!).warnings)
  }

  const judge: Results['judge'] = (answered, { strategy, channel }) => {
    const verdicts = answered.flatMap(({ outcome }) =>
      typeof outcome === 'object' && 'verdict' in outcome ? [outcome.verdict] : []
    )
    // One template for all of them, so one refusal is enough to learn from.
    const refusal = verdicts.find(verdict => verdict.aboutTemplate) ?? verdicts[0]
    if (refusal) preparation.refused(draftOf(answered[0]!.part.row), channel, refusal)
    return answered.map(({ part, outcome, record }) => {
      try {
        return { part, next: nextOf(part, outcome), record }
      } catch (error) {
        log.error({ err: error, ...strategy.subject(part.row) }, strategy.words.defect)
        return { part, next: nextOf(part, 'defect'), record }
      }
    })
  }

  const redirect: Results['redirect'] = async all => {
    const staying: Judged[] = []
    for (const one of all) {
      const row = one.next.state === 'failed' ? await claimInstead(one) : undefined
      if (!row) staying.push(one)
      else {
        redirected.add(row)
        one.part.row = row
      }
    }
    return staying
  }
  /** The row claimed for what comes next; undefined: it has failed. */
  const claimInstead = async ({ next, record }: Judged): Promise<MessageRow | undefined> => {
    const instead = await failover(next, providerOf)
    if (!instead) return undefined
    const entry = timelineEntry(store.clock(), instead.row, instead.detail, record)
    const taken = await store
      .write(() => change(queries.redirect({ ...instead.row, entry, lease_ms: leaseMs })))
      .catch(error => {
        // It has been refused, and is told so: going on is a favour, keeping the result is not.
        log.error({ err: error, message: next.id }, 'a refused message cannot go on')
        return 0
      })
    return taken === 0 ? undefined : instead.row
  }

  /** Settles results in one commit. What somebody else had decided is returned as it then stands. */
  function* settleAll(results: Judged[], awaited: boolean): Unit<{ row: MessageRow; ours: boolean }[]> {
    const written: { row: MessageRow; ours: boolean }[] = []
    for (const { next, record } of results) {
      const detail = next.error === null ? null : (JSON.parse(next.error) as MessageError).detail
      const row = yield* settle(next, detail, record)
      // A caller may wait for a queued message at another replica.
      if (row && awaited && store.notifications) yield store.notifications.publish(row.id)
      written.push({ row: row ?? (yield* first(queries.byId({ id: next.id }))) ?? next, ours: row !== undefined })
    }
    failpoint('before_result_commit')
    return written
  }

  const persistSome = async (some: Judged[], attempt: Attempt): Promise<void> => {
    const { strategy, awaited } = attempt
    const kept = () => log.error(strategy.results(some), strategy.words.kept)
    const written = await writeUntilStored(store, () => settleAll(some, awaited), kept).catch(async error => {
      if (some.length > 1) for (const one of some) await persistSome([one], attempt)
      else log.error({ err: error, ...strategy.results(some) }, 'a result could not be stored: its lease decides')
    })
    if (!written) return
    failpoint('after_result_commit')
    for (const [i, { row, ours }] of written.entries()) {
      const one = some[i]!
      one.part.row = row
      notifications.publish(row.id)
      if (!ours) continue
      metrics.message(row.channel_id, row.state)
      strategy.tell(row, one)
    }
  }

  const persist: Results['persist'] = async (all, attempt) => {
    for (let i = 0; i < all.length; i += settledAtOnce) await persistSome(all.slice(i, i + settledAtOnce), attempt)
  }

  function* undoAll(parts: Part[]): Unit<{ row: MessageRow; ours: boolean }[]> {
    const written: { row: MessageRow; ours: boolean }[] = []
    for (const { row } of parts) {
      const next: MessageRow = { ...row, state: 'queued', attempts: row.attempts - 1 }
      const entry = timelineEntry(store.clock(), next, 'its turn had passed: it waits for another')
      const ours = (yield* change(queries.undoAttempt({ id: row.id, attempts: row.attempts, entry }))) > 0
      written.push({ row: ours ? next : ((yield* first(queries.byId({ id: row.id }))) ?? next), ours })
    }
    return written
  }

  const undo: Results['undo'] = async parts => {
    const held = (): void =>
      log.warn(
        { messages: parts.map(({ row }) => row.id) },
        'what has not left cannot go back into line yet: it is tried again'
      )
    for (const [i, { row, ours }] of (await writeUntilStored(store, () => undoAll(parts), held)).entries()) {
      parts[i]!.row = row
      if (ours) undone.add(row)
    }
  }

  return { judge, redirect, persist, undo, redirected, undone }
}
