import { fdatasync } from 'node:fs'
import type { Logger } from 'pino'
import { checkDatabase } from './identity.ts'
import { migrate } from './migrations.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'
import type { Store } from './store.ts'

/** A fault of the address in DATABASE_URL, by its code: what the server or the driver says may repeat parts of it. */
const words: Readonly<Record<string, string>> = {
  '28P01': 'the server refuses the password',
  '28000': 'the server refuses the login',
  '3D000': 'there is no such database',
  '42501': 'the role may not make tables there',
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'its host is not known',
  ETIMEDOUT: 'its host does not answer'
}

/** Names the setting that a fault is about. */
function named(setting: string, error: unknown): Error {
  const { code, cause, message } = error as NodeJS.ErrnoException & { cause?: { code?: string } }
  const known = setting === 'DATABASE_URL' ? (cause?.code ?? code) : undefined
  const said = known === undefined ? message : `${words[known] ?? 'the database cannot be used'} (${known})`
  return new Error(said.startsWith(setting) ? said : `${setting}: ${said}`, { cause: error })
}

/**
 * Opens the store that the settings name, with its tables up to date.
 * @throws Error that names the setting; a database that is not ours to use is left as it was
 */
export async function openStore(place: { databaseUrl?: string; directory: string }, log: Logger): Promise<Store> {
  const { databaseUrl, directory } = place
  const setting = databaseUrl ? 'DATABASE_URL' : 'DATA_DIR'
  let migrating: Store | undefined
  let kept = false
  try {
    migrating = databaseUrl
      ? await openPostgres(databaseUrl, log, { patient: true })
      : openSqlite(directory, fdatasync, warning => log.warn(warning))
    await checkDatabase(migrating)
    const applied = await migrate(migrating)
    if (applied.length > 0) log.info({ migrations: applied }, 'tables brought up to date')
    kept = !databaseUrl
  } catch (error) {
    throw named(setting, error)
  } finally {
    if (!kept) await migrating?.close()
  }
  return databaseUrl ? openPostgres(databaseUrl, log) : migrating
}
