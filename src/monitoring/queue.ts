import { sql } from 'kysely'
import { createLaneCount } from '../messages/lane-count.ts'
import { prepare, type Store } from '../store/store.ts'
import type { FigureSource } from './figures.ts'

/** Lines that are looked at; one more stands for all that are left. */
const mostLines = 1000
/** Unknown messages are counted up to this: more are as bad. */
const mostUnknown = 10_000

/** What waits, by mode, service and lane (0: somebody waits for it, 1: one of many). */
export function queueFigures(
  store: Store
): FigureSource<'switchboard_queue_messages' | 'switchboard_queue_oldest_seconds'> {
  const { build, now } = store
  const countLane = createLaneCount(store)
  /** Every line with how long its first message has been due, from line to line down the index of the queue. */
  const lines = prepare<{ limit: number }, { queue: string; waited: number }>(p => ({
    compile: () =>
      sql<{ queue: string; waited: number }>`
        with recursive lines(queue) as (
          select (select min(queue) from messages where state = 'queued' and queue > '')
          union all
          select (select min(queue) from messages where state = 'queued' and queue > lines.queue)
          from lines where lines.queue is not null
        )
        select queue, ${now} - (
          select min(run_at) from messages where state = 'queued' and queue = lines.queue
        ) as waited
        from lines where queue is not null limit ${p.limit}`.compile(build)
  }))
  /** Once told, a lane is told for as long as the process lives: a series that goes away looks like one that failed. */
  const seen = new Set<string>()
  return {
    name: 'queue',
    figures: {
      switchboard_queue_messages: {
        help: 'Messages that wait, those for later too',
        labels: ['mode', 'service', 'lane']
      },
      switchboard_queue_oldest_seconds: {
        help: 'How long the message has waited that was due first',
        labels: ['mode', 'service', 'lane'],
        merge: 'max'
      }
    },
    look: async tell => {
      const waited = new Map<string, number>([...seen].map(lane => [lane, 0]))
      for (const line of await store.read(lines({ limit: mostLines }))) {
        const lane = line.queue.split('/', 3).join('/')
        waited.set(lane, Math.max(waited.get(lane) ?? 0, Number(line.waited)))
        if (seen.size < mostLines) seen.add(lane)
      }
      for (const [of, ms] of waited) {
        const [mode = '', lane = '', service = ''] = of.split('/')
        tell('switchboard_queue_messages', await countLane(`${of}/`), { mode, service, lane })
        tell('switchboard_queue_oldest_seconds', ms / 1000, { mode, service, lane })
      }
    }
  }
}

/** Messages that nobody knows the fate of, and that somebody has to look at. */
export function unknownFigures({ build, read }: Store): FigureSource<'switchboard_unknown_open'> {
  const open = prepare<{ mode: string; limit: number }, { count: number }>(p => ({
    compile: () =>
      sql<{ count: number }>`
        select count(*) as count from (
          select 1 as one from messages where state = 'unknown' and final = 0 and mode = ${p.mode} limit ${p.limit}
        ) as open`.compile(build)
  }))
  return {
    name: 'unknown',
    figures: { switchboard_unknown_open: { help: 'Unknown messages that are not settled', labels: ['mode'] } },
    look: async tell => {
      for (const mode of ['live', 'test']) {
        const [row] = await read(open({ mode, limit: mostUnknown }))
        tell('switchboard_unknown_open', Number(row!.count), { mode })
      }
    }
  }
}
