import { setTimeout } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Mode } from '../../schemas/common.ts'
import { ServiceError } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import { blindId, withoutWords } from '../messages/erased.ts'
import { ofPerson } from '../messages/filter.ts'
import { identities } from '../messages/identities.ts'
import type { MessageQueries } from '../messages/queries.ts'
import { timelineEntry, withoutDetails } from '../messages/timeline.ts'
import { doubtTransitions } from '../messages/transitions/doubt.ts'
import { requirePerson } from '../phone.ts'
import { auditEntry } from '../store/audit.ts'
import type { MessageRow } from '../store/schema.ts'
import { all, type Store, type Unit } from '../store/store.ts'
import { eraseAnswers } from './erase-answers.ts'
import { eraseBodies } from './erase-bodies.ts'
import { namingAny } from './naming.ts'

/**
 * Erases a person (docs/api.md 6): rows of messages keep their counts and times, and lose number, ids, words and notes;
 * what keeps the person from being messaged stays as a keyed hash; the address book, the names, kept webhooks and kept answers lose the person altogether. What waits is canceled.
 * @throws a conflict while something is on its way to the person: it is erased once that has ended
 */
export type Erase = (caller: Caller, person: string) => Promise<void>

export interface EraseParts {
  store: Store
  queries: MessageQueries
  /** Inside a unit: what keeps the person from being messaged stays, without a name. */
  keepSuppressed: (mode: Mode, names: readonly string[]) => Unit<void>
}

const atOnce = 200
/** The acts on a message whose answers show it, and are kept. */
const actPaths = ['cancel', 'read', 'resend', 'reconcile', 'resolve']
const modes: readonly Mode[] = ['live', 'test']
/** A kept webhook is read within a moment: so long it is waited for, looking so often. */
const longestMs = 3000
const everyMs = 100

const unread = () =>
  new ServiceError('conflict', 'What a provider has told of this person is about to be read: ask again in a moment.', {
    retryAfterSeconds: 2
  })

export function createErase({ store, queries, keepSuppressed }: EraseParts): Erase {
  const { build } = store
  const names = identities(store)
  const doubts = doubtTransitions(store)

  /** What an event holds of a message, without what the row loses too. */
  const personal = ['error', 'warnings', 'provider_message_id']
  const plain =
    store.dialect === 'postgres'
      ? sql<string>`(data::jsonb - array[${sql.join(personal)}]::text[])::text`
      : sql<string>`json_remove(data, ${sql.join(personal.map(name => `$.${name}`))})`
  /** Inside a unit: the rows of a table that name a person in a column. What SQL finds may only hold the name within another. */
  function* deleteNaming(table: string, column: string, people: readonly string[], mode?: Mode): Unit<void> {
    const [from, named] = [sql.table(table), sql.ref(column)]
    const where = mode === undefined ? sql`1 = 1` : sql`mode = ${mode}`
    const like = sql.join(
      people.map(name => sql`${named} like ${`%${name}%`}`),
      sql` or `
    )
    const rows = yield* all(
      sql<{ text: string }>`select distinct ${named} as text from ${from} where ${where} and (${like})`.compile(build)
    )
    const texts = rows.map(({ text }) => text).filter(namingAny(people))
    for (let i = 0; i < texts.length; i += atOnce)
      yield sql`delete from ${from} where ${where} and ${named} in (${sql.join(texts.slice(i, i + atOnce))})`.compile(
        build
      )
  }

  const messagesOf = (mode: Mode, people: readonly string[]) =>
    build
      .selectFrom('messages')
      .select(['id', 'state', 'final', 'attempts', 'content', 'error', 'timeline'])
      .where('mode', '=', mode)
      .where(ofPerson(people))
      .where('state', 'not in', ['claimed', 'sending'])
      .limit(atOnce)

  /** What waits is canceled, and what is in doubt is given up: nobody could ask about it any more. */
  const end = (rows: Pick<MessageRow, 'id' | 'state' | 'attempts' | 'final'>[]) =>
    store.write(function* () {
      for (const { id, state, attempts } of rows) {
        const words = 'the person was erased'
        const entry = timelineEntry(store.clock(), { state: state === 'queued' ? 'canceled' : state, attempts }, words)
        const doubt = timelineEntry(store.clock(), { state: 'unknown', attempts }, words)
        if (state === 'queued') yield queries.cancel({ id, entry, doubt })
        else yield doubts.close({ id, resolution: 'abandoned', entry: doubt })
      }
    })
  const open = ({ state, final }: Pick<MessageRow, 'state' | 'final'>) =>
    state === 'queued' || (state === 'unknown' && final === 0)

  /** Inside a unit: the provider's ids of some messages, as they can be known again and not read. */
  function* blindIds(messages: string[]): Unit<void> {
    const told = yield* all(build.selectFrom('message_ids').selectAll().where('message_id', 'in', messages))
    yield build.deleteFrom('message_ids').where('message_id', 'in', messages).compile()
    for (const id of told)
      yield build
        .insertInto('message_ids')
        .values({ ...id, provider_id: blindId(id.provider_id) })
        .onConflict(conflict => conflict.doNothing())
        .compile()
  }

  /** Every id of every message to or from a person: ours, and the provider's. */
  const idsOf = async (mode: Mode, people: readonly string[]): Promise<Set<string>> => {
    const found = new Set<string>()
    for (let after = ''; ; ) {
      const page = await store.read(
        build
          .selectFrom('messages')
          .select(['id', 'provider_message_id'])
          .where('mode', '=', mode)
          .where(ofPerson(people))
          .where('id', '>', after)
          .orderBy('id')
          .limit(atOnce)
          .compile()
      )
      const ids = page.map(({ id }) => id)
      if (ids.length === 0) return found
      after = ids.at(-1)!
      const told = await store.read(
        build.selectFrom('message_ids').select('provider_id').where('message_id', 'in', ids).compile()
      )
      for (const id of ids) found.add(id)
      for (const each of page) if (each.provider_message_id !== null) found.add(each.provider_message_id)
      for (const { provider_id } of told) found.add(provider_id)
    }
  }

  const eraseMessages = async (mode: Mode, people: readonly string[]): Promise<number> => {
    for (let count = 0; ; ) {
      const rows = await store.read(messagesOf(mode, people).compile())
      if (rows.length === 0) return count
      const waiting = rows.filter(open)
      if (waiting.length > 0) {
        await end(waiting)
        continue
      }
      const ids = rows.map(({ id }) => id)
      const files = rows.flatMap(({ content }) => content?.match(/med_[a-z0-9]{32}/g) ?? [])
      await store.write(function* () {
        for (const row of rows)
          yield build
            .updateTable('messages')
            .set({
              contact: null,
              user_id: null,
              person: null,
              content: null,
              options: null,
              metadata: null,
              reference: null,
              // WhatsApp's own id of a message is made of the number.
              provider_message_id: null,
              error: row.error === null ? null : withoutWords(row.error),
              warnings: null,
              timeline: withoutDetails(row.timeline)
            })
            .where('id', '=', row.id)
            .compile()
        yield* blindIds(ids)
        yield* eraseAnswers(store, events => events.where('message_id', 'in', ids))
        yield build.updateTable('events').set({ data: plain }).where('message_id', 'in', ids).compile()
        // A replay is answered from the row as it is now: the request stays one that was made before.
        yield build
          .updateTable('idempotency')
          .set({ status: null, headers: null, body: null, locked_until: 0 })
          .where('message_id', 'in', ids)
          .where('status', 'is not', null)
          .compile()
        const acts = ids.flatMap(id => actPaths.map(act => `/messages/${id}/${act}`))
        yield build.deleteFrom('idempotency').where('path', 'in', acts).where('status', 'is not', null).compile()
        if (files.length > 0) yield build.deleteFrom('remote_media').where('id', 'in', files).compile()
      })
      count += rows.length
    }
  }

  const eraseTraces = async (mode: Mode, people: readonly string[]): Promise<void> => {
    await store.write(function* () {
      yield* keepSuppressed(mode, people)
      const contacts = build.selectFrom('contacts').select('id').where('mode', '=', mode).where('phone', 'in', people)
      yield build.deleteFrom('contact_attributes').where('contact_id', 'in', contacts).compile()
      yield build.deleteFrom('contacts').where('mode', '=', mode).where('phone', 'in', people).compile()
      yield build.deleteFrom('identities').where('mode', '=', mode).where('identity', 'in', people).compile()
      yield* eraseAnswers(store, events => events.where('mode', '=', mode).where('contact', 'in', people))
      yield build.deleteFrom('events').where('mode', '=', mode).where('contact', 'in', people).compile()
      yield* deleteNaming('parked_events', 'event', people, mode)
      yield* deleteNaming('heard_events', 'identity', people, mode)
      yield* deleteNaming('idempotency', 'path', people, mode)
      // Kept answers are sealed, so nobody can tell whose they are; to write a contact twice does no harm.
      yield build
        .deleteFrom('idempotency')
        .where('mode', '=', mode)
        .where('path', '=', '/contacts')
        .where('status', 'is not', null)
        .compile()
      yield* deleteNaming('paces', 'key', people)
      yield* deleteNaming('blocks', 'key', people)
    })
  }

  /** Waits until what has been told of a person has had its effect, or it would have it afterwards. */
  const readUp = async (mode: Mode, person: string) => {
    for (const end = performance.now() + longestMs; ; await setTimeout(everyMs)) {
      const people = await names.of(mode, undefined, person)
      // Ahead of the rows, which know the ids.
      const ids = await idsOf(mode, people)
      if (!(await eraseBodies(store, mode, people, ids))) return { people, ids }
      if (performance.now() > end) throw unread()
    }
  }

  return async (caller, text) => {
    const person = requirePerson(text, 'path/phone')
    let messages = 0
    for (const mode of modes) {
      const { people, ids } = await readUp(mode, person)
      messages += await eraseMessages(mode, people)
      // What has come meanwhile, and has been read or has not.
      if (await eraseBodies(store, mode, people, ids)) throw unread()
      const [busy] = await store.read(
        build.selectFrom('messages').select('id').where('mode', '=', mode).where(ofPerson(people)).limit(1).compile()
      )
      if (busy)
        throw new ServiceError('conflict', 'A message to this person is on its way: ask again once it has ended.', {
          messageId: busy.id,
          retryAfterSeconds: 5
        })
      await eraseTraces(mode, people)
    }
    await store.write(function* () {
      yield* auditEntry(store, caller, 'person.erased', 'a person', { messages })
    })
  }
}
