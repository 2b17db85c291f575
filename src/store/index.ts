import type { Logger } from 'pino'
import { migrate } from './migrations.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'
import type { Store } from './store.ts'

/** Opens the store that the settings name, with its tables up to date. */
export async function openStore(place: { databaseUrl?: string; directory: string }, log: Logger): Promise<Store> {
  const store = place.databaseUrl ? await openPostgres(place.databaseUrl, log) : openSqlite(place.directory)
  const applied = await migrate(store)
  if (applied.length > 0) log.info({ migrations: applied }, 'tables brought up to date')
  return store
}
