import { newId } from '../ids.ts'
import { isUserId } from '../phone.ts'
import type { IdentityRow } from '../store/schema.ts'
import { all, change, first, type Store, type Unit } from '../store/store.ts'
import { nameOf, namesBeside } from './names.ts'

// A number that was somebody's and is somebody else's now: what was written, said and noted under it stays with its person.

type Place = Pick<IdentityRow, 'channel_id' | 'mode'>

/** What has not left yet goes to whoever has the number by then: nobody can say for whom it was meant. */
const notLeft = ['queued', 'claimed', 'sending'] as const

export function changingHands(store: Store) {
  const { build } = store
  const cardsOf = ({ channel_id, mode }: Place, names: readonly string[]) =>
    build
      .selectFrom('contacts')
      .selectAll()
      .where('channel_id', '=', channel_id)
      .where('mode', '=', mode)
      .where('phone', 'in', names)
      .orderBy('id')

  function* removeCard(id: string): Unit<void> {
    yield build.deleteFrom('contact_attributes').where('contact_id', '=', id).compile()
    yield build.deleteFrom('contacts').where('id', '=', id).compile()
  }

  /**
   * Inside a unit: a person's card goes on under another name of the person, the first of these. Where there is a card
   * under one of them already the older stays, which is the one that was shown.
   */
  function* moveCard(place: Place, from: string, names: readonly string[]): Unit<void> {
    const card = yield* first(cardsOf(place, [from]))
    if (!card || names.length === 0) return
    const other = yield* first(cardsOf(place, names))
    if (other && other.id < card.id) return yield* removeCard(card.id)
    if (other) yield* removeCard(other.id)
    // Made anew: somebody may be making one for that name at this moment, and an update would fail then.
    const id = newId('con', card.created_at)
    const made = yield* change(
      build
        .insertInto('contacts')
        .values({ ...card, id, phone: other?.phone ?? names[0]! })
        .onConflict(conflict => conflict.columns(['channel_id', 'mode', 'phone']).doNothing())
    )
    if (made > 0)
      yield build.updateTable('contact_attributes').set({ contact_id: id }).where('contact_id', '=', card.id).compile()
    yield* removeCard(card.id)
  }

  /** Inside a unit: what was said under a name holds for another; the person's own will for that one alone. */
  function* moveSuppressions(
    mode: Place['mode'],
    from: string,
    to: string,
    { at, channels }: { at: number; channels: readonly string[] }
  ): Unit<void> {
    const said = build
      .selectFrom('suppressions')
      .selectAll()
      .where('mode', '=', mode)
      .where('name', '=', nameOf(from))
      .where('channel_id', 'in', ['', ...channels])
      .where('said_at', '<=', at)
    for (const row of yield* all(said)) {
      const { id: _, ...theirs } = { ...row, name: to, identity: to }
      const own = row.source === 'word' || row.source === 'whatsapp'
      yield build
        .insertInto('suppressions')
        .values({ ...theirs, id: newId('sup', row.created_at) })
        .onConflict(conflict => {
          const there = conflict.columns(['mode', 'name', 'channel_id', 'category'])
          // What a caller keeps is the caller's to lift.
          return own
            ? there.doNothing()
            : there.doUpdateSet(theirs).where('suppressions.source', 'in', ['word', 'whatsapp'])
        })
        .compile()
      if (own) yield build.deleteFrom('suppressions').where('id', '=', row.id).compile()
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
     * Inside a unit: a number leaves the person of these user ids, the newest first, on every channel where it is theirs.
     * @param at until when it was theirs, in milliseconds
     * @param siblings the channels of the number of ours that it was told to: a stop was said to all of them
     */
    leave: function* (
      place: Place,
      { number, ids, at, siblings }: { number: string; ids: readonly string[]; at: number; siblings: readonly string[] }
    ): Unit<void> {
      const { mode } = place
      // One of a parent account names several people.
      const heir = ids.find(id => !id.includes('.ENT.')) ?? ids[0]!
      const theirs = namesBeside(store, mode).where('named.identity', '=', number)
      const held = theirs
        .select('named.channel_id')
        .distinct()
        .where('other.identity', 'in', ids)
        .where('named.told_at', '<=', at)
      const channels = [
        ...new Set([place.channel_id, ...(yield* all(held)).map(({ channel_id }) => channel_id)])
      ].sort()
      for (const channel_id of channels) {
        const names = theirs
          .select('other.identity')
          .where('named.channel_id', '=', channel_id)
          .where('other.identity', '!=', number)
          .orderBy('other.created_at', 'desc')
        const left = (yield* all(names)).map(({ identity }) => identity)
        yield build
          .deleteFrom('identities')
          .where('channel_id', '=', channel_id)
          .where('mode', '=', mode)
          .where('identity', '=', number)
          .compile()
        // A number before an id.
        const next = [...left.filter(name => !isUserId(name)), ...left.filter(isUserId)]
        yield* moveCard({ channel_id, mode }, number, next)
      }
      yield build
        .updateTable('messages')
        .set({ user_id: heir })
        .where('channel_id', 'in', channels)
        .where('mode', '=', mode)
        .where('contact', '=', number)
        .where('user_id', 'is', null)
        .where('created_at', '<=', at)
        .where('state', 'not in', notLeft)
        .compile()
      yield build
        .updateTable('events')
        .set({ contact: heir })
        .where('channel_id', 'in', channels)
        .where('mode', '=', mode)
        .where('contact', '=', number)
        .where('at', '<=', at)
        .compile()
      yield* moveSuppressions(mode, number, heir, { at, channels: [...channels, ...siblings] })
    }
  }
}
