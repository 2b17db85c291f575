import { sql } from 'kysely'
import type { HeardOutgoing } from '../adapters/adapter.ts'
import { blindId } from '../messages/erased.ts'
import { ofPerson } from '../messages/filter.ts'
import { identities, namesOf } from '../messages/identities.ts'
import { messageIds } from '../messages/provider-ids.ts'
import { attemptOf } from '../messages/provider-status.ts'
import type { MessageRow } from '../store/schema.ts'
import type { MessageIdRow } from '../store/schema-inbound.ts'
import { all, first, prepare, type Store, type Unit } from '../store/store.ts'
import type { Place } from './effects.ts'

// Whose message something is that a provider tells: by its ids, by what we planted, or because only we can have sent it.

/** So long a message of ours may be told of that nobody knows an id of. */
const doubtMs = 24 * 3600_000

export function createWhose(store: Store) {
  const { build } = store
  const ids = messageIds(store)
  const people = identities(store)
  const byId = prepare<{ id: string }, MessageRow>(p => build.selectFrom('messages').selectAll().where('id', '=', p.id))

  function* isOperators({ message_id }: MessageIdRow): Unit<boolean> {
    return (yield* first(byId({ id: message_id! })))?.origin === 'operator'
  }

  /** What was taken for an operator's was ours: its ids name ours from now on, and its row stays as it was told. */
  function* claim({ message_id }: MessageIdRow, ours: { id: string; attempt: number }): Unit<void> {
    yield build
      .updateTable('message_ids')
      .set({ message_id: ours.id, attempt: ours.attempt })
      .where('message_id', '=', message_id)
      .compile()
  }

  /** The message that some ids or our own name, the attempt that they are of, and those that are known. */
  function* find(
    { ids: told, ours }: { ids: string[]; ours?: string },
    { channel: { mode }, siblings }: Place
  ): Unit<{ id: string; attempt: number; known: string[] } | undefined> {
    const found: MessageIdRow[] = told.length === 0 ? [] : yield* all(ids.find(mode, siblings, told))
    const newest = found.sort((a, b) => b.attempt - a.attempt)[0]
    const known = found.map(({ provider_id }) => provider_id)
    const row = ours === undefined || newest?.message_id === ours ? undefined : yield* first(byId({ id: ours }))
    // Planted in what was sent: it proves that it is ours, of one that was sent at all.
    const proven = row && row.mode === mode && siblings.includes(row.channel_id) && row.attempts > 0
    if (newest && !(proven && (yield* isOperators(newest))))
      return { id: newest.message_id!, attempt: newest.attempt, known }
    if (proven) {
      const attempt = attemptOf(row)
      if (newest) yield* claim(newest, { id: row.id, attempt })
      return { id: row.id, attempt, known }
    }
    if (told.length === 0) return undefined
    // Of somebody who was erased nothing is kept by which the ids could be read.
    const [erased] = yield* all(ids.find(mode, siblings, told.map(blindId)))
    return erased && { id: erased.message_id!, attempt: erased.attempt, known }
  }

  /**
   * Whether a message of ours to this person is on its way. The provider may tell of it before it answers, under the name of
   * whoever our access belongs to.
   * @param still states in which it may be that the provider has not named it yet
   */
  function* onItsWay(
    { recipient }: HeardOutgoing,
    { channel: { id, mode }, siblings }: Place,
    still: readonly MessageRow['state'][] = ['unknown', 'accepted']
  ): Unit<boolean> {
    const told = namesOf(recipient).names.filter(name => name !== undefined)
    if (told.length === 0) return false
    const names = new Set(told)
    for (const name of told) for (const { identity } of yield* all(people.namesOf(mode, id, name))) names.add(identity)
    const known = [...names]
    const theirs = build
      .selectFrom('messages')
      .select('id')
      .where('mode', '=', mode)
      .where('channel_id', 'in', siblings)
      .where(ofPerson(known))
      .limit(1)
    // In the words and the order of a partial index.
    const inHand = theirs.where(sql<boolean>`state in ('claimed', 'sending')`).orderBy('lease_until')
    if ((yield* first(inHand)) !== undefined) return true
    // Its answer was lost, or named no id but our own: the provider knows it by one that we do not.
    const nameless = theirs
      .where('state', 'in', still)
      .where(eb => eb.or([eb('provider_message_id', 'is', null), eb('provider_message_id', '=', eb.ref('id'))]))
      .where('final', '=', 0)
      .where('created_at', '>', store.clock() - doubtMs)
    return (yield* first(nameless)) !== undefined
  }

  return { find, onItsWay }
}
