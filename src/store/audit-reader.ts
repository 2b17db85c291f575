import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CompiledQuery } from 'kysely'
import type { Logger } from 'pino'
import type { ReadRows } from './audit-verify.ts'
import { openPostgres } from './postgres.ts'

/** Opens the store that the settings name for reading alone, beside a server that runs on it; nothing is migrated. */
export async function openAuditReader(
  { databaseUrl, directory }: { databaseUrl?: string | undefined; directory: string },
  log: Logger
): Promise<{ read: ReadRows; close: () => Promise<void> }> {
  if (databaseUrl) {
    const store = await openPostgres(databaseUrl, log)
    return { read: query => store.read(CompiledQuery.raw(query)) as Promise<never[]>, close: store.close }
  }
  const file = join(directory, 'switchboard.db')
  if (!statSync(file, { throwIfNoEntry: false })) throw new Error(`there is no database in ${directory}`)
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5000, defensive: true })
  return {
    read: async query => database.prepare(query).all() as never[],
    close: async () => database.close()
  }
}
