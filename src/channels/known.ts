import { sql } from 'kysely'
import type { ChannelRow } from '../store/schema.ts'
import { prepare, type Store, type Unit } from '../store/store.ts'

/** The word to other replicas that channels have changed. */
const changeWord = 'channels'

/** A channel in memory, its settings with their secrets. */
export interface KnownChannel {
  row: ChannelRow
  settings: unknown
}

/** All channels in memory, since every message and every webhook asks for one. */
export function createKnownChannels(
  store: Store,
  unpack: (provider: string, settings: string) => unknown,
  /** How long the list is believed where other replicas can change it and their word of it may get lost, in milliseconds. */
  believeMs: number
) {
  const { build } = store
  const everything = prepare<object, ChannelRow>(() =>
    build
      .selectFrom('channels')
      .leftJoin('blocks', join => join.on('blocks.key', '=', sql<string>`'channel/' || channels.id`))
      .select(['id', 'provider', 'connection_id', 'settings', 'is_default', 'managed_by', 'created_at', 'updated_at'])
      .select(sql<number>`case when blocks.key is null then 0 else 1 end`.as('paused'))
      .orderBy('id')
  )
  let known = new Map<string, KnownChannel>()
  let until = Number.NEGATIVE_INFINITY
  let changes = 0
  store.notifications?.subscribe(word => {
    if (word !== changeWord) return
    changes++
    until = Number.NEGATIVE_INFINITY
  })

  /** Asks the store anew. */
  const refresh = async (): Promise<void> => {
    const before = changes
    const rows = await store.reserved.read(everything({}))
    known = new Map(rows.map(row => [row.id, { row, settings: unpack(row.provider, row.settings) }]))
    // Nobody else writes to an embedded store, so its list is right until we change it ourselves.
    if (store.dialect === 'sqlite') until = Number.POSITIVE_INFINITY
    // Where a word has come meanwhile, what was read may be old already.
    else if (changes === before) until = performance.now() + believeMs
  }
  return {
    everything,
    refresh,
    current: async (): Promise<ReadonlyMap<string, KnownChannel>> => {
      if (until <= performance.now()) await refresh()
      return known
    },
    /** As it is in memory, whatever its age. */
    get: (id: string): KnownChannel | undefined => known.get(id),
    /** Inside the unit that changes channels. */
    announce: function* (): Unit<void> {
      if (store.notifications) yield store.notifications.publish(changeWord)
    }
  }
}
