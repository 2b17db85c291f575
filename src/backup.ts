import { constants, setPriority } from 'node:os'
import { resolve } from 'node:path'
import { ConfigError, loadConfig } from './config.ts'
import { holdStamp } from './messages/restore-hold.ts'
import { backupSqlite } from './store/backup.ts'

// npm run backup -- <file>: a copy of a running server's store. It reads DATA_DIR and DATABASE_URL as the server does.

const postgres = `This store is PostgreSQL: copy it with its own tools, for instance

  pg_dump --format=custom --file=switchboard.dump "$DATABASE_URL"

and start every replica with AFTER_RESTORE=1 after a restore, since such a copy cannot say that it is one.`

const fail = (sentence: string, code: number): void => {
  console.error(sentence)
  process.exitCode = code
}

async function run(): Promise<void> {
  const [file, ...others] = process.argv.slice(2)
  if (file === undefined || others.length > 0 || file.startsWith('-')) return fail('usage: npm run backup -- <file>', 2)
  const { DATABASE_URL, DATA_DIR } = loadConfig(process.env)
  if (DATABASE_URL) return fail(postgres, 2)
  // The server goes first: this can take its time.
  setPriority(constants.priority.PRIORITY_LOW)
  const { bytes } = await backupSqlite(DATA_DIR, resolve(file), holdStamp(Date.now()))
  console.log(`${file}: ${bytes} bytes, whole. To restore: stop the server, put it into an empty DATA_DIR as switchboard.db,
beside the key-pepper of the original, and start. It holds everything back until POST /admin/hold/release.`)
}

await run().catch(error =>
  fail(error instanceof ConfigError ? error.message : `No backup was made: ${(error as Error).message}`, 1)
)
