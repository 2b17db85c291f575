import { type Expression, type ExpressionBuilder, type RawBuilder, type SqlBool, sql } from 'kysely'
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

export type Condition = (eb: ExpressionBuilder<Database, 'messages'>) => Expression<SqlBool>

/** A column as a condition names it. */
export type Named = <T = string>(column: keyof Database['messages'] & string) => RawBuilder<T>
/**
 * Names columns that are only compared, so that no index is taken for them: SQLite, which knows nothing of how often a value
 * is there, would take whichever fits most conditions. PostgreSQL knows, and is left to it.
 */
export const comparing =
  (dialect: Store['dialect']): Named =>
  <T>(column: string) =>
    dialect === 'sqlite' ? sql<T>`+${sql.ref(column)}` : sql<T>`${sql.ref(column)}`

/** What a caller may see and asks for, but for the status. */
export const narrowed =
  (caller: Caller, filter: Narrowing, of: Named): Condition =>
  eb => {
    const all: Expression<SqlBool>[] = [eb(of('mode'), '=', caller.mode)]
    // What a channel received is of no service, and seen by keys that may read it; what was sent, by its own service.
    const [others, received] = [hasScope(caller, 'read_all'), hasScope(caller, 'inbound:read')]
    if (!others)
      all.push(received ? eb(of('service'), 'in', [caller.service, '']) : eb(of('service'), '=', caller.service))
    else if (!received) all.push(eb(of('service'), '!=', ''))
    // PostgreSQL has no empty list; no id is empty.
    if (caller.channels) all.push(eb(of('channel_id'), 'in', ['', ...caller.channels]))
    if (filter.channel) all.push(eb(of('channel_id'), '=', filter.channel))
    if (filter.people) all.push(ofPerson(filter.people, of)(eb))
    if (filter.direction) all.push(eb(of('direction'), '=', filter.direction))
    if (filter.reference) all.push(eb(of('reference'), '=', filter.reference))
    if (filter.providerMessageId) all.push(eb('id', 'in', namedBy(eb, caller.mode, filter.providerMessageId)))
    if (filter.final !== undefined) all.push(eb(of<number>('final'), '=', filter.final ? 1 : 0))
    if (filter.broadcastId) all.push(eb(of('broadcast_id'), '=', filter.broadcastId))
    if (filter.since) all.push(eb(of<number>('created_at'), '>=', Date.parse(filter.since)))
    if (filter.until) all.push(eb(of<number>('created_at'), '<', Date.parse(filter.until)))
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
export const ofPerson =
  (names: readonly string[], of: Named = column => sql.ref(column)): Condition =>
  eb => {
    const [name, ...others] = names
    const byContact = others.length === 0 ? eb(of('contact'), '=', name!) : eb(of('contact'), 'in', names)
    const userIds = names.filter(isUserId)
    return userIds.length === 0 ? byContact : eb.or([byContact, eb(of('user_id'), 'in', userIds)])
  }
