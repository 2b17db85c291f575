import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
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

/** What a caller may see and asks for, but for the status. */
export const narrowed =
  (caller: Caller, filter: Narrowing, dialect: Store['dialect']) => (eb: ExpressionBuilder<Database, 'messages'>) => {
    // Where a person is named, that person's messages are gone through and all else is compared: SQLite, which knows nothing of
    // how often a value is there, would rather go through all of a service.
    const compared = filter.people && dialect === 'sqlite' ? sql`+` : sql``
    const of = (column: 'mode' | 'service' | 'channel_id') => sql<string>`${compared}${sql.ref(column)}`
    const all: Expression<SqlBool>[] = [eb(of('mode'), '=', caller.mode)]
    // What a channel received is of no service, and seen by keys that may read it; what was sent, by its own service.
    const [others, received] = [hasScope(caller, 'read_all'), hasScope(caller, 'inbound:read')]
    if (!others)
      all.push(received ? eb(of('service'), 'in', [caller.service, '']) : eb(of('service'), '=', caller.service))
    else if (!received) all.push(eb(of('service'), '!=', ''))
    // PostgreSQL has no empty list; no id is empty.
    if (caller.channels) all.push(eb(of('channel_id'), 'in', ['', ...caller.channels]))
    if (filter.channel) all.push(eb(of('channel_id'), '=', filter.channel))
    if (filter.people) all.push(ofPerson(filter.people)(eb))
    if (filter.direction) all.push(eb('direction', '=', filter.direction))
    if (filter.reference) all.push(eb('reference', '=', filter.reference))
    if (filter.providerMessageId) all.push(eb('id', 'in', namedBy(eb, caller.mode, filter.providerMessageId)))
    if (filter.final !== undefined) all.push(eb('final', '=', filter.final ? 1 : 0))
    if (filter.broadcastId) all.push(eb('broadcast_id', '=', filter.broadcastId))
    if (filter.since) all.push(eb('created_at', '>=', Date.parse(filter.since)))
    if (filter.until) all.push(eb('created_at', '<', Date.parse(filter.until)))
    return eb.and(all)
  }

/** The messages that an id of a provider's names, on whichever channel: down the primary key of message_ids. */
const namedBy = (eb: ExpressionBuilder<Database, 'messages'>, mode: Mode, providerId: string) =>
  eb
    .selectFrom('message_ids')
    .select(({ ref }) => ref('message_id').$notNull().as('id'))
    .where('channel_id', 'in', eb.selectFrom('channels').select('id'))
    .where('mode', '=', mode)
    .where('provider_id', '=', providerId)
    .where('message_id', 'is not', null)

/** To or from the person of these names: numbers, user ids or both. */
export const ofPerson = (names: readonly string[]) => (eb: ExpressionBuilder<Database, 'messages'>) => {
  const [name, ...others] = names
  const byContact = others.length === 0 ? eb('contact', '=', name!) : eb('contact', 'in', names)
  const userIds = names.filter(isUserId)
  return userIds.length === 0 ? byContact : eb.or([byContact, eb('user_id', 'in', userIds)])
}
