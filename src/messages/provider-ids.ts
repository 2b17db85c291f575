import { type CompiledQuery, sql } from 'kysely'
import type { MessageRow } from '../store/schema.ts'
import type { MessageIdRow, ParkedEventRow } from '../store/schema-inbound.ts'
import { all, change, first, prepare, type Store, type Unit } from '../store/store.ts'
import type { ProviderEvent } from './provider-status.ts'

// Which message an id of the provider's names (docs/webhooks.md A5: WATI has three for one message). What is told under an id
// that nobody knows is parked in the very row that the id will get: whoever learns the id afterwards meets that row, on
// both databases, so neither can miss the other.

/** Something told of a message, for when it is known whose. */
export interface Parked {
  identity: string
  event: ProviderEvent
  /** What it is if it turns out to be no message of ours; the inbound room's business. */
  else?: unknown
  /** All channels that it was parked for, the one that it is read as first. */
  channels?: readonly string[]
}

type Place = Pick<MessageIdRow, 'channel_id' | 'mode'>

export type MessageIds = ReturnType<typeof messageIds>

export function messageIds(store: Store) {
  const { build } = store
  const placed = ({ channel_id, mode }: Place) =>
    build.selectFrom('parked_events').where('channel_id', '=', channel_id).where('mode', '=', mode)
  const key = ['channel_id', 'mode', 'provider_id'] as const
  type Id = Pick<MessageIdRow, (typeof key)[number] | 'message_id' | 'attempt' | 'parked' | 'created_at'>
  const values = (p: Required<Id>): MessageIdRow => ({
    ...{ channel_id: p.channel_id, mode: p.mode, provider_id: p.provider_id },
    ...{ message_id: p.message_id, attempt: p.attempt, parked: p.parked, created_at: p.created_at }
  })
  // One id a statement: compiled once, they cost less than one built anew for all.
  const nameNew = prepare<Id, unknown>(p =>
    build
      .insertInto('message_ids')
      .values(values(p))
      .onConflict(conflict => conflict.doNothing())
  )
  /** For an id that has been heard of: the same, and what stands there. */
  const nameOne = prepare<Id, Pick<MessageIdRow, 'parked'>>(p =>
    build
      .insertInto('message_ids')
      .values(values(p))
      .onConflict(conflict =>
        conflict
          .columns([...key])
          .doUpdateSet({ message_id: sql`excluded.message_id`, attempt: sql`excluded.attempt` })
          .where('message_ids.message_id', 'is', null)
      )
      .returning('parked')
  )
  const markOne = prepare<Id, Pick<MessageIdRow, 'parked'>>(p =>
    build
      .insertInto('message_ids')
      .values(values(p))
      .onConflict(conflict =>
        conflict
          .columns([...key])
          .doUpdateSet({ parked: 1 })
          .where('message_ids.message_id', 'is', null)
      )
      .returning('parked')
  )
  const parkOne = prepare<ParkedEventRow, unknown>(p =>
    build
      .insertInto('parked_events')
      .values({
        ...{ channel_id: p.channel_id, mode: p.mode, provider_id: p.provider_id },
        ...{ identity: p.identity, event: p.event, at: p.at, due_at: p.due_at }
      })
      .onConflict(conflict => conflict.doNothing())
  )
  const found = build.selectFrom('message_ids').selectAll().where('message_id', 'is not', null)
  const findOne = prepare<Pick<Id, (typeof key)[number]>, MessageIdRow>(p =>
    found.where('channel_id', '=', p.channel_id).where('mode', '=', p.mode).where('provider_id', '=', p.provider_id)
  )

  return {
    /** What some ids name on any of these channels, as far as it is known. */
    find: (
      mode: MessageRow['mode'],
      channels: readonly string[],
      ids: readonly string[]
    ): CompiledQuery<MessageIdRow> =>
      channels.length === 1 && ids.length === 1
        ? findOne({ channel_id: channels[0]!, mode, provider_id: ids[0]! })
        : found.where('channel_id', 'in', channels).where('mode', '=', mode).where('provider_id', 'in', ids).compile(),

    /** From now on these ids name this message; one that names another stays with that. Answers what was parked under them. */
    link: function* (place: Place, message: { id: string; attempt: number }, ids: readonly string[]): Unit<Parked[]> {
      const waiting: string[] = []
      for (const provider_id of ids) {
        const name = { message_id: message.id, attempt: message.attempt, parked: 0, created_at: store.clock() }
        const id = { ...place, provider_id, ...name }
        if ((yield* change(nameNew(id))) > 0) continue
        const named = yield* first(nameOne(id))
        if (named?.parked === 1) waiting.push(provider_id)
      }
      if (waiting.length === 0) return []
      const parked = yield* all(placed(place).selectAll().where('provider_id', 'in', waiting).orderBy('at'))
      if (parked.length === 0) return []
      const events = new Map(
        parked.map(({ identity, event }) => [identity, JSON.parse(event) as Omit<Parked, 'identity'>])
      )
      // Under whichever of its ids, and for whichever channel of the number each was parked, it has its effect once.
      const channels = [...new Set([place.channel_id, ...[...events.values()].flatMap(each => each.channels ?? [])])]
      yield build
        .deleteFrom('parked_events')
        .where('channel_id', 'in', channels)
        .where('mode', '=', place.mode)
        .where('identity', 'in', [...events.keys()])
        .compile()
      if (channels.length > 1)
        yield build
          .deleteFrom('message_ids')
          .where('channel_id', 'in', channels)
          .where('mode', '=', place.mode)
          .where('provider_id', 'in', ids)
          .where('message_id', 'is', null)
          .compile()
      return [...events].map(([identity, rest]) => ({ identity, ...rest }))
    },

    /** Keeps what was told until one of its ids is known. Answers false where one has become known this moment. */
    park: function* (
      places: readonly Place[],
      ids: readonly string[],
      { identity, channels, ...rest }: Parked,
      due_at: number | null
    ): Unit<boolean> {
      const at = store.clock()
      const event = JSON.stringify({ ...rest, ...(places.length > 1 && { channels }) })
      for (const { channel_id, mode } of places)
        for (const provider_id of ids) {
          const id = { channel_id, mode, provider_id }
          const unknown = { ...id, message_id: null, attempt: 0, parked: 1, created_at: at }
          if ((yield* all(markOne(unknown))).length === 0) return false
          yield parkOne({ ...id, identity, event, at, due_at })
        }
      return true
    }
  }
}
