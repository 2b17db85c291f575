import { sql } from 'kysely'
import type { Logger } from 'pino'
import { blockKey, blockQueries } from '../../messages/blocks.ts'
import { first, prepare, type Store } from '../../store/store.ts'

/**
 * Stops a channel whose upstream does not answer, on every replica, so that a customer's message is not what finds out
 * whether it is back: a cheap read is (RELIABILITY.md P4, P22).
 */
export interface Breaker {
  /** How one call through a channel ended: whether an answer came that its provider, or anybody sane, has given. */
  note: (mode: string, channel: string, answered: boolean) => void
  /** Looks at the open ones; a read that is answered closes its breaker. Resolves to whether one was closed. */
  probe: () => Promise<boolean>
  /** Since when a channel's breaker is open; null: it is closed. */
  openSince: (mode: string, channel: string) => Promise<number | null>
}

export interface BreakerParts {
  store: Store
  log: Logger
  /** One cheap read through a channel. Resolves to whether it was answered. */
  ask: (mode: string, channel: string) => Promise<boolean>
}

/** It judges by so many calls, of so long ago at most. */
const calls = 20
const windowMs = 30_000
/** Open when at least this share of them failed. */
const share = 0.5
const probeMs = 5000

type Mark = [at: number, failed: 0 | 1]

export function createBreaker({ store, log, ask }: BreakerParts): Breaker {
  const { build, now } = store
  const blocks = blockQueries(store)
  const open = prepare<{ key: string }, { log: string; now: number }>(p =>
    build
      .insertInto('breakers')
      .values({ key: p.key, log: '[]', probe_at: 0 })
      .onConflict(conflict => conflict.column('key').doUpdateSet({ key: p.key }))
      .returning(['log', sql<number>`${now}`.as('now')])
  )
  const write = prepare<{ key: string; log: string; probe_at: number }, unknown>(p =>
    build.updateTable('breakers').set({ log: p.log, probe_at: p.probe_at }).where('key', '=', p.key)
  )
  const remember = prepare<{ key: string; log: string }, unknown>(p =>
    build.updateTable('breakers').set({ log: p.log }).where('key', '=', p.key)
  )
  const turn = prepare<{ key: string; next: number }, unknown>(p =>
    build
      .updateTable('breakers')
      .set({ probe_at: sql`${now} + ${p.next}` })
      .where('key', '=', p.key)
      .where('probe_at', '<=', now)
  )
  const stopped = build.selectFrom('blocks').selectAll().where('key', '>=', 'breaker/').where('key', '<', 'breaker0')
  const one = prepare<{ key: string }, { at: number }>(p =>
    build.selectFrom('blocks').select('at').where('key', '=', p.key)
  )

  /** What this process has seen and not told yet: a success is told with the next failure, or never. */
  const seen = new Map<string, Mark[]>()

  const tell = async (key: string): Promise<void> => {
    const marks = seen.get(key)!.splice(0)
    const [, mode, channel] = key.split('/')
    const opened = await store.write(function* () {
      const row = (yield* first(open({ key })))!
      // By the store's clock: those of the processes differ.
      const ours = marks.map(([at, failed]): Mark => [Math.round(Number(row.now) - (performance.now() - at)), failed])
      const all = [...(JSON.parse(row.log) as Mark[]), ...ours]
        .filter(([at]) => at > Number(row.now) - windowMs)
        .sort(([a], [b]) => a - b)
        .slice(-calls)
      const failed = all.filter(([, mark]) => mark === 1).length
      const trips = all.length >= calls && failed >= calls * share
      if (trips) yield write({ key, log: '[]', probe_at: Number(row.now) + probeMs })
      else yield remember({ key, log: JSON.stringify(all) })
      if (trips)
        yield blocks.stop({
          key,
          at: Number(row.now),
          detail: `${failed} of the last ${calls} calls through channel ${channel} got no answer: messages wait until it answers again.`
        })
      return trips && failed
    })
    if (opened) log.error({ channel, mode, failed: opened, of: calls }, 'a breaker opened: the channel does not answer')
  }

  return {
    note: (mode, channel, answered) => {
      const key = blockKey.breaker(mode, channel)
      const marks = seen.get(key) ?? []
      seen.set(key, marks)
      marks.push([performance.now(), answered ? 0 : 1])
      if (marks.length > calls) marks.shift()
      if (!answered) tell(key).catch(error => log.error({ err: error, channel }, 'a failed call cannot be counted'))
    },
    probe: async () => {
      const look = async (key: string): Promise<boolean> => {
        const [, mode = '', channel = ''] = key.split('/')
        const mine = await store.write(function* () {
          return (yield turn({ key, next: probeMs })).changes > 0
        })
        if (!mine || !(await ask(mode, channel))) return false
        seen.delete(key)
        await store.write(function* () {
          yield write({ key, log: '[]', probe_at: 0 })
          yield blocks.lift({ key })
        })
        log.info({ channel, mode }, 'a breaker closed: the channel answers again')
        return true
      }
      // Together: one that hangs must not keep the others closed.
      const open = await store.read(stopped.compile())
      return (await Promise.all(open.map(({ key }) => look(key)))).includes(true)
    },
    openSince: async (mode, channel) => (await store.read(one({ key: blockKey.breaker(mode, channel) })))[0]?.at ?? null
  }
}
