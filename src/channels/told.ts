import { type CompiledQuery, CompiledQuery as Query } from 'kysely'
import { eventEntry } from '../store/event-entry.ts'
import type { ChannelRow } from '../store/schema.ts'
import { all, type Store, type Unit } from '../store/store.ts'

type Change = 'created' | 'changed' | 'paused' | 'resumed' | 'deleted'

/** What of a channel its GET shows, secrets too, since they are changed like the rest. */
function changeOf(before: ChannelRow | undefined, after: ChannelRow | undefined, face: (row: ChannelRow) => string) {
  if (!before || !after) return before ? 'deleted' : 'created'
  if (face(before) !== face(after)) return 'changed'
  if (before.paused !== after.paused) return after.paused === 1 ? 'paused' : 'resumed'
  return undefined
}

/**
 * Runs a unit that changes channels, one such unit at a time (another replica could make a second default meanwhile), and
 * writes an event for each channel that is another afterwards: what a change of one does to others is told as well,
 * and a change that changed nothing is not.
 * @param face all of a row but whether it is paused, in a form that can be compared
 */
export function* telling<T>(
  store: Store,
  everything: CompiledQuery<ChannelRow>,
  face: (row: ChannelRow) => string,
  unit: () => Unit<T>
): Unit<T> {
  if (store.dialect === 'postgres') yield Query.raw('lock table channels in share row exclusive mode')
  const before = new Map((yield* all(everything)).map(row => [row.id, row]))
  const value = yield* unit()
  const after = new Map((yield* all(everything)).map(row => [row.id, row]))
  for (const id of new Set([...before.keys(), ...after.keys()])) {
    const change: Change | undefined = changeOf(before.get(id), after.get(id), face)
    if (change) yield eventEntry(store, { type: 'channel.updated', mode: 'live', channel: id, data: { id, change } })
  }
  return value
}
