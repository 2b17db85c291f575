import type { Mode } from '../../schemas/common.ts'
import type { Backlog, ChannelOverview, Overview } from '../../schemas/overview.ts'
import type { Channels } from '../channels/channels.ts'
import type { RateLimiter } from '../delivery/scheduling/rate-limiter.ts'
import type { Caller } from '../keys/caller.ts'
import { blockKey, blockQueries } from '../messages/blocks.ts'
import type { BlockRow } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import { type Counted, createMinutes, type Minutes } from './minutes.ts'
import { type Line, mostLookedAt, type OverviewQueries, overviewQueries } from './queries.ts'
import { causesOf, failuresOf } from './reasons.ts'

/** What an operator asks first. Asks nobody outside, and costs the same however many messages there are. */
export interface Overviews {
  /** Is it us, Maton or a provider? */
  overview: (caller: Caller) => Promise<Overview>
  /** What is piling up? */
  backlog: (caller: Caller) => Promise<Backlog>
}

export interface OverviewParts {
  store: Store
  channels: Channels
  rateLimiter: Pick<RateLimiter, 'account'>
  readiness: { degraded: () => Promise<string | null> }
  sandboxMode: boolean
  config: { MATON_RATE_PER_SECOND: number }
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
/** What was counted is good for so long: however many look, it is counted once. */
const lookMs = 900
/** The breaker forgets a call after so long. */
const callMs = 30_000

const instant = (ms: number | null | undefined): string | null =>
  ms === null || ms === undefined ? null : new Date(Number(ms)).toISOString()
/** When the thing of an id was made: the milliseconds that a UUIDv7 begins with. */
const madeAt = (id: string): number => Number.parseInt(id.slice(4, 16), 16)

const none: Counted = { whole: [], current: 0, currentSeconds: 60 }
/** A second, by the last whole minute or by this one: whichever was the faster, since a line may have just begun. */
const paceOf = ({ whole, current, currentSeconds }: Counted = none): number =>
  Math.max((whole.at(-1) ?? 0) / 60, current / currentSeconds)

interface Figures {
  now: number
  blocks: Map<string, BlockRow>
  lines: Line[]
  minutes: Map<string, Counted>
}

/** Counts for a mode at most once a second. */
function createLook(store: Store, queries: OverviewQueries, channels: Channels, minutes: Minutes) {
  const { all } = blockQueries(store)
  const looks = new Map<Mode, { at: number; figures: Promise<Figures> }>()
  const count = async (caller: Caller): Promise<Figures> => {
    const { mode } = caller
    const [clock] = await store.read(queries.clock({}))
    const now = Number(clock!.now)
    const blocks = new Map((await store.read(all({}))).map(block => [block.key, block]))
    const lines = await store.read(queries.lines({ from: `${mode}/`, to: `${mode}0` }))
    const perChannel = new Map<string, Counted>()
    // For all channels, whoever asks first: what is shown of them is the caller's own.
    for (const { id } of await channels.list({ ...caller, channels: undefined } as never))
      perChannel.set(id, await minutes.of(id, mode, now))
    return { now, blocks, lines, minutes: perChannel }
  }
  return (caller: Caller): Promise<Figures> => {
    const old = looks.get(caller.mode)
    if (old && performance.now() - old.at < lookMs) return old.figures
    const fresh = { at: performance.now(), figures: count(caller) }
    looks.set(caller.mode, fresh)
    fresh.figures.catch(() => looks.delete(caller.mode))
    return fresh.figures
  }
}

/** The parts of a line's name: mode, lane, service, channel and broadcast. */
function partsOf({ queue }: Line) {
  const [, lane, service, channel = '', broadcast = ''] = queue.split('/')
  return { lane: lane === '0' ? 'interactive' : 'bulk', service, channel, broadcast } as const
}

function stoppedBy(blocks: Figures['blocks'], mode: Mode, channel: string, broadcast: string) {
  const keys = {
    hold: blockKey.hold,
    account: blockKey.account(mode),
    channel: blockKey.channel(channel),
    throttle: blockKey.throttle(mode, channel),
    breaker: blockKey.breaker(mode, channel),
    broadcast: blockKey.broadcast(broadcast)
  }
  return (Object.keys(keys) as (keyof typeof keys)[]).filter(name => blocks.has(keys[name]))
}

export function createOverviews(parts: OverviewParts): Overviews {
  const { store, channels, rateLimiter, readiness, sandboxMode } = parts
  const ratePerSecond = parts.config.MATON_RATE_PER_SECOND
  const queries = overviewQueries(store)
  const look = createLook(store, queries, channels, createMinutes(store, queries))
  const allowed = (caller: Caller, channel: string): boolean => !caller.channels || caller.channels.has(channel)

  const accountOf = async (mode: Mode, { now, blocks }: Figures): Promise<Overview['account']> => {
    const limit = rateLimiter.account(mode)
    const [row] = limit ? await store.read(queries.pace({ key: limit.key })) : []
    const log = JSON.parse(row?.log ?? '[]') as number[]
    const used = limit ? Math.min(1, log.filter(at => at > now - limit.windowMs).length / limit.calls) : null
    return {
      ratePerSecond: ratePerSecond === 0 ? null : ratePerSecond,
      used,
      throttledUntil: instant(blocks.get(blockKey.account(mode))?.until)
    }
  }

  return {
    overview: async caller => {
      const { mode } = caller
      const figures = await look(caller)
      const { now, blocks, lines } = figures
      const by = <R extends { channel_id: string }>(rows: R[]) => new Map(rows.map(row => [row.channel_id, row]))
      const unknown = await store.read(queries.unknown({ mode }))
      const heard = by(await store.read(queries.heard({ mode })))
      const registered = by(await store.read(queries.registered({ mode })))
      const breakers = new Map((await store.read(queries.breakers({}))).map(({ key, log }) => [key, log]))
      const lineOf = async (channel: { id: string; provider: string; paused: boolean }): Promise<ChannelOverview> => {
        const { id, provider, paused } = channel
        const { whole: perMinute, current } = figures.minutes.get(id) ?? none
        const rows = unknown.filter(row => row.channel_id === id)
        const marks = JSON.parse(breakers.get(blockKey.breaker(mode, id)) ?? '[]') as [number, 0 | 1][]
        const calls = marks.filter(([at]) => at > now - callMs)
        const open = blocks.get(blockKey.breaker(mode, id))
        return {
          ...{ id, provider, paused },
          accepted: {
            lastMinute: perMinute.at(-1) ?? 0,
            thisMinute: current,
            lastHour: perMinute.reduce((sum, count) => sum + count, current),
            perMinute
          },
          failed: failuresOf(await store.read(queries.failed({ channel: id, mode, from: now - hourMs }))),
          calls: { recent: calls.length, unanswered: calls.filter(([, failed]) => failed).length },
          breaker: { state: open ? 'open' : 'closed', since: instant(open?.at) },
          throttledUntil: instant(blocks.get(blockKey.throttle(mode, id))?.until),
          waiting: lines.reduce((sum, line) => sum + (partsOf(line).channel === id ? Number(line.waiting) : 0), 0),
          unknown: { open: rows.length, more: unknown.length > mostLookedAt, causes: causesOf(rows) },
          webhooks: {
            // The sandbox calls every door of test mode by itself, and without an account there is no other.
            registered: sandboxMode || mode === 'test' || registered.get(id)?.registered === 1,
            lastHeardAt: instant(heard.get(id)?.heard_at),
            lastStatusAt: instant(heard.get(id)?.status_at),
            silentSince: instant(registered.get(id)?.silent_since)
          }
        }
      }
      return {
        at: new Date(now).toISOString(),
        mode,
        server: { mode: sandboxMode ? 'sandbox' : 'live', degraded: await readiness.degraded() },
        held: blocks.has(blockKey.hold),
        account: await accountOf(mode, figures),
        channels: await Promise.all((await channels.list(caller)).map(lineOf))
      }
    },

    backlog: async caller => {
      const { mode } = caller
      const { now, blocks, lines, minutes } = await look(caller)
      const seen = lines.filter(line => allowed(caller, partsOf(line).channel))
      /** What goes before the end of a line: all of its channel that is not of a later lane. */
      const ahead = (channel: string, lane: string): number =>
        seen.reduce((sum, line) => {
          const other = partsOf(line)
          const counts = other.channel === channel && (lane === 'bulk' || other.lane === 'interactive')
          return sum + (counts ? Number(line.waiting) : 0)
        }, 0)
      const items = seen.map(line => {
        const { lane, service = '', channel, broadcast } = partsOf(line)
        const stopped = stoppedBy(blocks, mode, channel, broadcast)
        const lately = paceOf(minutes.get(channel))
        const perSecond = lately > 0 ? lately : ratePerSecond
        const end =
          perSecond > 0 ? Math.max(now, Number(line.next_at)) + (ahead(channel, lane) / perSecond) * 1000 : null
        return {
          ...{ service, lane, channel },
          broadcastId: broadcast === '' ? null : broadcast,
          waiting: Number(line.waiting),
          due: Number(line.due),
          oldestAt: new Date(madeAt(line.first_id)).toISOString(),
          nextAt: new Date(Number(line.next_at)).toISOString(),
          stoppedBy: stopped,
          expectedEndAt: stopped.length > 0 ? null : instant(end)
        }
      })
      items.sort((a, b) => b.waiting - a.waiting)
      const waiting = items.reduce((sum, line) => sum + line.waiting, 0)
      return { at: new Date(now).toISOString(), mode, waiting, items }
    }
  }
}
