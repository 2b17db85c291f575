import type {
  Delivery,
  DeliveryAttempt,
  DeliveryQuery,
  ReplayEvents,
  TestSubscription
} from '../../schemas/deliveries.ts'
import { eventExamples } from '../../schemas/event-examples.ts'
import type { EventType } from '../../schemas/events.ts'
import type { Subscription } from '../../schemas/subscriptions.ts'
import { invalid, ServiceError } from '../errors.ts'
import { type Journal, placeOf } from '../events/index.ts'
import { newId } from '../ids.ts'
import type { Caller } from '../keys/caller.ts'
import type { Rights } from '../keys/rights.ts'
import { auditEntry } from '../store/audit.ts'
import { pageRequest, toPage } from '../store/page.ts'
import type { DeliveryRow, ReplayRow, SubscriptionRow } from '../store/schema-subscriptions.ts'
import { first, type Store } from '../store/store.ts'
import type { Poster } from '../upstream/post.ts'
import { attempt } from './attempt.ts'
import { wanted } from './follow.ts'
import { payloadOf } from './payload.ts'
import { type DeliveryQueries, locked } from './queries.ts'
import type { Secrets } from './secrets.ts'
import { type Subscriptions, toSubscription } from './subscriptions.ts'

/** What callers see and do with what is delivered. */
export interface DeliveryActs {
  list: (caller: Caller, id: string, query: DeliveryQuery) => Promise<{ items: Delivery[]; nextCursor: string | null }>
  /** Posts an example once, to a disabled subscription too; it counts for nothing. */
  test: (caller: Caller, id: string, input: TestSubscription) => Promise<Delivery>
  /** Sends events once more, signed anew; it counts for nothing. */
  replay: (caller: Caller, id: string, input: ReplayEvents) => Promise<Subscription>
}

export interface DeliveryActsParts {
  store: Store
  subscriptions: Pick<Subscriptions, 'find' | 'requireRights'>
  queries: Pick<DeliveryQueries, 'make'>
  journal: Pick<Journal, 'at' | 'end'>
  secrets: Pick<Secrets, 'current'>
  rights: Rights
  poster: () => Promise<Poster>
  /** A range is to be read. */
  wake: () => void
  /** A delivery is due. */
  deliver: (subscriptionId: string) => void
  clock: () => number
}

const iso = (ms: number): string => new Date(ms).toISOString()
const attemptsOf = (log: string): DeliveryAttempt[] =>
  log
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as DeliveryAttempt)

const toDelivery = (row: DeliveryRow): Delivery => ({
  id: row.id,
  eventId: row.event_id,
  type: row.type as EventType,
  kind: row.kind,
  status: row.state,
  attempts: attemptsOf(row.log),
  // While it is in hand nobody knows whether there will be another.
  ...(row.state === 'pending' && row.run_at !== null && row.lease === null && { nextAttemptAt: iso(row.run_at) }),
  createdAt: iso(row.created_at)
})

export function createDeliveryActs(parts: DeliveryActsParts): DeliveryActs {
  const { store, subscriptions, queries, journal, secrets, rights, clock } = parts
  const { build } = store

  const owned = async (caller: Caller, id: string): Promise<SubscriptionRow> => {
    const row = await subscriptions.find(caller, id)
    await subscriptions.requireRights(caller, row)
    if (row.disabled_reason === 'key_ended')
      throw new ServiceError('conflict', `The key that made ${id} has ended, and its rights with it.`)
    return row
  }
  const unknownEvent = (id: string) =>
    new ServiceError(
      'not_found',
      `There is no event ${id} that this subscription asks for, or it is not kept any longer.`
    )

  const replayOne = async (row: SubscriptionRow, eventId: string): Promise<void> => {
    const position = placeOf(eventId)
    const event = position === undefined ? undefined : await journal.at(position)
    const maker = await rights(row.key_id)
    if (!event || event.event.id !== eventId || !maker || !wanted(row, maker)(event.head)) throw unknownEvent(eventId)
    await store.write(function* () {
      yield* first(locked(store, row.id))
      yield* queries.make(row, [event], clock(), newId('rpl'))
    })
    parts.deliver(row.id)
  }
  const replayRange = async (row: SubscriptionRow, { since, until, onlyFailed }: ReplayEvents): Promise<void> => {
    const from = Date.parse(since!)
    const end = await journal.end()
    // Places are microseconds since 1970 (store/schema-events.ts).
    const last = until === undefined ? end : Math.min(end, Date.parse(until) * 1000 + 999)
    if (until !== undefined && Date.parse(until) < from) throw invalid('/until', 'must not lie ahead of since')
    const range: ReplayRow = {
      id: newId('rpl'),
      subscription_id: row.id,
      position: Math.max(0, from * 1000 - 1),
      until: last,
      only_failed: onlyFailed ? 1 : 0,
      created_at: clock()
    }
    if (range.position >= last) return
    await store.write(function* () {
      yield build.insertInto('replays').values(range).compile()
    })
    parts.wake()
  }

  return {
    list: async (caller, id, query) => {
      await subscriptions.find(caller, id)
      const { limit, after } = pageRequest(query)
      let rows = build
        .selectFrom('deliveries')
        .selectAll()
        .where('subscription_id', '=', id)
        .orderBy('id', 'desc')
        .limit(limit + 1)
      if (query.status) rows = rows.where('state', '=', query.status)
      if (after) rows = rows.where('id', '<', after)
      const { items, nextCursor } = toPage(await store.read(rows.compile()), limit)
      return { items: items.map(toDelivery), nextCursor }
    },

    test: async (caller, id, { type }) => {
      const row = await owned(caller, id)
      const now = clock()
      const eventId = newId('evt')
      const event = { ...eventExamples[type], id: eventId, type, at: iso(now), mode: row.mode } as never
      const body = payloadOf({ event, text: JSON.stringify(event) }, row.payload)
      const signing = await secrets.current(id, now)
      const done = await attempt(
        await parts.poster(),
        { url: row.url, eventId, body, secrets: signing, test: true },
        clock
      )
      const delivery: DeliveryRow = {
        ...{ id: newId('dlv'), subscription_id: id, position: 0, event_id: eventId, type, kind: 'test', lane: null },
        state: done.verdict === 'delivered' ? 'delivered' : 'failed',
        ...{ run_at: null, lease: null, attempts: 1, log: `${JSON.stringify(done.attempt)}\n` },
        ...{ created_at: now, ended_at: clock() }
      }
      await store.write(function* () {
        yield build.insertInto('deliveries').values(delivery).compile()
      })
      return toDelivery(delivery)
    },

    replay: async (caller, id, input) => {
      if ((input.eventId === undefined) === (input.since === undefined))
        throw invalid('/eventId', 'or /since must be given, and only one of them')
      for (const name of ['until', 'onlyFailed'] as const)
        if (input.eventId !== undefined && input[name] !== undefined)
          throw invalid(`/${name}`, 'belongs to since: with eventId it is one event')
      const row = await owned(caller, id)
      if (input.eventId !== undefined) await replayOne(row, input.eventId)
      else await replayRange(row, input)
      const { eventId, since, until, onlyFailed } = input
      await store.write(function* () {
        yield* auditEntry(store, caller, 'subscription.replayed', id, { eventId, since, until, onlyFailed })
      })
      return toSubscription(await subscriptions.find(caller, id))
    }
  }
}
