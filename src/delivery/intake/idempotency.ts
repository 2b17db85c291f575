import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { ExpressionBuilder } from 'kysely'
import { ServiceError } from '../../errors.ts'
import { type IdPrefix, newId } from '../../ids.ts'
import { type Caller, requireChannel, requireRecipient, requireTemplate } from '../../keys/caller.ts'
import type { Seal } from '../../keys/seal.ts'
import type { Database, IdempotencyRow } from '../../store/schema.ts'
import { change, first, prepare, type Store, type Unit } from '../../store/store.ts'

/** What one Idempotency-Key belongs to: the service and not its key, so that rotating a key cannot cause a duplicate. */
export interface IdempotencyScope {
  service: string
  mode: string
  method: string
  path: string
  key: string
}

/** The answer to a request, as bytes: a replay must be the same to the last one. */
export interface Answer {
  status: number
  headers: Record<string, string>
  body: string
  replayed?: true
}

/** What an act holds while it is done under a key. */
export interface Claim {
  /** The id for what it makes: the key points to it from the beginning. */
  id: string
  /** Inside the commit that makes it: from then on the next request with the key finds it. Throws where the key is another's by now. */
  settle: () => Unit<void>
}

/** An act that must never be run again once it was done, as what it makes is sent to people. */
export interface Lasting {
  prefix: IdPrefix
  /** The answer for what was made under this id; undefined: it never came to be. */
  find: (id: string) => Promise<Answer | undefined>
}

export type Found =
  /** Answered before: the same again. */
  | { state: 'done'; answer: Answer; messageId: string }
  /** Begun, and nobody is at it any more: the row tells how it ended. */
  | { state: 'orphaned'; messageId: string }

/** Reads the header: 1–255 printable ASCII, bare or as a quoted string. Throws a 400. */
export function parseIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  const fault = (message: string) =>
    new ServiceError('invalid_request', `Idempotency-Key ${message}`, {
      errors: [{ path: 'header/Idempotency-Key', message }]
    })
  if (Array.isArray(header)) throw fault('must be given once')
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header)
  const key = quoted ? quoted[1]!.replace(/\\(["\\])/g, '$1') : header
  if (!/^[\x20-\x7e]{1,255}$/.test(key) || (!quoted && header.startsWith('"')))
    throw fault('must be 1 to 255 printable ASCII characters, bare or quoted')
  return key
}

/** The request's identity: its body in canonical form (RFC 8785), so that white space and member order do not matter. */
export const requestHash = (body: unknown): string =>
  createHash('sha256')
    .update(canonicalize(body) ?? '')
    .digest('hex')

/**
 * Throws the 403 that the caller would get for the object in a kept answer: rights hold for a replay as for the first
 * request, which another key of the service may have made (docs/api.md 11).
 */
export function requireReplay(caller: Caller, { body }: Pick<Answer, 'body'>): void {
  const { channel, to, phone, template } = JSON.parse(body || '{}') as Record<string, unknown>
  if (typeof channel === 'string') requireChannel(caller, channel)
  for (const person of [to, phone]) if (typeof person === 'string') requireRecipient(caller, person)
  const { name } = (template ?? {}) as { name?: unknown }
  if (typeof name === 'string') requireTemplate(caller, name)
}

/** How long an act other than a message may take before another request may take it over: an upload is the longest. */
const actLockMs = 120_000

/** In place of the end of a lock: what it was held for is done, so nobody may take it over. */
const done = -1

/** A record, and whether somebody is still at it by the store's clock. */
export type LockedRow = IdempotencyRow & { locked: number }

export function createIdempotency(store: Store, seal: Seal) {
  const { build, now } = store
  type Key = IdempotencyScope
  const mine = (p: Required<Key>) => (eb: ExpressionBuilder<Database, 'idempotency'>) =>
    eb.and([
      eb('service', '=', p.service),
      eb('mode', '=', p.mode),
      eb('method', '=', p.method),
      eb('path', '=', p.path),
      eb('key', '=', p.key)
    ])
  const find = prepare<Key, IdempotencyRow & { locked: number }>(p =>
    build
      .selectFrom('idempotency')
      .selectAll()
      .select(eb => eb.case().when('locked_until', '>', now).then(1).else(0).end().as('locked'))
      .where(mine(p))
  )
  // The lock is counted from the database's clock: replicas need not agree on the time.
  const insert = prepare<Key & { hash: string; message: string; lock_ms: number; at: number }, unknown>(p =>
    build
      .insertInto('idempotency')
      .values(eb => ({
        service: p.service,
        mode: p.mode,
        method: p.method,
        path: p.path,
        key: p.key,
        request_hash: p.hash,
        message_id: p.message,
        status: null,
        headers: null,
        body: null,
        locked_until: eb(now, '+', p.lock_ms),
        created_at: p.at
      }))
      .onConflict(conflict => conflict.doNothing())
  )
  const repoint = prepare<Key & { old: string; message: string; lock_ms: number }, unknown>(p =>
    build
      .updateTable('idempotency')
      .set(eb => ({ message_id: p.message, locked_until: eb(now, '+', p.lock_ms) }))
      .where(mine(p))
      .where('message_id', '=', p.old)
      .where('status', 'is', null)
      .where('locked_until', '<=', now)
      .where('locked_until', '<>', done)
  )
  const fill = prepare<Key & { message: string; status: number; headers: string; body: string }, unknown>(p =>
    build
      .updateTable('idempotency')
      .set({ status: p.status, headers: p.headers, body: p.body, locked_until: 0 })
      .where(mine(p))
      .where('message_id', '=', p.message)
      .where('status', 'is', null)
  )
  const unlock = prepare<Key & { message: string }, unknown>(p =>
    build
      .updateTable('idempotency')
      .set({ locked_until: 0 })
      .where(mine(p))
      .where('message_id', '=', p.message)
      .where('status', 'is', null)
  )

  const settled = prepare<Key & { holder: string }, unknown>(p =>
    build
      .updateTable('idempotency')
      .set({ locked_until: done })
      .where(mine(p))
      .where('message_id', '=', p.holder)
      .where('status', 'is', null)
  )

  const release = prepare<Key & { holder: string }, unknown>(p =>
    build
      .deleteFrom('idempotency')
      .where(mine(p))
      .where('message_id', '=', p.holder)
      .where('status', 'is', null)
      // Whatever went wrong afterwards.
      .where('locked_until', '<>', done)
  )

  const forget = prepare<{ message: string }, unknown>(p =>
    build.deleteFrom('idempotency').where('message_id', '=', p.message).where('status', 'is', null)
  )

  const inProgress = () =>
    new ServiceError('idempotency_in_progress', 'The first request with this Idempotency-Key is still running.', {
      retryAfterSeconds: 1
    })
  const judge = (row: LockedRow, hash: string): Found => {
    if (row.request_hash !== hash) {
      throw new ServiceError(
        'idempotency_key_reused',
        'This Idempotency-Key was used with another body: a new request needs a new key.'
      )
    }
    if (row.status !== null) {
      return {
        state: 'done',
        messageId: row.message_id!,
        answer: { status: row.status, headers: JSON.parse(row.headers ?? '{}'), body: row.body ?? '', replayed: true }
      }
    }
    if (row.locked === 1) throw inProgress()
    return { state: 'orphaned', messageId: row.message_id! }
  }

  function* claim(scope: Key, hash: string, message: string, lockMs: number): Unit<LockedRow | undefined> {
    for (;;) {
      const taken = yield* change(insert({ ...scope, hash, message, lock_ms: lockMs, at: store.clock() }))
      if (taken > 0) return undefined
      const there = yield* first(find(scope))
      // It may have been taken away between the two, on a store that others write to as well.
      if (there) return there
    }
  }
  function* takeFrom(scope: Key, old: string, message: string, lockMs: number): Unit<boolean> {
    return (yield* change(repoint({ ...scope, old, message, lock_ms: lockMs }))) > 0
  }
  /** What somebody else has kept before. */
  function* keepFirst(scope: Key, message: string, { status, headers, body }: Answer): Unit<LockedRow | undefined> {
    const changed = yield* change(fill({ ...scope, message, status, headers: JSON.stringify(headers), body }))
    return changed > 0 ? undefined : yield* first(find(scope))
  }
  function* settle(scope: Key, holder: string): Unit<void> {
    if ((yield* change(settled({ ...scope, holder }))) === 0) throw inProgress()
  }
  const keep = async (scope: Key, message: string, answer: Answer): Promise<Answer> => {
    const kept = await store.write(() => keepFirst(scope, message, answer))
    if (!kept || kept.status === null) return answer
    return { status: kept.status, headers: JSON.parse(kept.headers ?? '{}'), body: kept.body ?? '', replayed: true }
  }

  return {
    /** What is known of the key; undefined: it is free. Throws 422 for another body, 409 while the first one runs. */
    find: async (scope: Key, hash: string): Promise<Found | undefined> => {
      const [row] = await store.read(find(scope))
      return row && judge(row, hash)
    },
    /** Inside the unit that makes the message: takes the key for it, or gives what somebody else made of it meanwhile. */
    claim,
    judge,
    /** Inside the unit that makes another message in place of a failed one. False: somebody else was faster. */
    repoint: takeFrom,
    /** Inside the unit that takes a message back: its key is free again. */
    forget: (message: string) => forget({ message }),
    /** Keeps the answer for good. The first one kept wins; what was kept is returned. */
    keep,
    /**
     * Any act but a message: runs it at most once at a time, and keeps its answer if it succeeded. An act whose process
     * died in the middle is run again, but for one that shows something to customers: of that it is found what was made.
     * Answers rest sealed, since the one that makes a key holds its secret.
     */
    once: async (
      scope: Key,
      hash: string,
      act: (claim: Claim) => Promise<Answer>,
      lasting?: Lasting
    ): Promise<Answer> => {
      const holder = newId(lasting?.prefix ?? 'req')
      const keepSealed = async (id: string, answer: Answer): Promise<Answer> => {
        // It is done, and says so even where that cannot be kept: the object exists, and an answer of ours may hold its secret.
        const kept = await keep(scope, id, { ...answer, body: seal.close(answer.body) }).catch(() => undefined)
        // Another request may have found it meanwhile, and answered first.
        return lasting && kept?.replayed ? { ...kept, body: seal.open(kept.body) } : answer
      }
      const rival = await store.write(() => claim(scope, hash, holder, actLockMs))
      const found = rival && judge(rival, hash)
      if (found?.state === 'done') return { ...found.answer, body: seal.open(found.answer.body) }
      const made = found && (await lasting?.find(found.messageId))
      if (made) return keepSealed(found.messageId, { ...made, replayed: true })
      if (found && !(await store.write(() => takeFrom(scope, found.messageId, holder, actLockMs)))) throw inProgress()
      const answer = await act({ id: holder, settle: () => settle(scope, holder) }).catch(async error => {
        // Should this fail too, the key is free when its lock ends; the caller is told what went wrong with the act.
        await store.write(() => change(release({ ...scope, holder }))).catch(() => {})
        throw error
      })
      return keepSealed(holder, answer)
    },
    /** A 5xx is not kept: the next request with the key answers from the row. */
    unlock: (scope: Key, message: string): Promise<unknown> => store.write(() => change(unlock({ ...scope, message }))),
    /** At start on an embedded store: whoever held a lock is dead. */
    takeOver: (): Promise<unknown> =>
      store.write(() =>
        change(
          build
            .updateTable('idempotency')
            .set({ locked_until: 0 })
            .where('status', 'is', null)
            .where('locked_until', '<>', done)
        )
      )
  }
}
export type Idempotency = ReturnType<typeof createIdempotency>
