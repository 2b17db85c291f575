import type { Logger } from 'pino'
import type { Message, MessageFilter, SendMessage, Timeline } from '../../schemas/messages.ts'
import type { DispatchChannel } from '../dispatch/corridor.ts'
import { invalid, ServiceError } from '../errors.ts'
import { type Caller, sees } from '../keys/caller.ts'
import { pageRequest, toPage } from '../store/page.ts'
import type { MessageRow } from '../store/schema.ts'
import { change, type Store, StoreUnavailable } from '../store/store.ts'
import { answerOf } from './answer.ts'
import type { Engine } from './engine.ts'
import { type Answer, type Idempotency, type IdempotencyScope, requestHash } from './idempotency.ts'
import type { Intake } from './intake.ts'
import type { Preparation, Prepared } from './prepare.ts'
import type { MessageQueries } from './queries.ts'
import { requirePhone } from './rules.ts'
import { timelineEntry, toTimeline } from './timeline.ts'
import { publicStatus, toMessage } from './view.ts'

export interface SendOptions {
  /** How long the caller waits for the provider, in milliseconds; 0: not at all. */
  waitMs: number
  idempotencyKey?: string
  requestId: string
  traceparent?: string
}

export interface Sent extends Answer {
  /** Milliseconds of the provider's call, where one was made for this answer. */
  upstreamMs: number
}

export interface Messages {
  send: (caller: Caller, body: SendMessage, options: SendOptions) => Promise<Sent>
  get: (caller: Caller, id: string) => Promise<Message>
  list: (caller: Caller, filter: MessageFilter) => Promise<{ items: Message[]; nextCursor: string | null }>
  timeline: (caller: Caller, id: string) => Promise<Timeline>
  cancel: (caller: Caller, id: string) => Promise<Message>
}

export interface MessagesParts {
  store: Store
  queries: MessageQueries
  intake: Intake
  preparation: Preparation
  engine: Engine
  idempotency: Idempotency
  log: Logger
  /** Takes a message that was refused on to where it goes next; any other is given back as it is. */
  carry: (row: MessageRow) => MessageRow | Promise<MessageRow>
  /** Told that a message waits, so that nothing has to be polled for. */
  wake: (dueAt: number) => void
}

const path = '/messages'
/** The lock of an idempotency record outlives the caller's wait by this: time to store the answer. */
const lockMarginMs = 15_000
/** How long a doubtful row is tried to be taken back: less than any lock or lease, after which others may have read it. */
const withdrawMs = 10_000

export function createMessages({
  store,
  queries,
  intake,
  preparation,
  engine,
  idempotency,
  log,
  carry,
  wake
}: MessagesParts): Messages {
  /**
   * The row after its send, or as it stands when the caller's wait is over. From here on it exists: whatever fails of ours
   * is answered by what is known of it, never by a 5xx, which would invite a second send (RELIABILITY.md 3.1 rule 6).
   */
  const waitFor = async (row: MessageRow, sent: Promise<MessageRow>, waitMs: number): Promise<MessageRow> => {
    // respond-async is always a 202 (API.md 4), however fast the provider is.
    if (waitMs === 0) {
      sent.catch(() => {
        // The row tells how it ended; the engine has logged why.
      })
      return row
    }
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<undefined>(resolve => {
      timer = setTimeout(() => resolve(undefined), waitMs)
    })
    const settled = await Promise.race([sent.catch(() => undefined), patience])
    clearTimeout(timer)
    if (settled) return settled
    try {
      return (await store.read(queries.byId({ id: row.id })))[0] ?? row
    } catch (error) {
      log.error({ err: error, message: row.id }, 'a message cannot be read: it is told as it was begun')
      return row
    }
  }

  /**
   * The store failed at the very commit, and the row may be there all the same. Its caller is told that nothing was sent
   * and may try again, so it must not be sent later.
   */
  const withdraw = async ({ id, attempts }: MessageRow): Promise<void> => {
    for (const end = performance.now() + withdrawMs; performance.now() < end; ) {
      try {
        await store.write(function* () {
          if ((yield* change(queries.withdraw({ id, attempts }))) > 0) yield idempotency.forget(id)
        })
        return
      } catch {
        // As the commit before: it is tried again.
        await new Promise(resolve => setTimeout(resolve, 250).unref())
      }
    }
  }

  /** Makes the row durable, with the Idempotency-Key if there is one, and starts the delivery that suits it. */
  const begin = async (
    row: MessageRow,
    prepared: Prepared,
    channel: DispatchChannel,
    claim: { scope: IdempotencyScope; hash: string; replaces?: string; lockMs: number } | undefined
  ): Promise<{ first: MessageRow; sent: Promise<MessageRow> } | { taken: Answer | 'gone' }> => {
    // Encoded before the row exists: what the provider cannot say is refused without one.
    const encoded = prepared.file ? undefined : preparation.encodeNow(prepared, channel)
    // Preparing may have taken seconds: what goes out at once passes no other commit that would look at it.
    if (row.expires_at !== null && row.expires_at <= Date.now())
      throw invalid('/expiresAt', 'passed while the message was being prepared')
    const waits = row.send_at !== null && row.send_at > Date.now()
    const first: MessageRow = waits
      ? row
      : encoded
        ? { ...row, state: 'sending', attempts: 1 }
        : { ...row, state: 'claimed' }
    const leasedAt = performance.now()
    const make = function* () {
      if (claim?.replaces) {
        if (!(yield* idempotency.repoint(claim.scope, claim.replaces, row.id, claim.lockMs))) return 'gone' as const
      } else if (claim) {
        const other = yield* idempotency.claim(claim.scope, claim.hash, row.id, claim.lockMs)
        if (other) return other
      }
      const kept = prepared.file?.media
      if (kept && row.expires_at !== null && kept.expires_at < row.expires_at)
        yield queries.keepFile({ id: kept.id, until: row.expires_at })
      if (first.state === 'sending') yield* engine.insertSending(first)
      else yield queries.insert({ ...first, lease_ms: engine.leaseMs })
      return undefined
    }
    const rival = await store.write(make).catch(error => {
      if (error instanceof StoreUnavailable) void withdraw(first)
      throw error
    })
    if (rival === 'gone') return { taken: 'gone' }
    if (rival) {
      const found = idempotency.judge(rival, claim!.hash)
      return { taken: found.state === 'done' ? found.answer : 'gone' }
    }
    if (waits) {
      wake(row.run_at)
      return { first, sent: Promise.resolve(first) }
    }
    const going = encoded ? engine.send(first, encoded, channel, leasedAt) : engine.deliver(first, prepared, channel)
    const sent = going.then(carry)
    // Nobody may be waiting any more when it ends.
    sent
      .then(done => done.state === 'queued' && wake(done.run_at))
      .catch(error => log.error({ err: error, message: row.id }, 'a delivery was interrupted: its lease decides'))
    return { first, sent }
  }

  const load = async (caller: Caller, id: string): Promise<MessageRow> => {
    const [row] = await store.read(queries.byId({ id }))
    const allowed = row && (sees(caller, row) || (row.direction === 'inbound' && row.mode === caller.mode))
    if (!row || !allowed || (caller.channels && !caller.channels.has(row.channel_id)))
      throw new ServiceError('not_found', `There is no message ${id}.`)
    return row
  }

  const finish = async (
    claim: { scope: IdempotencyScope } | undefined,
    row: MessageRow,
    requestId: string
  ): Promise<Answer> => {
    const made = answerOf(row, requestId)
    if (!claim) return made
    try {
      if (made.status < 500) return await idempotency.keep(claim.scope, row.id, made)
      await idempotency.unlock(claim.scope, row.id)
    } catch (error) {
      // The lock ends by itself, and the next request with the key is answered from the row.
      log.error({ err: error, message: row.id }, 'an answer cannot be kept for its Idempotency-Key')
    }
    return made
  }

  return {
    send: async (caller, body, options) => {
      const lockMs = options.waitMs + lockMarginMs
      const claim =
        options.idempotencyKey === undefined
          ? undefined
          : {
              scope: { service: caller.service, mode: caller.mode, method: 'POST', path, key: options.idempotencyKey },
              hash: requestHash(body),
              lockMs
            }
      let replaces: string | undefined
      const found = claim && (await idempotency.find(claim.scope, claim.hash))
      if (found?.state === 'done') return { ...found.answer, upstreamMs: 0 }
      if (found?.state === 'orphaned') {
        const [row] = await store.read(queries.byId({ id: found.messageId }))
        // A 5xx is never kept: a retry answers from the row, and only a failed one makes room for a new send.
        const retry = row?.state === 'failed' && answerOf(row, options.requestId).status >= 500
        if (row && !retry) return { ...(await finish(claim, row, options.requestId)), upstreamMs: 0 }
        replaces = found.messageId
      }

      const { row, channel, prepared } = await intake(caller, body, options.traceparent)
      const begun = await begin(row, prepared, channel, claim && { ...claim, ...(replaces && { replaces }) })
      if ('taken' in begun) {
        if (begun.taken !== 'gone') return { ...begun.taken, upstreamMs: 0 }
        throw new ServiceError('idempotency_in_progress', 'Another request with this Idempotency-Key is running.', {
          retryAfterSeconds: 1
        })
      }
      const now = await waitFor(begun.first, begun.sent, options.waitMs)
      return { ...(await finish(claim, now, options.requestId)), upstreamMs: engine.upstreamMs.get(now) ?? 0 }
    },

    get: async (caller, id) => toMessage(await load(caller, id)),

    list: async (caller, { limit, cursor, ...filter }) => {
      if (filter.contact !== undefined) filter.contact = requirePhone(filter.contact, 'query/contact')
      const page = pageRequest({ limit, cursor })
      const { items, nextCursor } = toPage(await store.read(queries.list(caller, filter, page)), page.limit)
      return { items: items.map(toMessage), nextCursor }
    },

    timeline: async (caller, id) => toTimeline(await load(caller, id)),

    cancel: async (caller, id) => {
      const row = await load(caller, id)
      const entry = timelineEntry({ state: 'canceled', attempts: row.attempts }, `canceled by ${caller.keyId}`)
      const canceled = await store.write(() => change(queries.cancel({ id, entry })))
      const after = await load(caller, id)
      if (canceled > 0) return toMessage(after)
      const state = publicStatus(after.state)
      throw new ServiceError('conflict', `The message ${id} is ${state}: only a queued one can be canceled.`, {
        messageId: id
      })
    }
  }
}
