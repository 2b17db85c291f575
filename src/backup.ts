import { constants, setPriority } from 'node:os'
import { resolve } from 'node:path'
import { ConfigError, loadConfig } from './config.ts'
import { holdStamp } from './messages/restore-hold.ts'
import { backupSqlite } from './store/backup.ts'
import { dumpPostgres } from './store/dump.ts'

// npm run backup -- <file>: a copy of a running server's store. It reads DATA_DIR and DATABASE_URL as the server does.

const restoring = {
  sqlite: `stop the server, put it into an empty DATA_DIR as switchboard.db,
beside the key-pepper of the original, and start.`,
  postgres: (file: string) => `stop the servers, make an empty database, read it in with

  ${file.endsWith('.gz') ? `gunzip -c ${file}` : `cat ${file}`} | psql --single-transaction -v ON_ERROR_STOP=1 "$DATABASE_URL"

and start with the KEY_PEPPER of the original.`
}

const fail = (sentence: string, code: number): void => {
  console.error(sentence)
  process.exitCode = code
}

async function run(): Promise<void> {
  const [file, ...others] = process.argv.slice(2)
  if (file === undefined || others.length > 0 || file.startsWith('-')) return fail('usage: npm run backup -- <file>', 2)
  const { DATABASE_URL, DATA_DIR } = loadConfig(process.env)
  // The server goes first: this can take its time.
  setPriority(constants.priority.PRIORITY_LOW)
  const stamp = holdStamp(Date.now())
  const { bytes } = DATABASE_URL
    ? await dumpPostgres(DATABASE_URL, process.env.PATH ?? '', resolve(file), stamp)
    : await backupSqlite(DATA_DIR, resolve(file), stamp)
  console.log(
    `${file}: ${bytes} bytes, whole. To restore: ${DATABASE_URL ? restoring.postgres(file) : restoring.sqlite} It holds everything back until POST /admin/hold/release.`
  )
}

await run().catch(error =>
  fail(error instanceof ConfigError ? error.message : `No backup was made: ${(error as Error).message}`, 1)
)
