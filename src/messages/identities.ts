import { sql } from 'kysely'
import { newId } from '../ids.ts'
import type { IdentityRow, MessageRow } from '../store/schema.ts'
import { all, type Store, type Unit } from '../store/store.ts'

// One person has several names at WhatsApp: a number as it is dialled and as WhatsApp knows it (52 and 521, 55 with and
// without the nine), a number before and after a change, a business-scoped user id. Whatever the provider says belongs
// together is kept here, so that each of them finds the same contact and the same conversation.

type Place = Pick<IdentityRow, 'channel_id' | 'mode'>

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

  return {
    namesOf,

    /** The person's names, the one that was asked for first. */
    of: async (mode: MessageRow['mode'], channel: string | undefined, identity: string): Promise<string[]> => {
      const rows = await store.read(namesOf(mode, channel, identity).compile())
      return [identity, ...rows.map(row => row.identity).filter(other => other !== identity)]
    },

    /** The names of several people of one channel, by the one that each was asked for by; none of whom nothing is known. */
    ofMany: async (
      mode: MessageRow['mode'],
      channel: string,
      wanted: readonly string[]
    ): Promise<Map<string, string[]>> => {
      const found = new Map<string, string[]>()
      if (wanted.length === 0) return found
      const query = pairs(mode)
        .select(['named.identity as wanted', 'other.identity'])
        .where('named.channel_id', '=', channel)
        .where('named.identity', 'in', wanted)
        .orderBy('other.created_at')
        .orderBy('other.identity')
      for (const { wanted: name, identity } of await store.read(query.compile()))
        found.set(name, [...(found.get(name) ?? []), identity])
      return found
    },

    /** From now on these are names of one person, with all that each of them was known by before. */
    link: function* ({ channel_id, mode }: Place, names: readonly (string | undefined)[]): Unit<void> {
      const known = [...new Set(names.filter(name => name !== undefined))].sort()
      if (known.length < 2) return
      const created_at = store.clock()
      const person = newId('per', created_at)
      // The rows are locked in one order by this, those that were there already too.
      const rows = yield* all(
        build
          .insertInto('identities')
          .values(known.map(identity => ({ channel_id, mode, identity, person, created_at })))
          .onConflict(conflict =>
            conflict.columns(['channel_id', 'mode', 'identity']).doUpdateSet({ person: sql`identities.person` })
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
}
