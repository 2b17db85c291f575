import { sql } from 'kysely'
import type { MessageFilter } from '../../schemas/messages.ts'
import { type Caller, hasScope } from '../keys/caller.ts'
import { isUserId } from '../phone.ts'
import { late, lateMs, rare, rarely, waiting } from '../store/migrations/lists.ts'
import type { PageRequest } from '../store/page.ts'
import { idAt } from '../store/retention.ts'
import type { MessageRow } from '../store/schema.ts'
import { all, prepare, type Store, type Unit } from '../store/store.ts'
import { type Condition, comparing, type Narrowing, narrowed } from './filter.ts'

// A page of messages comes down one or several ways, each an index in the order of the ids in which all that fits stands
// together: so a page costs the same in a store of any size (docs/decisions/0101). What no way is for is compared.

export type ListFilter = Narrowing & Pick<MessageFilter, 'status'>

/** Where a service's messages through one channel stand. */
type Place = Pick<MessageRow, 'service' | 'channel_id'>

/** More ways than this are not gone: SQLite takes at most 500 queries in one. */
const mostWays = 200
/** More messages than all processes of a store can have in hand. */
const mostInHand = 10_000
/** By so much an id may be older than its message says: processes made ids by their own clocks once. */
const earlyMs = 3600_000

const isRare = (status: string): boolean => (rare as readonly string[]).includes(status)

/** Whose messages a caller can mean; undefined: everybody's. */
function servicesOf(caller: Caller, { direction }: ListFilter): string[] | undefined {
  // What comes in is of no service.
  if (direction === 'inbound') return ['']
  if (hasScope(caller, 'read_all')) return undefined
  return hasScope(caller, 'inbound:read') ? [caller.service, ''] : [caller.service]
}

/** What processes have in hand, which is never much: by the words and the order of its index. */
const inHand: Condition = eb =>
  eb(
    'id',
    'in',
    eb
      .selectFrom('messages')
      .select('id')
      .where(sql<boolean>`state in ('claimed', 'sending')`)
      .orderBy('lease_until')
      .limit(mostInHand)
  )

type Named = 'service' | 'channel_id' | 'contact' | 'user_id' | 'reference' | 'broadcast_id'
const is =
  (column: Named, value: string): Condition =>
  eb =>
    eb(column, '=', value)
/** By the primary key: what is not found by an id comes as it stands, the newest first. */
const anything: Condition = eb => eb.and([])

/** The ways of what names few messages; undefined where nothing does. */
function directWays({
  people,
  reference,
  providerMessageId,
  broadcastId,
  status
}: ListFilter): Condition[] | undefined {
  if (providerMessageId) return [anything]
  if (reference) return [is('reference', reference)]
  if (people)
    return [...people.map(name => is('contact', name)), ...people.filter(isUserId).map(name => is('user_id', name))]
  if (broadcastId) return [is('broadcast_id', broadcastId)]
  if (status === 'sending') return [inHand]
  return undefined
}

/** The words of the index of what waits, or of a state that few messages end in; undefined: there is none for it. */
function fewOf(status: ListFilter['status']): Condition | undefined {
  if (status === 'queued') return () => sql<boolean>`${sql.raw(waiting)}`
  if (status !== undefined && isRare(status))
    return () => sql<boolean>`${sql.raw(rarely)} and state = ${sql.lit(status)}`
  return undefined
}

/** Lists of messages, as a unit that reads. */
export function messageList({ build, dialect }: Store) {
  const compared = comparing(dialect)
  /** From place to place down the index, not from message to message. */
  const places = prepare<{ mode: string; service?: string }, Place>(p => ({
    compile: () =>
      sql<Place>`
        with recursive services(service) as (
          select coalesce(cast(${p.service} as text), (select min(service) from messages))
          union all
          select (select min(service) from messages where service > services.service) from services
          where services.service is not null and cast(${p.service} as text) is null
        ),
        places(service, channel_id) as (
          select s.service, (select min(channel_id) from messages m where m.service = s.service and m.mode = ${p.mode})
          from services s where s.service is not null
          union all
          select p.service, (select min(channel_id) from messages m
            where m.service = p.service and m.mode = ${p.mode} and m.channel_id > p.channel_id)
          from places p where p.channel_id is not null
        )
        select service, channel_id from places where channel_id is not null`.compile(build)
  }))

  /** The ways of all that a caller can mean. */
  function* ways(caller: Caller, filter: ListFilter): Unit<Condition[]> {
    const direct = directWays(filter)
    if (direct) return direct
    const { mode, channels } = caller
    const { status, channel } = filter
    const services = servicesOf(caller, filter)
    const few = fewOf(status)
    if (!few && !services && !channel && !channels && mode === 'live') return [anything]
    const found: Place[] = []
    for (const service of services ?? [undefined])
      found.push(...(yield* all(places({ mode, ...(service !== undefined && { service }) }))))
    const ofService =
      (service: string, rest: Condition): Condition =>
      eb =>
        eb.and([is('service', service)(eb), eb('mode', '=', mode), rest(eb)])
    const seen = found.filter(({ channel_id: id }) => (!channel || id === channel) && (!channels || channels.has(id)))
    const chosen = few
      ? [...new Set(seen.map(place => place.service))].map(service => ofService(service, few))
      : seen.map(({ service, channel_id }) => ofService(service, is('channel_id', channel_id)))
    return chosen.length > mostWays ? [anything] : chosen
  }

  /** The ids of one way from the newest on. */
  const down = (way: Condition, caller: Caller, filter: ListFilter, page: PageRequest) => {
    const { status, since } = filter
    return build
      .selectFrom('messages')
      .where(way)
      .where(narrowed(caller, filter, compared))
      .$if(status !== undefined, query =>
        query.where(compared('state'), 'in', status === 'queued' ? ['queued', 'claimed'] : [status!])
      )
      .$if(page.after !== undefined, query => query.where('id', '<', page.after!))
      .$if(since !== undefined, query => query.where('id', '>', idAt('msg', Date.parse(since!) - earlyMs)))
      .orderBy('id', 'desc')
      .limit(page.limit + 1)
  }

  /** Those that were made before an instant and got their ids after it. */
  const toldLate =
    (until: number, bound: string): Condition =>
    eb =>
      eb(
        'id',
        'in',
        eb
          .selectFrom('messages')
          .select('id')
          .where(sql<boolean>`${sql.raw(late(dialect))}`)
          .where('created_at', '<', until)
          .where(compared('id'), '>=', bound)
      )

  return function* list(caller: Caller, filter: ListFilter, page: PageRequest): Unit<MessageRow[]> {
    const { until } = filter
    const found = yield* ways(caller, filter)
    // An id says when its message was made, but for those that were told late: they have a way of their own.
    const bound = idAt('msg', until === undefined ? 0 : Date.parse(until) + lateMs)
    const walks = found.map(way =>
      down(way, caller, filter, page).$if(until !== undefined, query => query.where('id', '<', bound))
    )
    if (until !== undefined && walks.length > 0)
      walks.push(down(toldLate(Date.parse(until), bound), caller, filter, page))
    const [first, ...others] = walks
    if (!first) return []
    if (others.length === 0) return (yield* all(first.selectAll())) as MessageRow[]
    const [one, ...more] = walks.map(walk => build.selectFrom(walk.select('id').as('way')).select('way.id'))
    const ids = more.reduce((union, next) => union.union(next) as typeof union, one!)
    const newest = build
      .selectFrom(ids.as('ways'))
      .select('ways.id')
      .orderBy('ways.id', 'desc')
      .limit(page.limit + 1)
    const rows = build.selectFrom('messages').selectAll().where('id', 'in', newest).orderBy('id', 'desc')
    return (yield* all(rows)) as MessageRow[]
  }
}
