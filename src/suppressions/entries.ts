import type { Suppression, SuppressionCategory } from '../../schemas/suppressions.ts'
import { newId } from '../ids.ts'
import type { Caller } from '../keys/caller.ts'
import { identities } from '../messages/identities.ts'
import { nameOf, spellings } from '../messages/names.ts'
import type { Suppressed } from '../messages/suppressed.ts'
import { eventEntry } from '../store/event-entry.ts'
import type { PageRequest } from '../store/page.ts'
import type { SuppressionRow } from '../store/schema-suppressions.ts'
import { all, first, readUnit, type Store, type Unit } from '../store/store.ts'

// Suppressions as rows: what adds, finds and takes away some of them. Each is a unit or a query; who may, is judged before.

/** One that is to be there. */
export type NewEntry = Pick<SuppressionRow, 'mode' | 'channel_id' | 'category' | 'source'> & {
  /** Digits or a user id. */
  identity: string
  reason?: string | undefined
  createdBy?: string
  /** When the person said so; absent: now. */
  saidAt?: number
}

export interface EntryFilter {
  /** Every name of a person, and the hashes of them. */
  names?: readonly string[] | undefined
  channel?: string | undefined
  category?: SuppressionCategory | undefined
}

/** A row as its readers see it. Every member is named here, so nothing else of the row can get out. */
export const toSuppression = (row: SuppressionRow): Suppression => ({
  id: row.id,
  to: row.identity,
  ...(row.channel_id !== '' && { channel: row.channel_id }),
  mode: row.mode,
  category: row.category,
  ...(row.reason !== null && { reason: row.reason }),
  source: row.source,
  ...(row.created_by !== null && { createdBy: row.created_by }),
  createdAt: new Date(row.created_at).toISOString()
})

export type Entries = ReturnType<typeof createEntries>

export function createEntries(store: Store, suppressed: Suppressed) {
  const { build } = store
  const people = identities(store)

  /** Inside a unit: what a person's suppressions are found by, under every name that is known of the person on any channel. */
  function* namesIn(mode: SuppressionRow['mode'], identity: string): Unit<string[]> {
    const known = new Set(spellings(identity))
    for (const spelling of spellings(identity))
      for (const row of yield* all(people.namesOf(mode, undefined, spelling))) known.add(row.identity)
    return [...new Set([...known].flatMap(name => [nameOf(name), suppressed.hashOf(name)]))]
  }

  return {
    namesIn,
    /** As `namesIn`, where nothing is to be written. */
    namesOf: (...asked: Parameters<typeof namesIn>): Promise<string[]> => readUnit(store, namesIn(...asked)),

    /** Inside a unit: one that is to be there. Answers it as it is, and whether it is new. */
    add: function* (entry: NewEntry): Unit<{ row: SuppressionRow; added: boolean }> {
      const now = store.clock()
      const { identity, mode, channel_id, category, source } = entry
      const row: SuppressionRow = {
        id: newId('sup', now),
        ...{ mode, name: nameOf(identity), channel_id, category, identity, source },
        reason: entry.reason ?? null,
        created_by: entry.createdBy ?? null,
        said_at: entry.saidAt ?? now,
        created_at: now
      }
      const callers = ['api', 'import'].includes(source)
      const { id: _, ...theirs } = row
      const made = yield* all(
        build
          .insertInto('suppressions')
          .values(row)
          .onConflict(conflict => {
            const there = conflict.columns(['mode', 'name', 'channel_id', 'category'])
            // The person's own word would lift it; what a caller keeps is the caller's to lift.
            return callers
              ? there.doUpdateSet(theirs).where('suppressions.source', 'in', ['word', 'whatsapp'])
              : there.doNothing()
          })
          .returningAll()
      )
      for (const kept of made) {
        const about = { type: 'suppression.added', mode, channel: channel_id || null, contact: identity } as const
        yield eventEntry(store, { ...about, data: toSuppression(kept) })
        return { row: kept, added: true }
      }
      const there = build
        .selectFrom('suppressions')
        .selectAll()
        .where('mode', '=', mode)
        .where('name', '=', row.name)
        .where('channel_id', '=', channel_id)
        .where('category', '=', category)
      // Said again later: a word of before that comes late must not lift it.
      yield build
        .updateTable('suppressions')
        .set({ said_at: row.said_at })
        .where('mode', '=', mode)
        .where('name', '=', row.name)
        .where('channel_id', '=', channel_id)
        .where('category', '=', category)
        .where('said_at', '<', row.said_at)
        .compile()
      return { row: (yield* first(there)) ?? row, added: false }
    },

    /** Inside a unit: takes some of a person away. Answers their ids. */
    remove: (
      mode: SuppressionRow['mode'],
      { names = [], channel, category }: EntryFilter,
      own?: { sources: SuppressionRow['source'][]; saidUntil: number }
    ): Unit<{ id: string }[]> => {
      let query = build
        .deleteFrom('suppressions')
        .where('mode', '=', mode)
        .where('name', 'in', ['', ...names])
      if (channel !== undefined) query = query.where('channel_id', '=', channel)
      if (category !== undefined) query = query.where('category', '=', category)
      if (own) query = query.where('source', 'in', own.sources).where('said_at', '<=', own.saidUntil)
      return all(query.returning('id'))
    },

    /** What a caller may see, the newest first. A key that is limited to some recipients sees no erased ones. */
    list: (caller: Caller, { names, channel, category }: EntryFilter, page: PageRequest) => {
      let query = build
        .selectFrom('suppressions')
        .selectAll()
        .where('mode', '=', caller.mode)
        .orderBy('id', 'desc')
        .limit(page.limit + 1)
      if (page.after) query = query.where('id', '<', page.after)
      if (names) query = query.where('name', 'in', ['', ...names])
      if (caller.channels) query = query.where('channel_id', 'in', ['', ...caller.channels])
      if (channel !== undefined) query = query.where('channel_id', 'in', ['', channel])
      if (category !== undefined) query = query.where('category', '=', category)
      const prefixes = caller.recipientPrefixes
      if (prefixes) query = query.where(eb => eb.or(prefixes.map(prefix => eb('identity', 'like', `${prefix}%`))))
      return query.compile()
    },

    /**
     * Inside a unit: an erased person's suppressions stay, found by nothing but a keyed hash of each name that was known.
     * @param names every name of the person in this mode
     */
    forget: function* (mode: SuppressionRow['mode'], names: readonly string[]): Unit<void> {
      const rows = yield* all(
        build
          .deleteFrom('suppressions')
          .where('mode', '=', mode)
          .where('name', 'in', ['', ...new Set(names.map(nameOf))])
          .returningAll()
      )
      for (const row of rows)
        for (const name of new Set(names.map(suppressed.hashOf)))
          yield build
            .insertInto('suppressions')
            .values({ ...row, id: newId('sup', row.created_at), name, identity: null, reason: null })
            .onConflict(conflict => conflict.columns(['mode', 'name', 'channel_id', 'category']).doNothing())
            .compile()
    }
  }
}
