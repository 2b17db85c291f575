import { hkdfSync } from 'node:crypto'
import { CompiledQuery } from 'kysely'
import type { Logger } from 'pino'
import { released } from './migrations.ts'
import type { StoreFactRow } from './schema.ts'
import { all, first, type Store, type Unit } from './store.ts'

// What a store knows of who writes to it: a start that does not fit is refused by name, before it changes anything
// (docs/reliability.md P50).

/** What this start is, to be held against what the store knows. */
export interface Claim {
  pepper: string
  /** Without an account at Maton. */
  sandboxMode: boolean
  /** `SANDBOX=1`: it is meant. */
  sandboxMeant: boolean
  /** Channels that sandbox mode itself makes. */
  demoChannels: readonly { id: string; connectionId: string }[]
}

/** Names the pepper without telling it: 64 bits of a key that is derived from it and used for nothing else. */
export const fingerprintOf = (pepper: string): string =>
  Buffer.from(hkdfSync('sha256', pepper, '', 'switchboard pepper fingerprint 1', 8)).toString('hex')

/** @throws Error naming what the database is that ours must not be; before its tables are touched */
export async function checkDatabase(store: Store): Promise<void> {
  const postgres = store.dialect === 'postgres'
  const text = postgres ? `select current_setting('server_encoding') as word` : 'pragma encoding'
  const [row] = await store.read(CompiledQuery.raw(text) as CompiledQuery<{ word?: string; encoding?: string }>)
  const encoding = row?.word ?? row?.encoding ?? ''
  if (!/^UTF-?8$/i.test(encoding))
    throw new Error(
      `the database holds text as ${encoding}, which has not every letter: it must be UTF8` +
        (postgres ? " (create database … encoding 'UTF8' template template0)" : '')
    )
  const known = new Set(released.map(({ name }) => name))
  const newer = (await applied(store)).filter(name => !known.has(name))
  if (newer.length > 0)
    throw new Error(
      `the store has tables of a newer release (${newer.at(-1)}): start that release or a later one, or restore the copy that was made before`
    )
}

/** The migrations that a store has had; none where it is new. */
async function applied(store: Store): Promise<string[]> {
  const there =
    store.dialect === 'postgres'
      ? `select 1 from pg_tables where tablename = 'migrations' and schemaname = current_schema()`
      : `select 1 from sqlite_schema where name = 'migrations'`
  if ((await store.read(CompiledQuery.raw(there))).length === 0) return []
  const names = CompiledQuery.raw('select name from migrations order by name') as CompiledQuery<{ name: string }>
  return (await store.read(names)).map(({ name }) => name)
}

/** From service to service down the index: a sandbox may hold millions of rows, and this runs at every start. */
const liveMessage = CompiledQuery.raw(`
  with recursive services(service) as (
    select min(service) from messages
    union all
    select (select min(service) from messages where service > services.service) from services
    where services.service is not null
  )
  select 1 from services where service is not null
    and exists (select 1 from messages where messages.service = services.service and mode = 'live') limit 1`)

/** What of a store can only have been meant for real people; undefined: nothing. */
function* liveThing(store: Store, { demoChannels }: Claim): Unit<string | undefined> {
  const { build } = store
  const demo = demoChannels.map(({ id }) => id)
  if (yield* first(liveMessage)) return 'live messages'
  for (const table of ['broadcasts', 'media', 'contacts', 'webhooks'] as const)
    if (yield* first(build.selectFrom(table).select('mode').where('mode', '=', 'live').limit(1))) return `live ${table}`
  const channels = yield* all(build.selectFrom('channels').select(['id', 'connection_id']))
  const own = channels.find(
    ({ id, connection_id }) => !demoChannels.some(is => is.id === id && is.connectionId === connection_id)
  )
  if (own) return `the channel ${own.id}, which is not ${demo.join(' or ')}`
  const key = build
    .selectFrom('keys')
    .select('id')
    .where('mode', '=', 'live')
    .where(eb => eb.not(eb.and([eb('service', '=', 'admin'), eb('created_by', '=', 'start')])))
    .limit(1)
  return (yield* first(key)) ? 'live keys beside the first admin key' : undefined
}

/** Inside a unit: a fact of the store, written down if nobody has. Answers what the store knows. */
function* fact({ build }: Store, name: StoreFactRow['name'], value: string): Unit<string> {
  const fresh = build.insertInto('store_facts').values({ name, value })
  yield fresh.onConflict(conflict => conflict.column('name').doNothing()).compile()
  return (yield* first(build.selectFrom('store_facts').select('value').where('name', '=', name)))!.value
}

/** Inside a unit: throws where the store was made with another pepper. */
function* samePepper(store: Store, given: string): Unit<void> {
  const mine = fingerprintOf(given)
  const pepper = yield* fact(store, 'pepper', mine)
  if (pepper !== mine)
    throw new Error(
      `the store was made with another pepper (its fingerprint is ${pepper}, this one's is ${mine}), so no key would be valid: give back the KEY_PEPPER, or DATA_DIR/key-pepper, that it was made with`
    )
}

/** Throws where the store was made with another pepper, for whoever changes keys beside the server. */
export const requirePepper = (store: Store, pepper: string): Promise<void> =>
  store.write(() => samePepper(store, pepper))

/**
 * Holds a start against the store, and tells the store what it does not know yet.
 * @throws Error with a sentence that names the setting: nothing has been changed then
 */
export async function claimStore(store: Store, claim: Claim, log: Logger): Promise<void> {
  const mode = claim.sandboxMode ? 'sandbox' : 'live'
  const before = await store.write(function* () {
    yield* samePepper(store, claim.pepper)
    const known = yield* fact(store, 'mode', mode)
    if (claim.sandboxMode && !claim.sandboxMeant) {
      const live = known === 'live' ? 'was live' : yield* liveThing(store, claim)
      if (live)
        throw new Error(
          `there is no MATON_API_KEY, and the store ${live === 'was live' ? 'was written to by a live start' : `holds ${live}`}: set MATON_API_KEY, or SANDBOX=1 if sandbox mode is meant (nothing live is sent then)`
        )
    }
    // From now on a start without a key has to be meant, whatever the rows say.
    if (!claim.sandboxMode)
      yield store.build.updateTable('store_facts').set({ value: 'live' }).where('name', '=', 'mode').compile()
    return known
  })
  if (before !== mode) log.warn({ before, mode }, 'the store was written to in another mode before')
}
