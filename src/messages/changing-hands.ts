import { newId } from '../ids.ts'
import { isUserId } from '../phone.ts'
import type { IdentityRow } from '../store/schema.ts'
import { all, change, first, type Store, type Unit } from '../store/store.ts'
import { nameOf } from './suppressed.ts'

// A number that was somebody's and is somebody else's now: what was written, said and noted under it stays with its person.

type Place = Pick<IdentityRow, 'channel_id' | 'mode'>

/** What has not left yet goes to whoever has the number by then: nobody can say for whom it was meant. */
const onItsWay = ['queued', 'claimed', 'sending'] as const

export function changingHands(store: Store) {
  const { build } = store
  const cardOf = ({ channel_id, mode }: Place, phone: string) =>
    build
      .selectFrom('contacts')
      .select('id')
      .where('channel_id', '=', channel_id)
      .where('mode', '=', mode)
      .where('phone', '=', phone)

  /** Inside a unit: a card goes on under the first of some names that has none yet. */
  function* moveCard(place: Place, from: string, names: readonly string[]): Unit<void> {
    const card = yield* first(cardOf(place, from))
    if (!card) return
    for (const phone of names) {
      if (yield* first(cardOf(place, phone))) continue
      yield* change(build.updateTable('contacts').set({ phone }).where('id', '=', card.id))
      return
    }
  }

  /** Inside a unit: what was said under a name holds for another; the person's own will for that one alone. */
  function* moveSuppressions(mode: Place['mode'], from: string, to: string, at: number): Unit<void> {
    const said = build
      .selectFrom('suppressions')
      .selectAll()
      .where('mode', '=', mode)
      .where('name', '=', nameOf(from))
      .where('said_at', '<=', at)
    for (const row of yield* all(said)) {
      yield build
        .insertInto('suppressions')
        .values({ ...row, id: newId('sup', row.created_at), name: to, identity: to })
        .onConflict(conflict => conflict.columns(['mode', 'name', 'channel_id', 'category']).doNothing())
        .compile()
      // What a caller keeps is the caller's to lift.
      if (row.source === 'word' || row.source === 'whatsapp')
        yield build.deleteFrom('suppressions').where('id', '=', row.id).compile()
    }
  }

  return {
    moveCard,

    /** Inside a unit: the user id under which somebody last wrote from a number, or was written to, until an instant. */
    ownersOf: function* ({ channel_id, mode }: Place, number: string, at: number): Unit<string[]> {
      const last = build
        .selectFrom('messages')
        .select('user_id')
        .where('channel_id', '=', channel_id)
        .where('mode', '=', mode)
        .where('contact', '=', number)
        .where('user_id', 'is not', null)
        .where('created_at', '<=', at)
        .orderBy('created_at', 'desc')
        .limit(1)
      return (yield* all(last)).flatMap(({ user_id }) => user_id ?? [])
    },

    /**
     * Inside a unit: a number leaves the person of these user ids, on one channel.
     * @param at until when it was theirs, in milliseconds
     */
    leave: function* (
      place: Place,
      { number, ids, at }: { number: string; ids: readonly string[]; at: number }
    ): Unit<void> {
      const { channel_id, mode } = place
      const heir = ids[0]!
      const person = build
        .selectFrom('identities')
        .select('person')
        .where('channel_id', '=', channel_id)
        .where('mode', '=', mode)
        .where('identity', '=', number)
      const others = build
        .selectFrom('identities')
        .select('identity')
        .where('channel_id', '=', channel_id)
        .where('mode', '=', mode)
        .where('person', 'in', person)
        .where('identity', '!=', number)
        .orderBy('created_at', 'desc')
      const left = (yield* all(others)).map(({ identity }) => identity)
      yield build
        .deleteFrom('identities')
        .where('channel_id', '=', channel_id)
        .where('mode', '=', mode)
        .where('identity', '=', number)
        .compile()
      yield build
        .updateTable('messages')
        .set({ user_id: heir })
        .where('channel_id', '=', channel_id)
        .where('mode', '=', mode)
        .where('contact', '=', number)
        .where('user_id', 'is', null)
        .where('created_at', '<=', at)
        .where('state', 'not in', onItsWay)
        .compile()
      yield* moveSuppressions(mode, number, heir, at)
      // A number before an id.
      yield* moveCard(place, number, [...left.filter(name => !isUserId(name)), ...left.filter(isUserId)])
    }
  }
}
