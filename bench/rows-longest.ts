import type { Caller } from '../src/keys/caller.ts'
import { messageQueries } from '../src/messages/queries.ts'
import type { Store } from '../src/store/store.ts'
import type { Act } from './rows-acts.ts'

// Lists that look at all that there is and find nothing: they take their time, and no statement of theirs may.

const longAgoMs = 100 * 24 * 3600_000

/** The milliseconds that each statement takes which a store is asked. */
function listening(store: Store): { store: Store; times: number[] } {
  const times: number[] = []
  const read: Store['read'] = async query => {
    const begun = performance.now()
    const rows = await store.read(query)
    times.push(performance.now() - begun)
    return rows
  }
  return { store: { ...store, read }, times }
}

/** What the longest statements take, but for a hundredth of them: those meet the other work of the machine. */
export function longestStatements(plain: Store, callers: Record<string, Caller>): Record<string, Act> {
  const { store, times } = listening(plain)
  const { list } = messageQueries(store)
  const never = { status: 'sent', direction: 'outbound', final: true } as const
  const looks: Record<string, Act> = {}
  for (const [name, caller] of Object.entries(callers))
    for (const [when, filter] of [
      ['', never],
      [' long ago', { ...never, until: new Date(Date.now() - longAgoMs).toISOString() }]
    ] as const) {
      const look: Act = async () => {
        times.length = 0
        const found = await list(caller, filter, { limit: 25 })
        if (found.length > 0) throw new Error('something was found')
        return times.sort((a, b) => a - b)[Math.floor(0.99 * (times.length - 1))]!
      }
      look.once = true
      looks[`longest statement: what never meets${when}, ${name}`] = look
    }
  return looks
}
