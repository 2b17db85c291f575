import { sql } from 'kysely'
import { newId } from '../ids.ts'
import { isUserId } from '../phone.ts'
import type { IdentityRow, MessageRow } from '../store/schema.ts'
import { all, prepare, type Store, type Unit } from '../store/store.ts'

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

export type Identities = ReturnType<typeof identities>

export function identities(store: Store) {
  const { build } = store
  const pairs = (mode: MessageRow['mode']) =>
    build
      .selectFrom('identities as named')
      .innerJoin('identities as other', join =>
        join
          .onRef('other.channel_id', '=', 'named.channel_id')
          .onRef('other.mode', '=', 'named.mode')
          .onRef('other.person', '=', 'named.person')
      )
      .where('named.mode', '=', mode)
  /** Every name of the person who is called so, on the channel, or on any where none is given. */
  const namesOf = (mode: MessageRow['mode'], channel: string | undefined, identity: string) => {
    const query = pairs(mode).select('other.identity').distinct().where('named.identity', '=', identity)
    return channel === undefined ? query : query.where('named.channel_id', '=', channel)
  }

  /** What two numbers are known with. */
  const idsBehind = prepare<
    { mode: string; channel: string; one: string; two: string },
    { identity: string; other: string }
  >(p =>
    pairs(p.mode as MessageRow['mode'])
      .select(['named.identity', 'other.identity as other'])
      .where('named.channel_id', '=', p.channel)
      .where('named.identity', 'in', [p.one, p.two])
  )

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
      const query = pairs(mode)
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

    join,

    /**
     * What somebody is called who writes, or is written to: names of one person from now on. A number that is known with
     * another user id has been given to somebody else: what it was known by stays with whoever had it.
     */
    link: function* (place: Place, told: ToldAs): Unit<void> {
      const [ids, numbers] = [true, false].map(kind =>
        told.names.filter(name => name !== undefined).filter(name => isUserId(name) === kind)
      ) as [string[], string[]]
      if (ids.length > 0 && numbers.length > 0) {
        const { mode, channel_id: channel } = place
        const known = yield* all(idsBehind({ mode, channel, one: numbers[0]!, two: numbers.at(-1)! }))
        const given = numbers.filter(number => {
          const others = known.filter(each => each.identity === number && isUserId(each.other)).map(each => each.other)
          return others.length > 0 && !others.some(other => ids.includes(other))
        })
        if (given.length > 0)
          yield build
            .deleteFrom('identities')
            .where('channel_id', '=', place.channel_id)
            .where('mode', '=', place.mode)
            .where('identity', 'in', given)
            .compile()
      }
      yield* join(place, told)
    }
  }

  /** These are names of one person from now on, with all that each of them was known by before. */
  function* join({ channel_id, mode }: Place, { names, username }: ToldAs): Unit<void> {
    const known = [...new Set(names.filter(name => name !== undefined))].sort()
    if (known.length < (username === undefined ? 2 : 1)) return
    const created_at = store.clock()
    const person = newId('per', created_at)
    // The rows are locked in one order by this, those that were there already too.
    const rows = yield* all(
      build
        .insertInto('identities')
        .values(known.map(identity => ({ channel_id, mode, identity, person, username: username ?? null, created_at })))
        .onConflict(conflict =>
          conflict
            .columns(['channel_id', 'mode', 'identity'])
            .doUpdateSet({ username: sql`coalesce(excluded.username, identities.username)` })
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
