import { setImmediate as turn } from 'node:timers/promises'
import { sql } from 'kysely'
import type { MessageRow } from '../store/schema.ts'
import { prepare, type Store } from '../store/store.ts'

/** Entries of the index in one statement: a fraction of a millisecond. */
const stride = 2000

/**
 * Counts the messages that wait in all lines whose names begin with `start`, which ends with a slash (`live/0/billing/`):
 * along the index of the lines, in pieces, so that nothing else is kept waiting.
 */
export function createLaneCount(store: Store): (start: string) => Promise<number> {
  const { build } = store
  type Place = Pick<MessageRow, 'queue' | 'run_at' | 'id'>
  /** The entry `stride` places on; from a place that stands before all of them, or one that was found so. */
  const ahead = prepare<Place & { end: string }, Place>(p =>
    build
      .selectFrom('messages')
      .select(['queue', 'run_at', 'id'])
      .where(sql<boolean>`state = 'queued'`)
      .where('queue', '<', p.end)
      .where(sql<boolean>`(queue, run_at, id) > (${p.queue}, ${p.run_at}, ${p.id})`)
      .orderBy('queue')
      .orderBy('run_at')
      .orderBy('id')
      .limit(1)
      .offset(stride - 1)
  )
  const rest = prepare<Place & { end: string }, { count: number }>(p =>
    build
      .selectFrom('messages')
      .select(eb => eb.fn.countAll<number>().as('count'))
      .where(sql<boolean>`state = 'queued'`)
      .where('queue', '<', p.end)
      .where(sql<boolean>`(queue, run_at, id) > (${p.queue}, ${p.run_at}, ${p.id})`)
  )
  return async start => {
    // A line's name goes on after the slash, and the character after a slash is a nought.
    const end = `${start.slice(0, -1)}0`
    let from: Place = { queue: start, run_at: 0, id: '' }
    for (let count = 0; ; count += stride) {
      const [next] = await store.read(ahead({ ...from, end }))
      if (!next) return count + (await store.read(rest({ ...from, end })))[0]!.count
      from = next
      await turn()
    }
  }
}
