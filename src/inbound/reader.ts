import { randomUUID } from 'node:crypto'
import { setImmediate as rest } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Mode } from '../../schemas/common.ts'
import type { AnyAdapter, Heard } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import { failpoint } from '../failpoints.ts'
import type { Metrics } from '../metrics.ts'
import { givingWay } from '../own-work.ts'
import { createPeriodic } from '../periodic.ts'
import { noSuchChannel, type WebhookRow } from '../store/schema-inbound.ts'
import { type Store, StoreUnavailable, type Unit } from '../store/store.ts'
import { createBeside } from './beside.ts'
import { webhookWord } from './door.ts'
import type { Effect, Effects } from './effects.ts'
import { createPlaces } from './places.ts'
import { type KeptBody, type Lane, type Piece, webhookQueries } from './queries.ts'
import { readBody } from './read-body.ts'
import { slicesOf } from './slices.ts'
import { createSuspects, deadly, mostTries } from './suspects.ts'

/** Reads what the door has kept: in order of arrival for each channel, each thing that is told with its effect once. */
export interface Reader {
  /** Something waits. */
  wake: () => void
  /** Reads what an earlier process left, and from then on whatever comes. */
  start: () => void
  /** Resolves when the slice that is under way has been written. */
  stop: () => Promise<void>
}

export interface ReaderParts {
  store: Store
  adapters: ReadonlyMap<string, AnyAdapter>
  channels: Channels
  effects: Effects
  metrics: Metrics
  log: Logger
  /** Something became of these messages. */
  tell: (id: string) => void
  /** A message may wait to be sent: its fallback. */
  wakeQueue: (mode: Mode) => void
}

/** What comes in meanwhile is read together, so that many small webhooks cost few commits. */
const gatherMs = 50
/** Bodies in hand at a time. */
const mostBodies = 64
const mostBytes = 1024 * 1024
/** Where a word is missed, or the store fails. */
const pollMs = 2000
/** What has waited a minute for its message may wait a moment more: to look for it is a commit with a sync of its own. */
const disownMs = 1000
/** Others take over from a reader that was silent for so long. */
const leaseMs = 15_000

/** One thing that was told, in its place. */
interface Item {
  webhook: Pick<WebhookRow, 'id' | 'received_at'>
  index: number
  heard: Heard
  /** The channel that it was read as, once it has been. */
  channel?: string
}
/** What goes into one commit: some things that were told, and how far their bodies are then. */
interface Slice {
  lane: Lane
  items: Item[]
  pieces: Piece[]
  door: DispatchChannel
  all: DispatchChannel[]
}

/** Whether it tells what became of a message of ours: WATI has another word for sent than for what follows. */
const isStatus = ({ heard }: Item, effect?: Effect | 'foreign'): boolean =>
  heard.kind === 'status' || (typeof effect === 'object' && effect.ours === true)

const heardAtOf = (pieces: Piece[]): number => Math.max(...pieces.map(piece => piece.received_at))

/** Another process has read on: it has the lane. */
class Superseded extends Error {}

export function createReader(parts: ReaderParts): Reader {
  const { store, adapters, channels, effects, metrics, log, tell, wakeQueue } = parts
  const queries = webhookQueries(store)
  const suspects = createSuspects(store, queries)
  const noteBeside = createBeside(store, queries)
  /** Other processes read too. On an embedded store a lane that an earlier process held is free at once. */
  const shared = store.dialect === 'postgres'
  const { placeOf, siblingsOf } = createPlaces(adapters, channels, shared)
  const holder = shared ? randomUUID() : 'only'
  let stopped = true

  function* effectOf(item: Item, door: DispatchChannel, all: DispatchChannel[]): Unit<Effect | 'foreign'> {
    const place = placeOf(item.heard, door, all)
    if (!place) return 'foreign'
    item.channel = place.channel.id
    return yield* effects.apply(item.heard, { ...place, receivedAt: item.webhook.received_at })
  }

  function* apply({ lane, items, pieces, door, all }: Slice): Unit<(Effect | 'foreign')[]> {
    if (!(yield* queries.holdLane(lane, holder, leaseMs))) throw new Superseded()
    const results: (Effect | 'foreign')[] = []
    for (const item of items) results.push(yield* effectOf(item, door, all))
    failpoint('webhook_effects')
    for (const piece of pieces) if (!(yield* queries.advance(piece))) throw new Superseded()
    const heardAt = heardAtOf(pieces)
    yield queries.heard(
      lane,
      heardAt,
      items.some((item, i) => item.channel === door.id && isStatus(item, results[i]))
    )
    for (const result of results)
      if (result !== 'foreign' && result.message && store.notifications)
        yield store.notifications.publish(result.message.id)
    return results
  }
  const commit = async (slice: Slice) => {
    const { items, door } = slice
    const done = await store.write(() => apply(slice), { patient: 'sync' })
    failpoint('webhook_committed')
    const others = items.flatMap((item, i) =>
      item.channel === undefined || item.channel === door.id
        ? []
        : [{ channel: item.channel, status: isStatus(item, done[i]) }]
    )
    await noteBeside(door.mode, others, heardAtOf(slice.pieces))
    const foreign = items.find((_, i) => done[i] === 'foreign')
    if (foreign) {
      const { numberId, accountId } = foreign.heard.scope
      log.warn(
        { channel: door.id, numberId, accountId },
        'a webhook tells of a number that is none of its channel’s, or whose channel asks for a signature that this door does not check: no effect'
      )
    }
    for (const [i, result] of done.entries()) {
      const { heard } = items[i]!
      metrics.heard(door.provider, heard.kind, result === 'foreign' ? result : result.outcome)
      if (result === 'foreign') continue
      if (result.message) {
        metrics.message(door.id, result.message.status)
        const { id: message, status } = result.message
        log.debug({ webhook: items[i]!.webhook.id, message, channel: door.id, status }, 'a webhook told of a message')
        tell(result.message.id)
        if (result.message.status === 'failed') wakeQueue(door.mode)
      }
    }
  }

  /** A slice; where it fails, each by itself, and the one that is to blame does not stop the others. */
  const take = async (
    lane: Lane,
    items: Item[],
    door: DispatchChannel,
    all: DispatchChannel[],
    faults: Map<string, string>
  ) => {
    try {
      await commit({ lane, items, pieces: piecesOf(items, faults), door, all })
    } catch (error) {
      if (error instanceof StoreUnavailable || error instanceof Superseded) throw error
      if (items.length > 1) {
        for (const item of items) await take(lane, [item], door, all, faults)
        return
      }
      const [{ webhook, index, heard }] = items as [Item]
      log.error(
        { err: error, webhook: webhook.id, index, kind: heard.kind },
        'something that a webhook told could not have its effect'
      )
      faults.set(
        webhook.id,
        `Number ${index + 1}, a ${heard.kind}, could not have its effect: a defect of ours. The log tells more.`
      )
      await commit({ lane, items: [], pieces: piecesOf(items, faults), door, all })
    }
  }

  const sizes = new Map<string, number>()
  /** How far the bodies of some items are after them. */
  const piecesOf = (items: Item[], faults: Map<string, string>): Piece[] => {
    const pieces = new Map<string, Piece>()
    for (const { webhook, index } of items) {
      const { id, received_at } = webhook
      const from = pieces.get(id)?.from ?? index
      const last = index + 1 === sizes.get(id)
      const reason = faults.get(id) ?? null
      const state = !last ? 'waiting' : reason === null ? 'read' : 'set_aside'
      pieces.set(id, { id, received_at, from, to: index + 1, state, reason })
    }
    return [...pieces.values()]
  }

  /** Some bodies of one channel. Answers whether there are more: what comes meanwhile is gathered for the next round. */
  const readSome = async (lane: Lane): Promise<boolean> => {
    if (shared && !(await store.write(() => queries.holdLane(lane, holder, leaseMs)))) return false
    const next = await queries.next(lane, mostBodies, mostBytes)
    const rows = await suspects.take(next.rows)
    try {
      if (rows.length > 0) await readThese(lane, rows)
      if (stopped) await suspects.spare(rows)
      else suspects.done(rows)
    } catch (error) {
      await suspects.spare(rows)
      throw error
    }
    if (next.more || rows.length < next.rows.length) return true
    if (shared) await store.write(() => queries.leaveLane(lane, holder))
    return false
  }
  const readThese = async (lane: Lane, rows: KeptBody[]): Promise<void> => {
    const door = await channels.bind(lane.channel_id, lane.mode)
    const adapter = door && adapters.get(door.provider)
    const items: Item[] = []
    const faults = new Map<string, string>()
    for (const { body, position, tries, ...webhook } of rows) {
      const told = !adapter ? noSuchChannel : tries < mostTries ? readBody(body, adapter, log) : deadly
      if (typeof told === 'string' || !door || told.length <= position) {
        const reason = typeof told === 'string' ? told : null
        const state = reason === null ? 'read' : 'set_aside'
        const piece: Piece = { ...webhook, from: position, to: position, state, reason }
        const moved = await store.write(() =>
          told === noSuchChannel ? queries.setAsideWithoutChannel(piece, lane) : queries.advance(piece)
        )
        if (moved) metrics.heard(adapter?.provider ?? 'none', reason === null ? 'nothing' : 'unreadable', state)
        continue
      }
      sizes.set(webhook.id, told.length)
      if (webhook.reason !== null) faults.set(webhook.id, webhook.reason)
      for (const [index, heard] of told.entries()) if (index >= position) items.push({ webhook, index, heard })
    }
    try {
      const all = door ? await siblingsOf(door, items) : []
      for (const slice of slicesOf(items)) {
        if (stopped) break
        await givingWay.turn()
        await take(lane, slice, door!, all, faults)
      }
    } finally {
      for (const { id } of rows) sizes.delete(id)
    }
  }

  let disownedAt = Number.NEGATIVE_INFINITY
  const disownNow = async (): Promise<void> => {
    if (performance.now() - disownedAt < disownMs) return
    disownedAt = performance.now()
    // What it binds by has to be as it is now: a replica without traffic may not have looked for long.
    await channels.all('live')
    while (!stopped && (await store.write(() => effects.disown(channels.peek))) > 0) await rest()
  }
  /** Channels take turns, so that one with a flood does not hold up the others. */
  const round = async (): Promise<void> => {
    let unavailable: StoreUnavailable | undefined
    await givingWay.turn()
    for (let lanes = await queries.lanes(); lanes.length > 0 && !stopped; ) {
      const more: Lane[] = []
      for (const lane of lanes) {
        if (stopped) return
        try {
          if (await readSome(lane)) more.push(lane)
        } catch (error) {
          // A lock may be on one channel's rows alone: the others have their turn.
          if (error instanceof StoreUnavailable) unavailable = error
          else if (!(error instanceof Superseded))
            log.error({ err: error, channel: lane.channel_id }, 'webhooks could not be read: it is tried again')
        }
      }
      lanes = more
    }
    await disownNow()
    if (unavailable) throw unavailable
  }

  const failed = (error: unknown): void =>
    error instanceof StoreUnavailable
      ? log.warn({ err: error }, 'webhooks cannot be read: the store is not available')
      : log.error({ err: error }, 'webhooks could not be read: it is tried again')
  const reading = createPeriodic(round, pollMs, log, failed, gatherMs)
  store.notifications?.subscribe(word => word === webhookWord && reading.wake())

  return {
    wake: reading.wake,
    start: () => {
      stopped = false
      reading.start()
    },
    stop: async () => {
      stopped = true
      await reading.stop()
      if (shared)
        await store
          .write(() => queries.leaveAll(holder))
          .catch(error => log.warn({ err: error }, 'webhooks are left to others when the lease ends'))
    }
  }
}
