import type { Encoded, Limit } from '../../adapters/adapter.ts'
import type { Permit } from '../../dispatch/admission.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import type { Suppressed } from '../../messages/suppressed.ts'
import type { BlockRow, MessageRow } from '../../store/schema.ts'
import { change, type Store, type Unit } from '../../store/store.ts'
import { retryPolicy } from '../retry-policy.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { Executor } from '../sending/attempt.ts'
import type { AcceptedRequest } from './accept.ts'
import type { Idempotency, IdempotencyScope, LockedRow } from './idempotency.ts'

/** How a new message goes on: at once, made ready first, or from the queue. */
export type Way = Permit | 'ready' | 'turn' | BlockRow
export const isPermit = (way: Way): way is Permit =>
  typeof way === 'object' && 'at' in way && 'until' in way && !('key' in way)
export const begunAs = (row: MessageRow, way: Way): MessageRow =>
  isPermit(way) ? { ...row, state: 'sending', attempts: 1 } : way === 'ready' ? { ...row, state: 'claimed' } : row

/** What a key stands for while the row is made, and the message that its own one takes the place of. */
interface Claiming {
  scope: IdempotencyScope
  hash: string
  replaces?: string
  lockMs: number
}

/** What the row is made with. */
export interface Making {
  claim: Claiming | undefined
  /** Inside the commit: throws where what the message rests on is not so any more. */
  rests: ((row: MessageRow) => Unit<void>) | undefined
  /** Absent where the message has to be made ready first. */
  encoded: Encoded | undefined
  /** It is to be sent later. */
  waits: boolean
}

export interface MakingParts {
  store: Store
  queries: MessageQueries
  suppressed: Suppressed
  idempotency: Idempotency
  scheduler: Scheduler
  executor: Executor
  /** What a message counts against, beside the account. */
  limitsOf: (row: MessageRow) => Limit[]
}

const { doubtfulCommit } = retryPolicy

/** The commits of a new message: the one that makes its row, and the one that takes it back. */
export function createMaking({ store, queries, suppressed, idempotency, scheduler, executor, limitsOf }: MakingParts) {
  function* takeBack({ id, attempts, resend_of }: MessageRow): Unit<void> {
    if ((yield* change(queries.withdraw({ id, attempts }))) === 0) return
    yield idempotency.forget(id)
    if (resend_of !== null) yield queries.reopen({ id: resend_of })
  }

  /**
   * Deletes a row whose insert failed and may have been committed all the same. Its caller is told that nothing was sent
   * and may try again, so it must not be sent later.
   */
  const withdraw = async (row: MessageRow): Promise<void> => {
    for (const end = performance.now() + doubtfulCommit.longestMs; performance.now() < end; ) {
      try {
        await store.write(() => takeBack(row))
        return
      } catch {
        // As the commit before: it is tried again.
        await new Promise(resolve => setTimeout(resolve, doubtfulCommit.everyMs).unref())
      }
    }
  }

  /** Stores the row and all that has to be with it in one commit, or finds who was there before. */
  function* make(
    { row, prepared, concern }: AcceptedRequest,
    { claim, rests, encoded, waits }: Making,
    tried: { way: Way }
  ): Unit<{ rival?: LockedRow | 'gone'; way: Way }> {
    if (claim?.replaces) {
      if (!(yield* idempotency.repoint(claim.scope, claim.replaces, row.id, claim.lockMs)))
        return { rival: 'gone', way: 'turn' }
    } else if (claim) {
      const other = yield* idempotency.claim(claim.scope, claim.hash, row.id, claim.lockMs)
      if (other) return { rival: other, way: 'turn' }
    }
    // In place of another that failed: what it rests on was settled with that one.
    if (rests && !claim?.replaces) yield* rests(row)
    yield* suppressed.require(row, concern)
    const kept = prepared.file?.media
    if (kept && row.expires_at !== null && kept.expires_at < row.expires_at)
      yield queries.keepFile({ id: kept.id, until: row.expires_at })
    const way: Way = waits
      ? 'turn'
      : encoded
        ? yield* scheduler.tryAcquire(row, limitsOf(row))
        : ((yield* scheduler.peek(row)) ?? 'ready')
    tried.way = way
    const first = begunAs(row, way)
    if (first.state === 'sending') yield* executor.insertSending(first)
    else yield queries.insert({ ...first, lease_ms: executor.leaseMs })
    return { way }
  }

  return { make, withdraw }
}
