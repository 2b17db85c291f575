import type { Logger } from 'pino'
import type { SendMessage } from '../../../schemas/messages.ts'
import type { Limit } from '../../adapters/adapter.ts'
import { invalid, ServiceError } from '../../errors.ts'
import { failpoint } from '../../failpoints.ts'
import { type Caller, requireChannel } from '../../keys/caller.ts'
import type { Notifications } from '../../messages/notifications.ts'
import type { MessageQueries } from '../../messages/queries.ts'
import { createMessageReads, type MessageReads } from '../../messages/reads.ts'
import type { Suppressed } from '../../messages/suppressed.ts'
import type { MessageRow } from '../../store/schema.ts'
import { type Store, StoreUnavailable, type Unit } from '../../store/store.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { Executor } from '../sending/attempt.ts'
import { type Accept, type AcceptedRequest, requireRights } from './accept.ts'
import { answerOf } from './answer.ts'
import { type Answer, type Idempotency, type IdempotencyScope, requestHash } from './idempotency.ts'
import { begunAs, createMaking, isPermit, type Making, type Way } from './making.ts'
import type { Preparation } from './prepare.ts'
import { createWaits } from './waits.ts'

export interface SendOptions {
  /** How long the caller waits for the provider, in milliseconds; 0: not at all. */
  waitMs: number
  /** The wait was asked for in so many words: it is waited out, whatever puts the message off. */
  patient?: boolean
  idempotencyKey?: string
  requestId: string
  traceparent?: string
}

export interface Sent extends Answer {
  /** The message that it is about, for the log. */
  messageId?: string
  /** And its channel. */
  channel?: string
}

export interface Messages extends MessageReads {
  send: (caller: Caller, body: SendMessage, options: SendOptions) => Promise<Sent>
  /** Sends a message that is made of something else than the request's body, as a resend is. */
  submit: (caller: Caller, submission: Submission, options: SendOptions) => Promise<Sent>
}

/** A request that makes a message. */
export interface Submission {
  /** Where it came in: with its body it is what an Idempotency-Key stands for. */
  path: string
  body: unknown
  /** @param replaces a message that the same request has made before, and that failed for no fault of its own */
  acceptRow: (replaces?: string) => Promise<AcceptedRequest>
  /** Throws where the caller may not do it: asked before an answer is given again, which no acceptRow looks at. */
  rights?: () => void | Promise<void>
  /** Inside the commit that makes the row: throws where what the message rests on is not so any more. */
  rests?: (row: MessageRow) => Unit<void>
}

export interface MessagesParts {
  store: Store
  queries: MessageQueries
  suppressed: Suppressed
  accept: Accept
  preparation: Preparation
  executor: Executor
  idempotency: Idempotency
  log: Logger
  scheduler: Scheduler
  notifications: Notifications
  /** What a message counts against, beside the account. */
  limitsOf: (row: MessageRow) => Limit[]
  /** The path under which the outside reaches us; usually nothing. */
  basePath: string
  /** Takes a message that was refused on to where it goes next; any other is given back as it is. */
  failOver: (row: MessageRow) => MessageRow | Promise<MessageRow>
  /** Delivers a claimed message that has to be made ready first. */
  deliverOwn: (row: MessageRow) => Promise<MessageRow>
}

interface Begun {
  first: MessageRow
  /** Resolves to the row after its delivery in this process; undefined: it waits in the queue, for this process or another. */
  sent: Promise<MessageRow> | undefined
}
const path = '/messages'
/** The lock of an idempotency record outlives the caller's wait by this: time to store the answer. */
const lockMarginMs = 15_000

export function createMessages({
  store,
  queries,
  suppressed,
  accept,
  preparation,
  executor,
  idempotency,
  log,
  scheduler,
  notifications,
  limitsOf,
  basePath,
  failOver,
  deliverOwn
}: MessagesParts): Messages {
  const { make, withdraw } = createMaking({ store, queries, suppressed, idempotency, scheduler, executor, limitsOf })
  const { waitFor } = createWaits({ store, queries, executor, notifications, log })

  /** Makes the row durable, with the Idempotency-Key if there is one, and starts the delivery that suits it. */
  const begin = async (
    accepted: AcceptedRequest,
    { claim, rests, patient }: Pick<Making, 'claim' | 'rests'> & { patient: boolean }
  ): Promise<Begun | { taken: Answer | 'gone' }> => {
    const { row, prepared, channel } = accepted
    // Encoded before the row exists: what the provider cannot say is refused without one.
    const encoded = prepared.file ? undefined : preparation.encodeNow(prepared, channel)
    // Preparing may have taken seconds: what goes out at once passes no other commit that would look at it.
    if (row.expires_at !== null && row.expires_at <= store.clock())
      throw invalid('/expiresAt', 'passed while the message was being prepared')
    const waits = row.send_at !== null && row.send_at > store.clock()
    const leasedAt = performance.now()
    /** The way with which the row was last tried to be stored: a commit in doubt has to be taken back as that. */
    const tried: { way: Way } = { way: 'turn' }
    const { rival, way } = await store
      .write(() => make(accepted, { claim, rests, encoded, waits }, tried))
      .catch(error => {
        if (error instanceof StoreUnavailable) void withdraw(begunAs(row, tried.way))
        throw error
      })
    const first = begunAs(row, way)
    if (rival === 'gone') return { taken: 'gone' }
    if (rival) {
      const found = idempotency.judge(rival, claim!.hash)
      return { taken: found.state === 'done' ? found.answer : 'gone' }
    }
    failpoint('after_insert')
    if (first.state === 'queued') {
      scheduler.wake(row.mode, row.run_at)
      // What somebody has to lift, or what lasts, is not waited for.
      const held = waits || (!patient && typeof way === 'object' && !isPermit(way) && way.until === null)
      return { first, sent: held ? Promise.resolve(first) : undefined }
    }
    const sent = isPermit(way)
      ? executor.send(first, encoded!, channel, leasedAt, way).then(failOver)
      : deliverOwn(first)
    // Nobody may be waiting any more when it ends.
    sent
      .then(done => done.state === 'queued' && scheduler.wake(done.mode, done.run_at))
      .catch(error => log.error({ err: error, message: row.id }, 'a delivery was interrupted: its lease decides'))
    return { first, sent }
  }

  const finish = async (
    path: string,
    claim: { scope: IdempotencyScope } | undefined,
    row: MessageRow,
    requestId: string
  ): Promise<Answer> => {
    const made = answerOf(row, requestId, basePath + path)
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

  const submit: Messages['submit'] = async (caller, { path, body, acceptRow, rights, rests }, options) => {
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
    const row = found && (await store.read(queries.byId({ id: found.messageId })))[0]
    if (found) await rights?.()
    // The body may leave the channel out, and an answer that tells of a refusal does not name it.
    if (row) requireChannel(caller, row.channel_id)
    if (found?.state === 'done') return { ...found.answer, messageId: found.messageId }
    if (found?.state === 'orphaned') {
      // A 5xx is never kept: a retry answers from the row, and only a failed one makes room for a new send.
      const retry = row?.state === 'failed' && answerOf(row, options.requestId).status >= 500
      if (row && !retry) return finish(path, claim, row, options.requestId)
      replaces = found.messageId
    }

    const taken = await acceptRow(replaces)
    const begun = await begin(taken, {
      claim: claim && { ...claim, ...(replaces && { replaces }) },
      rests,
      patient: options.patient === true
    })
    if ('taken' in begun) {
      if (begun.taken !== 'gone') return begun.taken
      throw new ServiceError('idempotency_in_progress', 'Another request with this Idempotency-Key is running.', {
        retryAfterSeconds: 1
      })
    }
    const now = await waitFor(begun.first, begun.sent, options)
    return { ...(await finish(path, claim, now, options.requestId)), messageId: now.id, channel: now.channel_id }
  }

  return {
    ...createMessageReads({ store, queries, notifications }),
    submit,
    send: (caller, body, options) =>
      submit(
        caller,
        {
          path,
          body,
          rights: () => requireRights(caller, body),
          acceptRow: () => accept(caller, body, options.traceparent)
        },
        options
      )
  }
}
