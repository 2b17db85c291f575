import { type RawBuilder, sql } from 'kysely'
import type { MessageRow } from '../store/schema.ts'
import type { Store } from '../store/store.ts'

// What people are called: the spellings of a number, and every name beside one that is known.

/**
 * One spelling of a name. WhatsApp knows Mexican, Argentine and Brazilian mobile numbers with a digit that nobody need
 * dial (docs/webhooks.md C4): 52 and 521, 54 and 549, 55 with and without the nine are one person, before WhatsApp says so.
 */
export function nameOf(identity: string): string {
  if (/^521\d{10}$/.test(identity)) return `52${identity.slice(3)}`
  if (/^549\d{10}$/.test(identity)) return `54${identity.slice(3)}`
  if (/^55\d{2}9[6-9]\d{7}$/.test(identity)) return identity.slice(0, 4) + identity.slice(5)
  return identity
}

/** The other spelling of a number; of one that has none, itself. */
export function otherSpelling(identity: string): string {
  const short = nameOf(identity)
  if (short !== identity) return short
  if (/^5[24]\d{10}$/.test(identity)) return `${identity.slice(0, 2)}${identity[1] === '2' ? 1 : 9}${identity.slice(2)}`
  if (/^55\d{2}[6-9]\d{7}$/.test(identity)) return `${identity.slice(0, 4)}9${identity.slice(4)}`
  return identity
}

/** Both spellings of a name that somebody may be known by. */
export const spellings = (identity: string): string[] => [...new Set([identity, otherSpelling(identity)])]

/** What `nameOf` does, in the words of both databases. */
export const nameInSql = (column: string): RawBuilder<string> => {
  const name = sql.ref(column)
  return sql<string>`case
    when length(${name}) = 13 and ${name} like '521%' then '52' || substr(${name}, 4)
    when length(${name}) = 13 and ${name} like '549%' then '54' || substr(${name}, 4)
    when length(${name}) = 13 and ${name} like '55__9%' and substr(${name}, 6, 1) between '6' and '9'
      then substr(${name}, 1, 4) || substr(${name}, 6)
    else ${name} end`
}

/** Each known name of a mode, `named`, beside every name of its person on that channel, `other`, itself among them. */
export const namesBeside = ({ build }: Store, mode: MessageRow['mode']) =>
  build
    .selectFrom('identities as named')
    .innerJoin('identities as other', join =>
      join
        .onRef('other.channel_id', '=', 'named.channel_id')
        .onRef('other.mode', '=', 'named.mode')
        .onRef('other.person', '=', 'named.person')
    )
    .where('named.mode', '=', mode)
