import { sql } from 'kysely'
import type { MessageRow } from '../store/schema.ts'
import type { MessageIdRow } from '../store/schema-inbound.ts'
import { all, type Store, type Unit } from '../store/store.ts'
import type { ProviderEvent } from './provider-status.ts'

// Which message an id of the provider's names (WEBHOOKS.md A5: WATI has three for one message). What is told under an id
// that nobody knows is parked in the very row that the id will get: whoever learns the id afterwards meets that row, on
// both databases, so neither can miss the other.

/** Something told of a message, for when it is known whose. */
export interface Parked {
  identity: string
  event: ProviderEvent
  /** What it is if it turns out to be no message of ours; the inbound room's business. */
  else?: unknown
}

type Place = Pick<MessageIdRow, 'channel_id' | 'mode'>

export type MessageIds = ReturnType<typeof messageIds>

export function messageIds({ build }: Store) {
  const rows = (
    places: readonly Place[],
    ids: readonly string[],
    more: Pick<MessageIdRow, 'message_id' | 'attempt' | 'parked'>
  ) =>
    places.flatMap(({ channel_id, mode }) =>
      ids.map((provider_id): MessageIdRow => ({ channel_id, mode, provider_id, ...more, created_at: Date.now() }))
    )
  const placed = ({ channel_id, mode }: Place) =>
    build.selectFrom('parked_events').where('channel_id', '=', channel_id).where('mode', '=', mode)

  return {
    /** What some ids name on any of these channels, as far as it is known. */
    find: (mode: MessageRow['mode'], channels: readonly string[], ids: readonly string[]) =>
      build
        .selectFrom('message_ids')
        .selectAll()
        .where('channel_id', 'in', channels)
        .where('mode', '=', mode)
        .where('provider_id', 'in', ids)
        .where('message_id', 'is not', null)
        .compile(),

    /** From now on these ids name this message; one that names another stays with that. Answers what was parked under them. */
    link: function* (place: Place, message: { id: string; attempt: number }, ids: readonly string[]): Unit<Parked[]> {
      if (ids.length === 0) return []
      const values = rows([place], ids, { message_id: message.id, attempt: message.attempt, parked: 0 })
      const linked = yield* all(
        build
          .insertInto('message_ids')
          .values(values)
          .onConflict(conflict =>
            conflict
              .columns(['channel_id', 'mode', 'provider_id'])
              .doUpdateSet({ message_id: sql`excluded.message_id`, attempt: sql`excluded.attempt` })
              .where('message_ids.message_id', 'is', null)
          )
          .returning(['provider_id', 'parked'])
      )
      const waiting = linked.filter(({ parked }) => parked === 1).map(({ provider_id }) => provider_id)
      if (waiting.length === 0) return []
      const found = yield* all(placed(place).selectAll().where('provider_id', 'in', waiting).orderBy('at'))
      if (found.length === 0) return []
      const events = new Map(
        found.map(({ identity, event }) => [identity, JSON.parse(event) as Omit<Parked, 'identity'>])
      )
      // Under whichever of its ids each was parked, it has its effect once.
      yield build
        .deleteFrom('parked_events')
        .where('channel_id', '=', place.channel_id)
        .where('mode', '=', place.mode)
        .where('identity', 'in', [...events.keys()])
        .compile()
      return [...events].map(([identity, parked]) => ({ identity, ...parked }))
    },

    /** Keeps what was told until one of its ids is known. Answers false where one has become known this moment. */
    park: function* (
      places: readonly Place[],
      ids: readonly string[],
      { identity, ...rest }: Parked,
      due_at: number | null
    ): Unit<boolean> {
      const values = rows(places, ids, { message_id: null, attempt: 0, parked: 1 })
      const marked = yield* all(
        build
          .insertInto('message_ids')
          .values(values)
          .onConflict(conflict =>
            conflict
              .columns(['channel_id', 'mode', 'provider_id'])
              .doUpdateSet({ parked: 1 })
              .where('message_ids.message_id', 'is', null)
          )
          .returning('provider_id')
      )
      if (marked.length < values.length) return false
      const event = JSON.stringify(rest)
      yield build
        .insertInto('parked_events')
        .values(
          values.map(({ channel_id, mode, provider_id }) => ({
            ...{ channel_id, mode, provider_id, identity, event, at: Date.now(), due_at }
          }))
        )
        .onConflict(conflict => conflict.doNothing())
        .compile()
      return true
    }
  }
}
