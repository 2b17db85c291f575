import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Test } from 'tap'
import type { CreateSubscription, SubscriptionWithSecret } from '../../schemas/subscriptions.ts'
import { createEvents, type Events, eventEntry } from '../../src/events/index.ts'
import type { Caller } from '../../src/keys/caller.ts'
import { createMetrics } from '../../src/metrics.ts'
import { openStore } from '../../src/store/index.ts'
import type { Store } from '../../src/store/store.ts'
import { createSubscriptionRoom, type SubscriptionRoom } from '../../src/subscriptions/index.ts'
import { createGuard } from '../../src/upstream/egress.ts'
import '../patience.ts'

/** The room of subscriptions on a store of its own, with a clock that is set by hand. */
export interface Bench {
  store: Store
  directory: string
  room: SubscriptionRoom
  events: Events
  log: string[]
  /** Milliseconds by which its clock is ahead. */
  forward: (ms: number) => void
  now: () => number
  /** Writes events of a contact into the journal, as rooms do. */
  happen: (
    count: number,
    more?: { contact?: string; channel?: string; service?: string; mode?: 'live' | 'test' }
  ) => Promise<void>
  subscribe: (input: Partial<CreateSubscription> & { url: string }, who?: Caller) => Promise<SubscriptionWithSecret>
  /** A second process on the same store; on SQLite once this one has stopped. */
  another: () => Promise<Bench>
  stop: () => Promise<void>
}

export const shop: Caller = {
  keyId: 'key_shop',
  service: 'shop',
  mode: 'live',
  scopes: new Set(['webhooks:write', 'events:read', 'inbound:read'])
}

export interface BenchOptions {
  /** postgres://…; absent: SQLite in a directory of its own. */
  databaseUrl?: string
  rights?: (keyId: string) => Promise<Caller | undefined>
  clock?: { ahead: number }
  /** A directory that another one has used, and left. */
  directory?: string
}

export async function bench(
  t: Test,
  { databaseUrl, rights, clock = { ahead: 0 }, directory: given }: BenchOptions = {}
): Promise<Bench> {
  const log: string[] = []
  const logger = pino({ level: 'info' }, { write: line => void log.push(line) })
  const directory = given ?? mkdtempSync(join(tmpdir(), 'switchboard-subs-'))
  const store = await openStore({ directory, ...(databaseUrl && { databaseUrl }) }, logger)
  const events = createEvents({ store, log: logger })
  const now = () => Date.now() + clock.ahead
  const room = createSubscriptionRoom({
    ...{ store, events, log: logger, clock: now, random: () => 0.5 },
    pepper: 'p'.repeat(32),
    metrics: createMetrics(),
    egress: async () => ({ guard: createGuard({ allow: ['127.0.0.0/8'] }) }),
    channels: { ids: async () => ['cloud', 'wati'] },
    config: { RETENTION_DAYS: 30 },
    rights: rights ?? (async () => shop)
  })
  events.start()
  room.start()
  let stopped = false
  const stop = async () => {
    if (stopped) return
    stopped = true
    await room.stop()
    await events.stop()
    await store.close()
  }
  t.teardown(async () => {
    await stop()
    if (!given) rmSync(directory, { recursive: true, force: true })
  })
  return {
    store,
    directory,
    room,
    events,
    log,
    now,
    stop,
    forward: ms => {
      clock.ahead += ms
      room.parts.deliverer.wake()
    },
    happen: async (count, { contact = '14155550100', channel = 'cloud', service = 'shop', mode = 'live' } = {}) => {
      await store.write(function* () {
        for (let i = 0; i < count; i++)
          yield eventEntry(store, {
            ...{ type: 'contact.changed', mode, channel, service, contact },
            data: { change: 'number', before: { waId: contact }, after: { waId: contact }, n: i }
          } as never)
      })
    },
    subscribe: (input, who = shop) =>
      room.acts.subscriptions.create(who, { events: ['contact.changed'], ...input } as CreateSubscription),
    another: () => bench(t, { clock, directory, ...(databaseUrl && { databaseUrl }), ...(rights && { rights }) })
  }
}
