import type { Asked } from '../filter.ts'
import type { Look, Seen } from './merge.ts'
import type { Turns } from './turns.ts'
import type { Waiting, Walks } from './walks.ts'

const lanes = [0, 1]
/** A backlog of more portions than this is long. */
const longPortions = 4

interface Lines {
  start: string
  end: string
}
/** All lines whose names begin so. A name goes on after the slash, and the character after a slash is a nought. */
const linesAt = (start: string): Lines => ({ start, end: `${start.slice(0, -1)}0` })

/** Where what waits can stand: by service, or anybody's; and what the release before put in, which knew no lines. */
function linesOf({ mode, services }: Asked): Lines[] {
  const known = services === null ? undefined : (JSON.parse(services) as string[])
  const lines = known
    ? known.flatMap(service => lanes.map(lane => linesAt(`${mode}/${lane}/${service}/`)))
    : [linesAt(`${mode}/`)]
  return [...lines, { start: '', end: '!' }]
}

export interface WaitingParts {
  walks: Pick<Walks, 'queued' | 'queuedAhead'>
  turns: Turns
  asked: Asked
}

/** What waits, in lists. Its index knows no order of ids: all lines are gone through, a portion at a time, and the newest are kept. */
export function createWaiting({ walks, turns: { read, most }, asked }: WaitingParts): {
  isLong: () => Promise<boolean>
  look: Look
} {
  const lines = linesOf(asked)
  return {
    /** Whether so much waits that the newest messages are worth a look first. */
    isLong: async () => {
      for (const { start, end } of lines)
        if ((await read(walks.queuedAhead({ start, end, skip: longPortions * most() }))).length > 0) return true
      return false
    },
    look: async (below, size) => {
      let newest: Seen[] = []
      for (const { start, end } of lines) {
        let from: Waiting = { queue: start, run_at: -1, id: '' }
        for (let more = true; more; ) {
          const { queue, run_at, id } = from
          const portion = most()
          const seen = await read(walks.queued({ ...asked, queue, run_at, from: id, end, below, size: portion }))
          newest = [...newest, ...seen.filter(({ fits }) => fits)].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, size)
          more = seen.length === portion
          from = seen.at(-1) ?? from
        }
      }
      return newest
    }
  }
}
