import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import canonicalize from 'canonicalize'
import type { Broadcast, BroadcastFilter, BroadcastForm, BroadcastMessageFilter } from '../../schemas/broadcasts.ts'
import type { Message } from '../../schemas/messages.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, requireRecipient, requireTemplate, sees } from '../keys/caller.ts'
import { blockKey, type blockQueries } from '../messages/blocks.ts'
import { refusalOf, type Standing, type Suppressed } from '../messages/suppressed.ts'
import { timelineEntry } from '../messages/timeline.ts'
import { toMessage } from '../messages/view.ts'
import { requirePerson } from '../phone.ts'
import { pageRequest, toPage } from '../store/page.ts'
import type { BroadcastRow } from '../store/schema.ts'
import { all, first, type Store, type Unit } from '../store/store.ts'
import { inTurns } from '../tables/in-turns.ts'
import { toCsvText } from '../tables/write.ts'
import type { BroadcastChecker } from './check.ts'
import type { BroadcastIntake, IntakeOptions } from './intake.ts'
import type { Progress } from './progress.ts'
import type { BroadcastQueries } from './queries.ts'
import { resultRows } from './results.ts'
import type { Source } from './rows.ts'

export interface Broadcasts {
  /** Checks every recipient, then stores them all. Throws ServiceError; nothing is kept or sent then. */
  create: (caller: Caller, form: BroadcastForm, source: Source, options: IntakeOptions) => Promise<Broadcast>
  /** Checks every recipient, and keeps nothing. */
  check: BroadcastChecker
  /** Throws the 403 for a template or a recipient of the broadcast that the key may not send. */
  requireRights: (caller: Caller, id: string) => Promise<void>
  get: (caller: Caller, id: string) => Promise<Broadcast>
  /** As `get`; undefined where no such broadcast was ever complete. */
  find: (caller: Caller, id: string) => Promise<Broadcast | undefined>
  list: (caller: Caller, filter: BroadcastFilter) => Promise<{ items: Broadcast[]; nextCursor: string | null }>
  messages: (
    caller: Caller,
    id: string,
    filter: BroadcastMessageFilter
  ) => Promise<{ items: Message[]; nextCursor: string | null }>
  /** All of them as a table, whatever the page. */
  results: (caller: Caller, id: string, filter: BroadcastMessageFilter) => Promise<Readable>
  /** Server-sent events until it has ended, or the signal is given. */
  events: (caller: Caller, id: string, signal: AbortSignal) => Promise<AsyncGenerator<string>>
  pause: (caller: Caller, id: string) => Promise<Broadcast>
  resume: (caller: Caller, id: string) => Promise<Broadcast>
  /** From the answer on only what is under way goes out; the rest is marked in the background. */
  cancel: (caller: Caller, id: string) => Promise<Broadcast>
  /** Sends again what failed for certain; never what may have arrived. */
  retryFailed: (caller: Caller, id: string) => Promise<Broadcast>
  /** What a request is known by: one digest, made in pieces, since the whole of it in one would hold up the others. */
  digest: (recipients: readonly unknown[]) => Promise<string>
}

export interface BroadcastsParts {
  store: Store
  queries: BroadcastQueries
  blocks: ReturnType<typeof blockQueries>
  suppressed: Suppressed
  intake: BroadcastIntake
  check: BroadcastChecker
  progress: Progress
  wake: (mode: string, dueAt: number) => void
  /** To be told that there is something to clear up. */
  look: () => void
}

const dayMs = 24 * 3600_000
/**
 * Results that are read at a time. SQLite keeps everybody waiting meanwhile; PostgreSQL does not, and may sort all that is left of a
 * broadcast for each portion, as long as it knows nothing of a new one.
 */
const resultsAtOnce = { sqlite: 250, postgres: 5000 }

const notFound = (id: string) => new ServiceError('not_found', `There is no broadcast ${id}.`)

export function createBroadcasts(parts: BroadcastsParts): Broadcasts {
  const { store, queries, blocks, suppressed, intake, check, progress, wake, look } = parts

  const requireVisible = (caller: Caller, row: BroadcastRow | undefined, id: string): BroadcastRow => {
    const allowed = row && sees(caller, row) && (!caller.channels || caller.channels.has(row.channel_id))
    if (!allowed || row.status === 'draft') throw notFound(id)
    return row
  }
  const load = async (caller: Caller, id: string): Promise<BroadcastRow> =>
    requireVisible(caller, (await store.read(queries.byId({ id })))[0], id)
  const shown = async (caller: Caller, id: string): Promise<Broadcast> => progress.look(await load(caller, id))

  /** One act on one that is there for the caller and in one of these states, in one commit. */
  const act = async (
    caller: Caller,
    id: string,
    words: { act: string; from: BroadcastRow['status'][] },
    unit: (row: BroadcastRow) => Unit<unknown>
  ): Promise<Broadcast> => {
    await store.write(function* () {
      const row = requireVisible(caller, yield* first(queries.lock({ id })), id)
      if (!words.from.includes(row.status)) {
        const can = words.from.join(' or ')
        throw new ServiceError(
          'conflict',
          `The broadcast is ${row.status}: only one that is ${can} can be ${words.act}.`
        )
      }
      yield* unit(row)
    })
    progress.forget(id)
    return shown(caller, id)
  }
  /** Who has it sent has to have the rights for all of it, as whoever made it had. */
  const requireRights = async (caller: Caller, id: string): Promise<void> => {
    const { template } = await load(caller, id)
    requireTemplate(caller, (JSON.parse(template) as { name: string }).name)
    const prefixes = caller.recipientPrefixes
    const [stranger] = prefixes ? await store.read(queries.beyond({ id, prefixes })) : []
    if (stranger) requireRecipient(caller, stranger.contact ?? '')
  }
  const stop = (id: string, detail: string) => blocks.stop({ key: blockKey.broadcast(id), detail, at: store.clock() })

  /** Queues one batch of failed messages again, but for those to people who must not be messaged. Undefined: none was left. */
  function* retryBatch(
    row: BroadcastRow,
    after: string,
    by: string
  ): Unit<{ last: string; count: number; standing: Standing | undefined } | undefined> {
    const { id, mode, channel_id } = row
    const failed = yield* all(queries.failedAfter({ id, after }))
    const last = failed.at(-1)?.id
    if (last === undefined) return undefined
    const people = failed.flatMap(({ contact }) => contact ?? [])
    const said = yield* suppressed.among({ mode, channel_id, marketing: true }, people)
    const ids = failed.flatMap(({ id, contact }) => (said.has(contact ?? '') ? [] : [id]))
    const now = store.clock()
    const entry = timelineEntry(now, { state: 'queued', attempts: 0 }, `sent again: ${by} asked for it`)
    yield queries.retry({ ids, run_at: now, expires_at: now + dayMs, entry })
    if (ids.length > 0) yield queries.setStatus({ ...row, status: 'running', finished_at: null })
    return { last, count: ids.length, standing: [...said.values()][0] }
  }

  return {
    check,
    create: async (caller, form, source, options) => {
      const { id, faults } = await intake(caller, form, source, options)
      return { ...(await shown(caller, id)), ...(faults.length > 0 && { errors: faults }) }
    },

    requireRights,

    get: shown,

    find: async (caller, id) => {
      const [row] = await store.read(queries.byId({ id }))
      return row && row.status !== 'draft' ? progress.look(requireVisible(caller, row, id)) : undefined
    },

    list: async (caller, { limit, cursor, ...filter }) => {
      const page = pageRequest({ limit, cursor })
      const { items, nextCursor } = toPage(await store.read(queries.list(caller, filter, page)), page.limit)
      const views: Broadcast[] = []
      for (const row of items) {
        views.push(await progress.look(row))
        // Each is counted, which takes milliseconds where there are many messages.
        await setImmediate()
      }
      return { items: views, nextCursor }
    },

    messages: async (caller, id, { limit, cursor, ...filter }) => {
      await load(caller, id)
      if (filter.contact !== undefined) filter.contact = requirePerson(filter.contact, 'query/contact')
      const page = pageRequest({ limit, cursor })
      const { items, nextCursor } = toPage(await store.read(queries.messages(id, filter, page)), page.limit)
      return { items: items.map(toMessage), nextCursor }
    },

    results: async (caller, id, filter) => {
      await load(caller, id)
      if (filter.contact !== undefined) filter.contact = requirePerson(filter.contact, 'query/contact')
      const limit = resultsAtOnce[store.dialect]
      return toCsvText(resultRows(after => store.read(queries.results(id, filter, { limit, ...after }))))
    },

    events: async (caller, id, signal) => {
      await load(caller, id)
      return progress.events(id, signal)
    },

    pause: (caller, id) =>
      act(caller, id, { act: 'paused', from: ['scheduled', 'running'] }, function* (row) {
        yield queries.setStatus({ ...row, status: 'paused' })
        yield stop(id, `paused by ${caller.keyId}`)
      }),

    resume: async (caller, id) => {
      await requireRights(caller, id)
      const broadcast = await act(caller, id, { act: 'resumed', from: ['paused'] }, function* (row) {
        const waits = row.start_at !== null && row.start_at > store.clock()
        const began = { status: 'running', started_at: row.started_at ?? store.clock() } as const
        yield queries.setStatus({ ...row, ...(waits ? { status: 'scheduled' } : began) })
        yield blocks.lift({ key: blockKey.broadcast(id) })
      })
      wake(caller.mode, Date.now())
      return broadcast
    },

    cancel: async (caller, id) => {
      const from: BroadcastRow['status'][] = ['scheduled', 'running', 'paused']
      const broadcast = await act(caller, id, { act: 'canceled', from }, function* (row) {
        yield queries.setStatus({ ...row, status: 'canceled' })
        yield stop(id, `canceled by ${caller.keyId}`)
      })
      look()
      return broadcast
    },

    retryFailed: async (caller, id) => {
      await requireRights(caller, id)
      const from: BroadcastRow['status'][] = ['running', 'finished', 'failed']
      const locked = function* (): Unit<BroadcastRow | undefined> {
        const row = yield* first(queries.lock({ id }))
        return row && from.includes(row.status) ? row : undefined
      }
      let count = 0
      let standing: Standing | undefined
      await act(caller, id, { act: 'retried', from }, function* () {})
      // In the order of their ids and once each: one that fails again meanwhile is not taken a second time.
      for (let after: string | undefined = ''; after !== undefined; ) {
        const behind: string = after
        const some = await store.write(function* () {
          // Paused or canceled since: the rest has failed, as it had before.
          const row = yield* locked()
          return row && (yield* retryBatch(row, behind, caller.keyId))
        })
        count += some?.count ?? 0
        standing ??= some?.standing
        after = some?.last
      }
      if (count === 0 && standing) throw refusalOf(standing)
      if (count === 0)
        throw new ServiceError(
          'conflict',
          'No message of the broadcast has failed that can be sent again: what is older than the retention has nothing left to send, and a number that has changed hands is not written to.'
        )
      wake(caller.mode, Date.now())
      progress.forget(id)
      return shown(caller, id)
    },

    digest: async recipients => {
      const hash = createHash('sha256')
      for await (const some of inTurns([recipients]))
        for (const recipient of some) hash.update(`${canonicalize(recipient)}\n`)
      return hash.digest('hex')
    }
  }
}
