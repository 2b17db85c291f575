import { CompiledQuery } from 'kysely'
import type { MessageFilter } from '../schemas/messages.ts'
import { createDecisions } from '../src/delivery/scheduling/decisions.ts'
import { createRateLimiter } from '../src/delivery/scheduling/rate-limiter.ts'
import { free } from '../src/dispatch/admission.ts'
import type { Caller } from '../src/keys/caller.ts'
import { createNotifications } from '../src/messages/notifications.ts'
import { messageIds } from '../src/messages/provider-ids.ts'
import { messageQueries } from '../src/messages/queries.ts'
import { queueQueries } from '../src/messages/queue.ts'
import { createMessageReads } from '../src/messages/reads.ts'
import { createBodies, forgetKeys, idAt } from '../src/store/retention.ts'
import { forgetEvents, forgetRows } from '../src/store/row-retention.ts'
import type { MessageRow } from '../src/store/schema.ts'
import type { Store } from '../src/store/store.ts'
import { seldom } from './rows-fill.ts'
import { longestStatements } from './rows-longest.ts'

// What is timed: the parts of the server that ask the store, each call with other messages and people.

/** Does something. @returns the milliseconds that it took */
export interface Act {
  (): Promise<number>
  /** It uses up rows: once a round is enough. */
  once?: true
}

const dayMs = 24 * 3600_000
/** Messages and events that one step of retention takes, a commit of each; of keys the small store has fewer. */
const [step, keyStep] = [100, 25]
const [keepDays, retentionDays, keyDays] = [400, 30, 7]

type Picked = Pick<MessageRow, 'id' | 'contact' | 'reference' | 'provider_message_id'>

const as = (service: string, scopes: Caller['scopes'], more: Partial<Caller> = {}): Caller => ({
  ...{ keyId: `key_${service}`, service, mode: 'live', scopes },
  ...more
})
const admin = as('operator', new Set(['admin']))
const billing = as('billing', new Set(['messages:read']))

/** The store, and the milliseconds that it has been at work: without the rests that retention takes. */
function stopwatch(store: Store): { store: Store; spent: () => number } {
  let ms = 0
  const timed = async <T>(work: Promise<T>, begun = performance.now()): Promise<T> => {
    const value = await work
    ms += performance.now() - begun
    return value
  }
  const spent = () => {
    const [value] = [ms]
    ms = 0
    return value
  }
  return {
    store: { ...store, read: query => timed(store.read(query)), write: unit => timed(store.write(unit)) },
    spent
  }
}

/** Calls one after the other, with the next of a list each time. */
const eachOf =
  <T>(list: T[], act: (one: T) => Promise<unknown>, at = 0): Act =>
  async () => {
    const one = list[at++ % list.length]!
    const begun = performance.now()
    await act(one)
    return performance.now() - begun
  }

/** Messages from all over the store. */
async function pick(store: Store, rows: number): Promise<Picked[]> {
  const [first, last] = await Promise.all(
    ['asc', 'desc'].map(async order =>
      store.read(CompiledQuery.raw(`select created_at as at from messages order by id ${order} limit 1`))
    )
  )
  const [from, to] = [first, last].map(found => (found as { at: number }[])[0]!.at) as [number, number]
  const picked: Picked[] = []
  for (let i = 1; picked.length < 400; i++) {
    // Not of what retention takes meanwhile.
    const at = Math.floor(from + (0.2 + 0.79 * ((i * 0.618034) % 1)) * (to - from))
    const next = `select * from messages where id > '${idAt('msg', at)}' order by id limit 50`
    const rows = await store.read(CompiledQuery.raw(next) as CompiledQuery<MessageRow>)
    picked.push(
      ...rows
        .filter(
          row =>
            row.service === 'billing' &&
            row.mode === 'live' &&
            row.reference !== null &&
            row.provider_message_id !== null
        )
        .slice(0, 1)
    )
  }
  if (new Set(picked.map(({ id }) => id)).size < Math.min(300, rows / 40)) throw new Error('too few different messages')
  return picked
}

function claims(store: Store): Record<string, Act> {
  const queue = queueQueries(store)
  const { decide } = createDecisions({
    ...{ store, queue, leaseMs: 60_000, rateLimiter: createRateLimiter(store, 0) },
    ...{ limitsOf: () => [], freeSlots: () => 20, chunkOf: () => 1, opensAt: () => 0 },
    ...{ served: { last: new Map(), turn: 0, sinceBulk: 0 }, waitingFor: () => [], lead: () => 0, mayRetry: () => true }
  })
  return {
    'claim: one decision of the scheduler': async () => {
      const begun = performance.now()
      const { granted } = await store.write(() => decide('live'))
      const ms = performance.now() - begun
      if (granted?.permit !== free || granted.rows.length !== 1) throw new Error('nothing was claimed')
      const [{ id, lease_until, run_at }] = granted.rows as [(typeof granted.rows)[0]]
      await store.write(function* () {
        yield queue.requeue({ id, lease: lease_until!, run_at })
      })
      return ms
    },
    'look after: what is expired, abandoned or without a line': eachOf([0], async () => {
      await store.read(queue.abandoned('sending', false))
      await store.read(queue.abandoned('claimed', false))
      await store.write(function* () {
        yield queue.expireDue({ entry: '' })
        yield queue.enqueue({})
      })
    })
  }
}

function reads(store: Store, picked: Picked[], broadcast: string): Record<string, Act> {
  const { get, list } = createMessageReads({
    ...{ store, queries: messageQueries(store), notifications: createNotifications() }
  })
  const ids = messageIds(store)
  const pages = (caller: Caller, filterOf: (one: Picked) => MessageFilter, least = 1): Act =>
    eachOf(picked, async one => {
      const { items } = await list(caller, filterOf(one))
      if (items.length < least) throw new Error(`nothing was found by ${JSON.stringify(filterOf(one))}`)
    })
  const cursor = ({ id }: Picked) => Buffer.from(id).toString('base64url')
  const instant = (id: string) => Number.parseInt(id.slice(4, 16), 16)
  const status = (word: MessageFilter['status']) => ({
    [`list: status ${word}, any service`]: pages(admin, () => ({ status: word! })),
    [`list: status ${word}, own service`]: pages(billing, () => ({ status: word! }))
  })
  const reader = as('billing', new Set(['messages:read', 'inbound:read']))
  const restricted = as('billing', new Set(['messages:read']), { channels: new Set([seldom.channel]) })
  return {
    'get: by id': eachOf(picked, ({ id }) => get(billing, id)),
    'get: by an id of the provider, as a webhook asks': eachOf(picked, async one => {
      const channels = ['main', 'second', 'third', seldom.channel]
      const found = await store.read(ids.find('live', channels, [one.provider_message_id!]))
      if (found.length !== 1) throw new Error('no message has this id')
    }),
    'list: by an id of the provider, any service': pages(admin, one => ({
      providerMessageId: one.provider_message_id!
    })),
    'list: by an id of the provider, own service': pages(billing, one => ({
      providerMessageId: one.provider_message_id!
    })),
    'list: first page, any service': pages(admin, () => ({}), 25),
    'list: first page, own service': pages(billing, () => ({}), 25),
    'list: a page far down, any service': pages(admin, one => ({ cursor: cursor(one) }), 25),
    'list: a page far down, own service': pages(billing, one => ({ cursor: cursor(one) }), 25),
    ...Object.assign({}, ...(['queued', 'sending', 'unknown'] as const).map(status)),
    ...Object.assign({}, ...(['failed', 'expired', 'canceled', 'read'] as const).map(status)),
    'list: not final, any service': pages(admin, () => ({ final: false })),
    'list: not final, own service': pages(billing, () => ({ final: false })),
    'list: contact, any service': pages(admin, ({ contact }) => ({ contact: contact! })),
    'list: contact, own service': pages(billing, ({ contact }) => ({ contact: contact! })),
    'list: contact and channel': pages(admin, ({ contact }) => ({ contact: contact!, channel: 'main' }), 0),
    'list: reference, any service': pages(admin, ({ reference }) => ({ reference: reference! })),
    'list: reference, own service': pages(billing, ({ reference }) => ({ reference: reference! })),
    'list: channel': pages(admin, () => ({ channel: 'main' }), 25),
    'list: a channel with few messages, any service': pages(admin, () => ({ channel: seldom.channel })),
    'list: a channel with few messages, own service': pages(billing, () => ({ channel: seldom.channel })),
    'list: a key that may use one channel with few messages': pages(restricted, () => ({})),
    'list: a service with few messages': pages(as(seldom.service, new Set(['messages:read'])), () => ({})),
    'list: a test key': pages({ ...billing, mode: 'test' }, () => ({})),
    'list: a test key, any service': pages(
      as('qa', new Set(['messages:read', 'read_all']), { mode: 'test' }),
      () => ({})
    ),
    'list: own service, and what its channels received': pages(reader, () => ({}), 25),
    'list: a page far down, own service and received': pages(reader, one => ({ cursor: cursor(one) }), 25),
    'list: direction': pages(admin, () => ({ direction: 'inbound' }), 25),
    'list: broadcast': pages(billing, () => ({ broadcastId: broadcast })),
    'list: until an instant long ago': pages(admin, ({ id }) => ({ until: new Date(instant(id)).toISOString() }), 25),
    'list: ten days long ago, own service': pages(
      billing,
      ({ id }) => ({
        since: new Date(instant(id) - 10 * dayMs).toISOString(),
        until: new Date(instant(id)).toISOString()
      }),
      25
    )
  }
}

function retention(plain: Store): Record<string, Act> {
  const { store, spent } = stopwatch(plain)
  const { build } = store
  /** One step of it, at the instant at which just so many are due. */
  const due = (moment: () => Promise<number>, sweep: (now: number) => Promise<number>, wanted = step): Act => {
    const act: Act = async () => {
      const at = await moment()
      spent()
      const gone = await sweep(at)
      const ms = spent()
      if (gone < wanted * 0.9 || gone > wanted * 1.1) throw new Error(`${gone} are gone instead of ${wanted}`)
      return ms
    }
    act.once = true
    return act
  }
  const nth = (query: { compile: () => CompiledQuery<{ at: number | null }> }) => async () =>
    Number((await plain.read(query.compile()))[0]!.at)
  const rows = build.selectFrom('messages').select('created_at as at').orderBy('id').limit(1).offset(step)
  const oldest = nth(rows)
  const withContent = nth(rows.where('content', 'is not', null))
  const keys = nth(
    build
      .selectFrom('idempotency')
      .innerJoin('messages', 'messages.id', 'message_id')
      .select('messages.created_at as at')
      .where('message_id', '>', 'msg_')
      .orderBy('message_id')
      .limit(1)
      .offset(keyStep)
  )
  const events = nth(build.selectFrom('events').select('position as at').orderBy('position').limit(1).offset(step))
  const going = () => true
  return {
    'retention: drops the content of a hundred': due(
      async () => (await withContent()) + retentionDays * dayMs + 2000,
      now => createBodies(store, retentionDays)(now, going)
    ),
    'retention: deletes a hundred messages': due(
      async () => (await oldest()) + keepDays * dayMs + 2000,
      async now => (await forgetRows(store, now, keepDays, going)).messages
    ),
    'retention: forgets twenty-five keys': due(
      async () => (await keys()) + keyDays * dayMs + 2000,
      now => forgetKeys(store, now, going),
      keyStep
    ),
    'retention: forgets a hundred events': due(
      async () => (await events()) / 1000 + retentionDays * dayMs,
      now => forgetEvents(store, now, retentionDays, going)
    )
  }
}

/** Everything that is timed, by its name. */
export async function acts(store: Store, rows: number): Promise<Record<string, Act>> {
  const picked = await pick(store, rows)
  const one = store.build.selectFrom('broadcasts').select('id').where('service', '=', 'billing').orderBy('id', 'desc')
  const [broadcast] = await store.read(one.limit(1).compile())
  const longest = longestStatements(store, { 'any service': admin, 'own service': billing })
  return { ...claims(store), ...reads(store, picked, broadcast!.id), ...longest, ...retention(store) }
}
