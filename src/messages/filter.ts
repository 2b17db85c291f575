import { type ExpressionBuilder, type RawBuilder, sql } from 'kysely'
import type { Mode } from '../../schemas/common.ts'
import type { MessageFilter } from '../../schemas/messages.ts'
import { type Caller, hasScope } from '../keys/caller.ts'
import { isUserId } from '../phone.ts'
import type { Database } from '../store/schema.ts'
import type { Store } from '../store/store.ts'

/** What a caller asks for, but for the status; a person by every name that is known. */
export type Narrowing = Omit<MessageFilter, 'status' | 'limit' | 'cursor' | 'contact'> & {
  people?: readonly string[] | undefined
}
export type ListFilter = Narrowing & Pick<MessageFilter, 'status'>

/**
 * What every row is compared with: what a caller may see and asks for. Null asks for nothing, and sets are JSON arrays, so that
 * one text of a statement serves every filter.
 */
export interface Asked {
  mode: Mode
  services: string | null
  /** 1: also what belongs to channels and to no service. */
  received: number
  channels: string | null
  channel: string | null
  people: string | null
  userIds: string | null
  direction: string | null
  state: string | null
  /** What is shown as that state, too. */
  stateToo: string | null
  reference: string | null
  providerId: string | null
  final: number | null
  broadcast: string | null
  since: number
  until: number
}

/** No instant is before the one, nor after the other. */
const [earliest, latest] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]

const json = (list: Iterable<string> | undefined): string | null => (list ? JSON.stringify([...list]) : null)

/** Says what a caller may see and asks for as the values of a statement. */
export function askedBy(caller: Caller, filter: ListFilter): Asked {
  const { people, status, final, since, until } = filter
  // What a channel received is of no service, and seen by keys that may read it; what was sent, by its own service.
  const received = hasScope(caller, 'inbound:read')
  const own = received ? [caller.service, ''] : [caller.service]
  return {
    mode: caller.mode,
    services: json(hasScope(caller, 'read_all') ? undefined : own),
    received: received ? 1 : 0,
    channels: json(caller.channels),
    channel: filter.channel ?? null,
    people: json(people),
    userIds: json(people?.filter(isUserId)),
    direction: filter.direction ?? null,
    state: status ?? null,
    stateToo: status === 'queued' ? 'claimed' : null,
    reference: filter.reference ?? null,
    providerId: filter.providerMessageId ?? null,
    final: final === undefined ? null : Number(final),
    broadcast: filter.broadcastId ?? null,
    since: since === undefined ? earliest : Date.parse(since),
    until: until === undefined ? latest : Date.parse(until)
  }
}

/** Whether nothing but the place of a message was asked for. */
export const asksNoMore = (asked: Asked): boolean =>
  asked.since === earliest &&
  asked.until === latest &&
  [asked.people, asked.direction, asked.state, asked.reference, asked.providerId, asked.final, asked.broadcast].every(
    value => value === null
  )

/** The messages that an id of a provider's names, on whichever channel: down the primary key of message_ids. */
export const namedBy = (p: Asked): RawBuilder<string> => sql`(
  select message_id from message_ids where channel_id in (select channels.id from channels) and mode = ${p.mode}
    and provider_id = ${p.providerId} and message_id is not null)`

/** The members of a set, which is a JSON array. */
export const membersOf = (list: string | null, dialect: Store['dialect']): RawBuilder<string> =>
  dialect === 'sqlite'
    ? sql`(select value from json_each(${list}))`
    : sql`(select json_array_elements_text(cast(${list} as json)))`

/** Whether a row is what was asked for. Written so that SQLite uses no index for any of it: the +, the || '' and the or are there for that. */
export function fits(p: Asked, dialect: Store['dialect']): RawBuilder<boolean> {
  const among = (list: string | null) => membersOf(list, dialect)
  const unasked = (value: string | number | null) => sql`cast(${value} as text) is null`
  return sql<boolean>`(
    +created_at >= ${p.since} and +created_at < ${p.until}
    and (${unasked(p.state)} or state || '' = ${p.state} or state || '' = ${p.stateToo})
    and (${unasked(p.direction)} or direction = ${p.direction})
    and (${unasked(p.final)} or +final = ${p.final})
    and (${p.received} = 1 or service <> '')
    and (${unasked(p.services)} or service in ${among(p.services)})
    and (${unasked(p.channel)} or channel_id = ${p.channel})
    and (${unasked(p.channels)} or channel_id in ${among(p.channels)})
    and (${unasked(p.reference)} or reference = ${p.reference})
    and (${unasked(p.broadcast)} or broadcast_id = ${p.broadcast})
    and (${unasked(p.people)} or user_id in ${among(p.userIds)}
      or (contact in ${among(p.people)} and user_id is null))
    and (${unasked(p.providerId)} or id in ${namedBy(p)})
    and mode = ${p.mode})`
}

/**
 * To or from the person of these names: numbers, user ids or both. A number may have been somebody else's, whose user id the
 * message has then.
 */
export const ofPerson = (names: readonly string[]) => (eb: ExpressionBuilder<Database, 'messages'>) => {
  const userIds = names.filter(isUserId)
  const [name, ...others] = names
  const byNumber = eb.and([
    others.length === 0 ? eb('contact', '=', name!) : eb('contact', 'in', names),
    eb('user_id', 'is', null)
  ])
  return userIds.length === 0 ? byNumber : eb.or([eb('user_id', 'in', userIds), byNumber])
}
