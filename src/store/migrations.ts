import { CompiledQuery } from 'kysely'
import { audit } from './migrations/audit.ts'
import { consoleTables } from './migrations/console.ts'
import { events } from './migrations/events.ts'
import { foundation } from './migrations/foundation.ts'
import { hearing } from './migrations/hearing.ts'
import { identities } from './migrations/identities.ts'
import { keys } from './migrations/keys.ts'
import { lists } from './migrations/lists.ts'
import { people } from './migrations/people.ts'
import { subscriptions } from './migrations/subscriptions.ts'
import { suppressions } from './migrations/suppressions.ts'
import { usage } from './migrations/usage.ts'
import { type Migration, words } from './migrations/words.ts'
import { all, type Store, type Unit } from './store.ts'

export type { Migration }

// Never edit one that has been released: add another. Each runs within one transaction and leaves the release before able to run.
// A file for each subject, in the order in which they are applied.
export const released: readonly Migration[] = [
  ...foundation,
  ...events,
  ...keys,
  ...consoleTables,
  ...suppressions,
  ...identities,
  ...subscriptions,
  ...audit,
  ...usage,
  ...people,
  ...lists,
  ...hearing
]

function* apply(store: Store, migrations: readonly Migration[]): Unit<string[]> {
  // One replica at a time; the lock ends with the transaction.
  if (store.dialect === 'postgres') yield CompiledQuery.raw('select pg_advisory_xact_lock(7305551)')
  yield CompiledQuery.raw(
    `create table if not exists migrations (name text primary key) ${words[store.dialect].strict}`
  )
  const done = new Set(
    (yield* all(CompiledQuery.raw('select name from migrations') as CompiledQuery<{ name: string }>)).map(
      row => row.name
    )
  )
  const pending = migrations.filter(({ name }) => !done.has(name))
  // A new store holds nothing that takes time, and forty syncs of a log are a part of the first start.
  const next = done.size === 0 ? pending : pending.slice(0, 1)
  for (const { name, statements } of next) {
    for (const statement of statements(words[store.dialect])) yield CompiledQuery.raw(statement)
    yield CompiledQuery.raw(`insert into migrations (name) values ('${name}')`)
  }
  return next.map(({ name }) => name)
}

/**
 * Brings the tables up to date, one transaction for each migration, so that a process killed between two goes on where it
 * stopped; those of a new store in one.
 */
export async function migrate(store: Store, migrations: readonly Migration[] = released): Promise<string[]> {
  const applied: string[] = []
  for (;;) {
    const names = await store.write(() => apply(store, migrations))
    if (names.length === 0) return applied
    applied.push(...names)
  }
}
