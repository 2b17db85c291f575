import type { Logger } from 'pino'
import { migrate } from './migrations.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'
import type { Store } from './store.ts'

/** Opens the store that the settings name, with its tables up to date. */
export async function openStore(place: { databaseUrl?: string; directory: string }, log: Logger): Promise<Store> {
  const { databaseUrl, directory } = place
  const migrating = databaseUrl ? await openPostgres(databaseUrl, log, { patient: true }) : openSqlite(directory)
  let kept = false
  try {
    const applied = await migrate(migrating)
    if (applied.length > 0) log.info({ migrations: applied }, 'tables brought up to date')
    kept = !databaseUrl
  } finally {
    if (!kept) await migrating.close()
  }
  return databaseUrl ? openPostgres(databaseUrl, log) : migrating
}
