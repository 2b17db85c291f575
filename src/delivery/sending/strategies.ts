import type { Logger } from 'pino'
import type { BatchOutcome, Encoded } from '../../adapters/adapter.ts'
import type { Permit } from '../../dispatch/admission.ts'
import type { CallOptions, CallRecord, DispatchChannel, ProviderClient } from '../../dispatch/provider-client.ts'
import { blockKeysOf } from '../../messages/blocks.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import { concernOf, type Standing, type Suppressed } from '../../messages/suppressed.ts'
import { timelineEntry } from '../../messages/timeline.ts'
import { requestTrace } from '../../request-trace.ts'
import type { MessageRow } from '../../store/schema.ts'
import { all, change, first, type Store, type Unit } from '../../store/store.ts'
import type { Preparation, Prepared } from '../intake/prepare.ts'
import type { Place } from './order.ts'

/** A message on its way through an attempt: the steps put in what they make of it. */
export interface Part {
  /** As it stands now, for whoever started the attempt. */
  row: MessageRow
  /** What it says, with every reference resolved; unknown where it comes in after the dispatch. */
  prepared?: Prepared
  /** What goes over the wire, for a call of its own. */
  encoded?: Encoded & { dispose?: () => Promise<void> }
}

/** What the dispatch made of a part: it goes out, a suppression stands against it, or something else came in between. */
export type Dispatched = { sending: MessageRow } | { standing: Standing } | { heldUp: MessageRow }

/** What an attempt would make of a message, not stored yet. */
export interface Judged {
  part: Part
  next: MessageRow
  record: CallRecord | undefined
}

/** How messages go out: everything in which one alone differs from many in one call. */
export interface Strategy {
  /** Has ready what the call needs of a part. Throws ServiceError where the provider cannot say it. */
  encode: (part: Part, channel: DispatchChannel) => Promise<void>
  /** claimed → sending, in the last commit before the write, but for those that something speaks against by now. */
  dispatch: (parts: Part[]) => Unit<Dispatched[]>
  /** One call for all parts, and what it made of each, in their order. */
  call: (
    parts: Part[],
    channel: DispatchChannel,
    options: CallOptions
  ) => Promise<{ outcomes: BatchOutcome[]; record: CallRecord }>
  /** What the log calls it by. */
  subject: (row: MessageRow) => object
  results: (judged: Judged[]) => object
  /** One line of the log for a result that is stored. */
  tell: (written: MessageRow, judged: Judged) => void
  words: { defect: string; kept: string }
}

/** One call that may reach the provider, with all that goes out in it. */
export interface Attempt {
  readonly strategy: Strategy
  readonly channel: DispatchChannel
  readonly parts: Part[]
  /** Whether somebody at another replica may wait for what comes of it. */
  readonly awaited: boolean
  /** The one that came with the claim, until `acquire` has made sure of it. */
  permit: Permit | undefined
  /** Among those to the same person; undefined: it waits for none of them. */
  readonly place: Place | undefined
  /** performance.now() from before the commit that made them `sending`; undefined: they are claimed, and not dispatched yet. */
  leasedAt: number | undefined
}

export interface StrategyParts {
  store: Store
  queries: MessageQueries
  suppressed: Suppressed
  providerClient: ProviderClient
  preparation: Preparation
  leaseMs: number
  log: Logger
}

/** Makes the two strategies: `alone`, by `sendMessage`, and `together`, many messages of one broadcast by `sendBatch`. */
export function createStrategies(parts: StrategyParts): Record<'alone' | 'together', Strategy> {
  const { store, queries, suppressed, providerClient, preparation, leaseMs, log } = parts
  const sendingOf = (row: MessageRow): MessageRow => ({ ...row, state: 'sending', attempts: row.attempts + 1 })

  /** claimed → queued where something came in between; where it is not ours any more, it stays as it is. */
  function* release(row: MessageRow): Unit<MessageRow> {
    const next: MessageRow = { ...row, state: 'queued' }
    yield queries.release({ ...next, entry: timelineEntry(store.clock(), next, 'it was held up') })
    return next
  }

  const alone: Strategy = {
    encode: async (part, channel) => {
      part.encoded = await preparation.encode(part.prepared!, channel)
    },
    dispatch: function* ([part]) {
      const { row, prepared } = part!
      const { id, attempts } = row
      const sending = sendingOf(row)
      const keys = suppressed.keysOf(row, concernOf(row, prepared!.sendable))
      const entry = timelineEntry(store.clock(), sending)
      const turn = { id, attempts, next: sending.attempts, lease_ms: leaseMs, entry }
      if ((yield* change(queries.dispatch({ ...turn, ...blockKeysOf(row), ...keys }))) > 0) return [{ sending }]
      const standing = yield* first(suppressed.look(keys))
      if (standing) return [{ standing }]
      // Canceled, stopped, expired or taken by another meanwhile: theirs is the truth.
      const next = yield* release(row)
      return [{ heldUp: (yield* first(queries.byId({ id }))) ?? next }]
    },
    call: async ([part], channel, options) => {
      const { row, encoded } = part!
      const { output, record } = await providerClient.call('sendMessage', channel, encoded!, {
        ...options,
        ...{ to: row.contact!, attempt: row.attempts, message: row.id }
      })
      return { outcomes: [{ receipt: output }], record }
    },
    subject: ({ id }) => ({ message: id }),
    results: ([one]) => {
      const { id: message, state, provider_message_id: providerMessageId } = one!.next
      return { message, state, providerMessageId }
    },
    tell: ({ channel_id: channel, attempts: attempt }, { next, record }) => {
      const { id: message, state, provider_message_id: providerMessageId } = next
      const requestId = requestTrace.getStore()?.requestId
      const facts = { requestId, message, channel, state, attempt, providerMessageId, ms: record?.ms }
      log.info(facts, 'a message was tried')
    },
    words: {
      defect: 'a send ended in a defect',
      kept: 'a result cannot be stored yet: it is kept and offered again'
    }
  }

  const together: Strategy = {
    // What the provider cannot say to one of them would stop the whole call.
    encode: async ({ prepared }, channel) => void preparation.encodeNow(prepared!, channel),
    dispatch: function* (parts) {
      const { mode, channel_id } = parts[0]!.row
      const people = parts.flatMap(({ row }) => row.contact ?? [])
      const stopped = yield* suppressed.among({ mode, channel_id, marketing: true }, people)
      const standingOf = ({ contact }: MessageRow) => stopped.get(contact ?? '')
      const ready = parts.map(({ row }) => row).filter(row => !standingOf(row))
      const gone = new Set<string>()
      // In one statement each, or on a database across a network the last would be long after its turn.
      for (const [attempts, rows] of Map.groupBy(ready, row => row.attempts)) {
        const entry = timelineEntry(store.clock(), { state: 'sending', attempts: attempts + 1 })
        const ids = rows.map(({ id }) => id)
        const turn = { ids, attempts, lease_ms: leaseMs, entry, ...blockKeysOf(rows[0]!) }
        for (const { id } of yield* all(queries.dispatchAll(turn))) gone.add(id)
      }
      const came: Dispatched[] = []
      for (const { row } of parts) {
        const standing = standingOf(row)
        if (standing) came.push({ standing })
        else came.push(gone.has(row.id) ? { sending: sendingOf(row) } : { heldUp: yield* release(row) })
      }
      return came
    },
    call: async (parts, channel, options) => {
      const { id, broadcast_id: broadcast } = parts[0]!.row
      const messages = parts.map(({ prepared }) => prepared!.sendable as never)
      const { output, record } = await providerClient.call(
        'sendBatch',
        channel,
        { name: broadcast ?? id, messages },
        { ...options, ...(broadcast !== null && { broadcast }) }
      )
      return { outcomes: output.outcomes, record }
    },
    subject: ({ broadcast_id }) => ({ broadcast: broadcast_id }),
    results: judged => ({ messages: judged.map(({ next }) => [next.id, next.state]) }),
    tell: ({ id: message, channel_id: channel, broadcast_id: broadcast, state }) =>
      log.debug({ message, channel, broadcast, state }, 'a message of a batch was tried'),
    words: {
      defect: 'a batch ended in a defect',
      kept: 'results cannot be stored yet: they are kept and offered again'
    }
  }

  return { alone, together }
}
