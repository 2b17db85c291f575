import { sql } from 'kysely'
import { newId } from '../ids.ts'
import { isUserId } from '../phone.ts'
import type { IdentityRow, MessageRow } from '../store/schema.ts'
import { all, type Store, type Unit } from '../store/store.ts'
import { changingHands } from './changing-hands.ts'
import { namesBeside, spellings } from './names.ts'

// One person has several names at WhatsApp: a number as it is dialled and as WhatsApp knows it (52 and 521, 55 with and
// without the nine), a number before and after a change, a business-scoped user id. Whatever the provider says belongs
// together is kept here, so that each of them finds the same contact and the same conversation.

type Place = Pick<IdentityRow, 'channel_id' | 'mode'>

/** What is known of a person: every name, in the order in which they were learnt. */
export interface KnownAs {
  names: string[]
  username?: string
}
/** What is told of one at once. */
export interface ToldAs {
  names: readonly (string | undefined)[]
  username?: string | undefined
}

/** Every name of a person that is told at once. */
export const namesOf = (
  person: Partial<Record<'phone' | 'waId' | 'userId' | 'parentUserId' | 'username', string>>
): ToldAs => ({
  names: [person.phone, person.waId, person.userId, person.parentUserId],
  username: person.username
})

/** Providers tell in whole seconds: what is told of one may have happened at its end. */
const endOfSecond = (at: number): number => (at % 1000 === 0 ? at + 999 : at)

export type Identities = ReturnType<typeof identities>

export function identities(store: Store) {
  const { build } = store
  /** Every name of the person who is called so, on the channel, or on any where none is given. */
  const namesOf = (mode: MessageRow['mode'], channel: string | undefined, identity: string) => {
    const query = namesBeside(store, mode).select('other.identity').distinct().where('named.identity', '=', identity)
    return channel === undefined ? query : query.where('named.channel_id', '=', channel)
  }

  /** What some names are known with, the newest first, and when each was last told of that person. */
  const knownWith = ({ channel_id, mode }: Place, names: readonly string[]) =>
    namesBeside(store, mode)
      .select(['named.identity', 'named.person', 'named.told_at', 'other.identity as other'])
      .orderBy('other.created_at', 'desc')
      .where('named.channel_id', '=', channel_id)
      .where('named.identity', 'in', names)
  const hands = changingHands(store)

  return {
    namesOf,

    /** The person's names, the one that was asked for first. */
    of: async (mode: MessageRow['mode'], channel: string | undefined, identity: string): Promise<string[]> => {
      const rows = await store.read(namesOf(mode, channel, identity).compile())
      return [identity, ...rows.map(row => row.identity).filter(other => other !== identity)]
    },

    /** What is known of several people of one channel, by the name that each was asked for by; none where nothing is. */
    ofMany: async (
      mode: MessageRow['mode'],
      channel: string,
      wanted: readonly string[]
    ): Promise<Map<string, KnownAs>> => {
      const found = new Map<string, KnownAs>()
      if (wanted.length === 0) return found
      const query = namesBeside(store, mode)
        .select(['named.identity as wanted', 'other.identity', 'other.username'])
        .where('named.channel_id', '=', channel)
        .where('named.identity', 'in', wanted)
        .orderBy('other.created_at')
        .orderBy('other.identity')
      for (const { wanted: name, identity, username } of await store.read(query.compile())) {
        const known = found.get(name) ?? { names: [] }
        found.set(name, { ...known, names: [...known.names, identity], ...(username !== null && { username }) })
      }
      return found
    },

    /** Inside a unit: the user id of whoever had a number at an instant, where it is somebody else's since. */
    formerOwner: function* (place: Place, number: string, told: number): Unit<string | undefined> {
      const at = endOfSecond(told)
      const known = yield* all(knownWith(place, [number]))
      if (!known.some(({ told_at, other }) => isUserId(other) && Number(told_at) > at)) return undefined
      const [owner] = yield* hands.ownersOf(place, number, at)
      return known.some(({ other }) => other === owner) ? undefined : owner
    },

    /**
     * What somebody is called who writes, or is written to: names of one person from now on. A number that is known with
     * another user id has been given to somebody else: it leaves who had it, unless what is told now is older than that.
     * Numbers that are told without a user id make no two people one.
     * @param before names that the person had until now, as a change of the number or of the id tells them
     * @param at when it was told, by the provider, in milliseconds; absent: now
     * @param siblings the channels of the number that it was told to
     */
    link: function* (
      place: Place,
      { names, username }: ToldAs,
      {
        before = [],
        at: told = store.clock(),
        siblings = []
      }: { before?: ToldAs['names']; at?: number; siblings?: readonly string[] } = {}
    ): Unit<void> {
      const at = Math.min(endOfSecond(told), store.clock())
      const present = [...new Set(names.filter(name => name !== undefined))]
      const former = [...new Set(before.filter(name => name !== undefined))]
      const every = [...new Set([...present, ...former])]
      const numbers = every.filter(name => !isUserId(name))
      const ids = new Set(every.filter(isUserId))
      if (numbers.length === 0 || every.length < 2) return yield* join(place, { names: every, username }, at)
      const known = yield* all(knownWith(place, numbers.flatMap(spellings)))
      if (ids.size === 0 && former.length === 0) {
        const people = new Set(known.filter(({ other }) => isUserId(other)).map(({ person }) => person))
        return people.size > 1 ? undefined : yield* join(place, { names: numbers, username }, 0)
      }
      // In either spelling it is the very same number.
      const ofNumber = (number: string) => known.filter(({ identity }) => spellings(number).includes(identity))
      const idsOf = (number: string): string[] =>
        ofNumber(number).flatMap(({ other }) => (isUserId(other) ? [other] : []))
      const toldLater = (number: string): boolean => ofNumber(number).some(({ told_at }) => Number(told_at) > at)
      const formerIds = former.filter(isUserId)
      for (const number of former.filter(name => numbers.includes(name))) {
        const theirs = toldLater(number) ? yield* hands.ownersOf(place, number, at) : idsOf(number)
        if (formerIds.length === 0 || theirs.some(id => ids.has(id))) for (const id of theirs) ids.add(id)
      }
      const foreign = numbers.filter(number => {
        const theirs = idsOf(number)
        return theirs.length > 0 ? !theirs.some(id => ids.has(id)) : toldLater(number)
      })
      const taken = foreign.filter(number => present.includes(number) && !toldLater(number))
      for (const number of taken)
        for (const name of spellings(number))
          yield* hands.leave(place, { number: name, ids: idsOf(number), at, siblings })
      const own = numbers.filter(number => !foreign.includes(number) || taken.includes(number))
      yield* join(place, { names: [...own, ...ids], username }, at)
      const [phone] = present.filter(name => own.includes(name))
      if (phone !== undefined)
        for (const number of former) if (own.includes(number)) yield* hands.moveCard(place, number, [phone])
    }
  }

  /** These are names of one person from now on, with all that each of them was known by before. */
  function* join({ channel_id, mode }: Place, { names, username }: ToldAs, told_at: number): Unit<void> {
    const known = [...new Set(names.filter(name => name !== undefined))].sort()
    if (known.length < (username === undefined ? 2 : 1)) return
    const created_at = store.clock()
    const person = newId('per', created_at)
    // The rows are locked in one order by this, those that were there already too.
    const rows = yield* all(
      build
        .insertInto('identities')
        .values(
          known.map(identity => ({
            channel_id,
            mode,
            identity,
            person,
            username: username ?? null,
            created_at,
            told_at
          }))
        )
        .onConflict(conflict =>
          conflict.columns(['channel_id', 'mode', 'identity']).doUpdateSet({
            username: sql`coalesce(excluded.username, identities.username)`,
            told_at: sql`case when excluded.told_at > identities.told_at then excluded.told_at else identities.told_at end`
          })
        )
        .returning('person')
    )
    const [oldest, ...others] = [...new Set(rows.map(row => row.person))].sort()
    if (others.length === 0) return
    yield build
      .updateTable('identities')
      .set({ person: oldest! })
      .where('channel_id', '=', channel_id)
      .where('mode', '=', mode)
      .where('person', 'in', others)
      .compile()
  }
}
