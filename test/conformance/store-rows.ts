import type { Compilable, CompiledQuery } from 'kysely'
import { newId } from '../../src/ids.ts'
import type { Caller } from '../../src/keys/caller.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import type { Outcome } from '../../src/messages/transitions/message.ts'
import type { MessageRow } from '../../src/store/schema.ts'
import { all, change, type Store } from '../../src/store/store.ts'

/** The line that the messages of these cases wait in. */
export const line = 'live/0/billing/support/'

/** A message as it would stand in the store, with what a case cares about changed. */
export function message(changes: Partial<MessageRow> = {}): MessageRow {
  const now = Date.now()
  return {
    id: newId('msg'),
    service: 'billing',
    key_id: 'key_1',
    mode: 'live',
    channel_id: 'support',
    provider: 'wati',
    direction: 'outbound',
    contact: '14155551234',
    user_id: null,
    type: 'text',
    content: '{"body":"Hello"}',
    options: null,
    state: 'queued',
    final: 0,
    attempts: 0,
    lane: 0,
    queue: line,
    run_at: now - 1000,
    lease_until: null,
    send_at: null,
    expires_at: null,
    provider_message_id: null,
    reference: null,
    metadata: null,
    warnings: null,
    error: null,
    resolution: null,
    resend_of: null,
    broadcast_id: null,
    traceparent: null,
    timeline: '',
    created_at: now,
    accepted_at: null,
    sent_at: null,
    delivered_at: null,
    read_at: null,
    failed_at: null,
    origin: null,
    person: null,
    pricing: null,
    deliver_by: null,
    undelivered_at: null,
    ...changes
  }
}

/** A line for a timeline. */
export const entry = '{"at":1,"status":"sending","attempt":1}\n'

export const outcome = (row: MessageRow, changes: Partial<Outcome> = {}): Outcome => ({
  id: row.id,
  attempts: row.attempts,
  state: 'accepted',
  final: 0,
  run_at: row.run_at,
  provider_message_id: 'wamid.1',
  warnings: null,
  error: null,
  accepted_at: Date.now(),
  failed_at: null,
  entry,
  ...changes
})

export const caller = (changes: Partial<Caller> = {}): Caller => ({
  keyId: 'key_1',
  service: 'billing',
  mode: 'live',
  scopes: new Set(['messages:read']),
  ...changes
})

/** Writes one message; its lease is over where `leaseMs` is negative. */
export async function put(store: Store, row: MessageRow, leaseMs = 60_000): Promise<MessageRow> {
  const queries = messageQueries(store)
  await store.write(function* () {
    yield queries.insert({ ...row, lease_ms: leaseMs })
  })
  return row
}

export const get = async (store: Store, id: string): Promise<MessageRow> =>
  (await store.read(messageQueries(store).byId({ id })))[0]!

/** Rows that one query changes. */
export const changed = (store: Store, query: CompiledQuery | Compilable): Promise<number> =>
  store.write(function* () {
    return yield* change(query)
  })

/** Rows that one writing query returns. */
export const returned = <R>(store: Store, query: CompiledQuery<R> | Compilable<R>): Promise<R[]> =>
  store.write(function* () {
    return yield* all(query)
  })

/** How far the clock of a database on this machine may be from ours, in milliseconds. */
const apartMs = 500

/** Whether an instant is so many milliseconds after a moment between `since` and now, however long that was on a busy machine. */
export const countedSince = (since: number, instant: number, ms = 0): boolean =>
  instant >= since + ms - apartMs && instant <= Date.now() + ms + apartMs

/** Waits for something another process does, with a deadline in place of a nap. */
export async function until(what: () => Promise<boolean>, deadlineMs = 60_000): Promise<boolean> {
  for (const end = performance.now() + deadlineMs; performance.now() < end; ) {
    if (await what()) return true
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  return false
}

/** What a promise was rejected with. */
export const failure = (work: Promise<unknown>): Promise<Error & { code?: string }> =>
  work.then(
    () => {
      throw new Error('it was expected to fail')
    },
    error => error
  )
