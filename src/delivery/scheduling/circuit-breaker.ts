import { sql } from 'kysely'
import type { Logger } from 'pino'
import type { Limit, Probe } from '../../adapters/adapter.ts'
import type { DispatchChannel } from '../../dispatch/provider-client.ts'
import { blockKey, blockQueries } from '../../messages/blocks.ts'
import { first, prepare, type Store } from '../../store/store.ts'
import { retryPolicy } from '../retry-policy.ts'

/**
 * Stops a channel whose upstream does not answer, on every replica, so that a customer's message is not what finds out
 * whether it is back: a cheap read is (docs/reliability.md P4, P22).
 */
/** Makes one cheap read. */
export type Ask = (channel: DispatchChannel, probe: Probe) => Promise<unknown>

export interface CircuitBreaker {
  /** How one call through a channel ended: whether an answer came that its provider, or anybody sane, has given. */
  note: (mode: string, channel: string, answered: boolean) => void
  /** Looks at the open ones; a read that is answered closes its breaker. Resolves to whether one was closed. */
  probe: (ask: Ask) => Promise<boolean>
  /** The limit that holds while one message at a time tries whether the channel answers again; undefined: none tries. */
  trial: (mode: string, channel: string) => Limit | undefined
  /** Since when a channel's breaker is open; null: it is closed. */
  openSince: (mode: string, channel: string) => Promise<number | null>
}

export interface CircuitBreakerParts {
  store: Store
  log: Logger
  /** Tries a channel with one cheap read. Resolves to whether it was answered; `trial`: there is none, a message has to try. */
  reach: (mode: string, channel: string, ask: Ask) => Promise<boolean | 'trial'>
}

const { calls, windowMs, share, probeMs } = retryPolicy.breaker

type Mark = [at: number, failed: 0 | 1]

export function createCircuitBreaker({ store, log, reach }: CircuitBreakerParts): CircuitBreaker {
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
  /** Channels of which a message has to find out whether they answer. */
  const trials = new Set<string>()
  /** A message came through: what failed before it is forgotten. */
  const passed = async (key: string): Promise<void> => {
    trials.delete(key)
    await store.write(function* () {
      yield write({ key, log: '[]', probe_at: 0 })
    })
    log.info({ breaker: key }, 'a breaker closed: the channel answers again')
  }

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
      if (answered && trials.has(key))
        passed(key).catch(error => log.error({ err: error, channel }, 'a trial that passed cannot be written'))
      if (!answered) trials.delete(key)
      if (!answered) tell(key).catch(error => log.error({ err: error, channel }, 'a failed call cannot be counted'))
    },
    probe: async ask => {
      const look = async (key: string): Promise<boolean> => {
        const [, mode = '', channel = ''] = key.split('/')
        const mine = await store.write(function* () {
          return (yield turn({ key, next: probeMs })).changes > 0
        })
        const answered = mine && (await reach(mode, channel, ask))
        if (!answered) return false
        seen.delete(key)
        if (answered === 'trial') trials.add(key)
        await store.write(function* () {
          // One more failure opens it again.
          const failed = (now: number): Mark[] => Array.from({ length: calls - 1 }, () => [now, 1])
          const row = (yield* first(open({ key })))!
          const marks = answered === 'trial' ? JSON.stringify(failed(Number(row.now))) : '[]'
          yield write({ key, log: marks, probe_at: 0 })
          yield blocks.lift({ key })
        })
        const words =
          answered === 'trial' ? 'a breaker lets one message try' : 'a breaker closed: the channel answers again'
        log.info({ channel, mode }, words)
        return true
      }
      // Together: one that hangs must not keep the others closed.
      const standing = await store.read(stopped.compile())
      return (await Promise.all(standing.map(({ key }) => look(key)))).includes(true)
    },
    trial: (mode, channel) =>
      trials.has(blockKey.breaker(mode, channel))
        ? { key: `${mode}/trial/${channel}`, calls: 1, windowMs: probeMs }
        : undefined,
    openSince: async (mode, channel) => (await store.read(one({ key: blockKey.breaker(mode, channel) })))[0]?.at ?? null
  }
}
