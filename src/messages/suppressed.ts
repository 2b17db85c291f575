import { createHmac, createSecretKey, hkdfSync } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import { ServiceError } from '../errors.ts'
import type { MessageRow } from '../store/schema.ts'
import type { SuppressionRow } from '../store/schema-suppressions.ts'
import { all, first, prepare, readUnit, type Store, type Unit } from '../store/store.ts'
import { nameInSql, nameOf, namesBeside, otherSpelling, spellings } from './names.ts'
import { optionsOf } from './row.ts'

// Who must not be messaged. Every dispatch looks in its own commit, as it does for blocks: a person who said stop at noon
// gets nothing at two, whichever replica took the message and whenever.

/** What of a message a suppression is held against. */
export interface Concern {
  /** It advertises: a suppression of marketing stops it too. */
  marketing: boolean
  /** No suppression stops it: a one-time code that was allowed to go, or the answer to a stop. */
  exempt: boolean
}

/** What one message is looked up by. Empty where nothing is to be found. */
export interface SuppressionKeys {
  suppression_mode: string
  /** The channel that it goes through. */
  suppression_channel: string
  /** The recipient in both spellings of the number, for what is known of the person. */
  person: string
  person_too: string
  /** The recipient in one spelling, and its keyed hash. */
  person_name: string
  person_hash: string
  /** 1: a suppression of marketing counts. */
  marketing: number
}

/** A suppression as a refusal tells it. */
export type Standing = Pick<SuppressionRow, 'channel_id' | 'category'>

const harmless = new Set(['utility', 'authentication'])

/**
 * What a message that is ready to be sent is. A template of a category that is not known, or that we do not know, counts
 * as marketing: a message too few can be sent later, one too many cannot be taken back. So does every broadcast.
 * @param ready what is to be sent: of a template with the category that its provider says, where it says one
 */
export function concernOf(
  row: Pick<MessageRow, 'broadcast_id' | 'options'>,
  ready: { type: string; content: unknown }
): Concern {
  const { ignoreSuppression, answers } = row.options === null ? {} : optionsOf(row as MessageRow)
  const template = ready.type === 'template'
  const category = template ? ((ready.content as { category?: string }).category ?? '').toLowerCase() : ''
  const code = category === 'authentication'
  return {
    marketing: row.broadcast_id !== null || (template && !harmless.has(category)),
    exempt: answers === 'opt_out' || (ignoreSuppression === true && code)
  }
}

/** The 409, or the end of a message that waited. It names no person. */
export const refusalOf = ({ channel_id, category }: Standing): ServiceError =>
  new ServiceError(
    'recipient_suppressed',
    `The recipient is on the suppression list (${category === 'all' ? 'all messages' : 'marketing'}, ${
      channel_id === '' ? 'every channel' : `channel ${channel_id}`
    }). Nothing was sent.`
  )

/** The keys of a message that nothing of the kind stops. */
export const unsuppressed: SuppressionKeys = {
  ...{ suppression_mode: '', suppression_channel: '', person: '', person_too: '', person_name: '', person_hash: '' },
  marketing: 0
}

export type Suppressed = ReturnType<typeof createSuppressed>

/**
 * A query that has a row where a suppression stands against a message: one look into an index by the recipient's own
 * name, and where anybody is suppressed at all another one by the names that are known of the person.
 */
export const standingSuppression = (p: SuppressionKeys): RawBuilder<Standing> => {
  const counts = (table: string) => sql`${sql.ref(`${table}.channel_id`)} in ('', ${p.suppression_channel})
    and (${sql.ref(`${table}.category`)} = 'all' or cast(${p.marketing} as integer) = 1)`
  return sql<Standing>`
    select own.channel_id, own.category from suppressions own
      where own.mode = ${p.suppression_mode} and own.name in (${p.person_name}, ${p.person_hash}) and ${counts('own')}
    union all
    select theirs.channel_id, theirs.category from identities named
      join identities other on other.channel_id = named.channel_id and other.mode = named.mode
        and other.person = named.person
      join suppressions theirs on theirs.mode = named.mode and theirs.name = ${nameInSql('other.identity')}
      where exists (select 1 from suppressions) and named.mode = ${p.suppression_mode}
        and named.identity in (${p.person}, ${p.person_too}) and ${counts('theirs')}`
}

/** Looks people up among those who must not be messaged. The pepper keys the hashes of erased people. */
export function createSuppressed(store: Store, pepper: string) {
  const { build } = store
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', pepper, '', 'switchboard suppressions 1', 32)))
  /** What an erased person's suppression is found by. No name begins so. */
  const hashOf = (identity: string): string =>
    `#${createHmac('sha256', key).update(nameOf(identity)).digest('base64url')}`

  const keysOf = (
    { mode, channel_id, contact }: Pick<MessageRow, 'mode' | 'channel_id' | 'contact'>,
    { marketing, exempt }: Concern
  ): SuppressionKeys => {
    if (exempt || contact === null) return unsuppressed
    return {
      suppression_mode: mode,
      suppression_channel: channel_id,
      person: contact,
      person_too: otherSpelling(contact),
      person_name: nameOf(contact),
      person_hash: hashOf(contact),
      marketing: marketing ? 1 : 0
    }
  }
  const look = prepare<SuppressionKeys, Standing>(p => ({
    compile: () => sql<Standing>`${standingSuppression(p)} limit 1`.compile(build)
  }))
  const anybody = prepare<{ mode: string }, { id: string }>(p =>
    build
      .selectFrom('suppressions')
      .select('id')
      .where('mode', '=', p.mode as 'live')
      .limit(1)
  )

  /** Of many people of one channel, those that a suppression stands against, each as it was asked for. */
  function* among(
    { mode, channel_id, marketing }: Pick<MessageRow, 'mode' | 'channel_id'> & Pick<Concern, 'marketing'>,
    people: readonly string[]
  ): Unit<Map<string, Standing>> {
    if (people.length === 0 || !(yield* first(anybody({ mode })))) return new Map()
    const categories: SuppressionRow['category'][] = marketing ? ['all', 'marketing'] : ['all']
    const named = new Map<string, string[]>()
    const called = (name: string, person: string) => named.set(name, [...(named.get(name) ?? []), person])
    for (const person of people) {
      for (const name of new Set([nameOf(person), hashOf(person)])) called(name, person)
      for (const name of spellings(person)) called(` ${name}`, person)
    }
    const names = [...named.keys()].filter(name => !name.startsWith(' '))
    const identities = [...named.keys()].filter(name => name.startsWith(' ')).map(name => name.slice(1))
    const own = build
      .selectFrom('suppressions')
      .select(['name', 'channel_id', 'category'])
      .where('mode', '=', mode)
      .where('name', 'in', names)
      .where('channel_id', 'in', ['', channel_id])
      .where('category', 'in', categories)
    const linked = namesBeside(store, mode)
      .innerJoin('suppressions', join =>
        join.onRef('suppressions.mode', '=', 'named.mode').on('suppressions.name', '=', nameInSql('other.identity'))
      )
      .select(['named.identity as name', 'suppressions.channel_id', 'suppressions.category'])
      .where('named.identity', 'in', identities)
      .where('suppressions.channel_id', 'in', ['', channel_id])
      .where('suppressions.category', 'in', categories)
    const found = new Map<string, Standing>()
    for (const { name, ...standing } of yield* all(own))
      for (const person of named.get(name) ?? []) found.set(person, standing)
    for (const { name, ...standing } of yield* all(linked))
      for (const person of named.get(` ${name}`) ?? []) found.set(person, standing)
    return found
  }

  return {
    hashOf,
    keysOf,
    among,
    /** As `among`, where nothing is to be written. */
    amongNow: (...asked: Parameters<typeof among>): Promise<Map<string, Standing>> => readUnit(store, among(...asked)),
    /** The suppression that stands against a message, for a unit or by itself. */
    look,
    /** Inside the unit that makes or moves a row: throws the 409 where a suppression stands against it. */
    require: function* (row: Pick<MessageRow, 'mode' | 'channel_id' | 'contact'>, concern: Concern): Unit<void> {
      if (!(yield* first(anybody({ mode: row.mode })))) return
      const standing = yield* first(look(keysOf(row, concern)))
      if (standing) throw refusalOf(standing)
    },
    /** As `require`, where no row is to be made. */
    refuse: async (row: Pick<MessageRow, 'mode' | 'channel_id' | 'contact'>, concern: Concern): Promise<void> => {
      const [standing] = await store.read(look(keysOf(row, concern)))
      if (standing) throw refusalOf(standing)
    }
  }
}
