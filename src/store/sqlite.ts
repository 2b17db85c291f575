import { mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql
} from 'kysely'
import type { Database } from './schema.ts'
import { type Result, type Store, StoreUnavailable, type Unit } from './store.ts'

/** The first SQLite without the WAL-reset corruption (RELIABILITY.md section 6). */
const oldestSqlite = [3, 51, 3]
/** Magic numbers of file systems whose locks SQLite cannot trust (statfs(2)). */
const networkFileSystems = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2']
])
/** Units in one commit at most (RELIABILITY.md 7.3): more would let one flush hold the event loop. */
const groupSize = 64

interface Job {
  unit: () => Unit<unknown>
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}

function checkPlace(directory: string): void {
  const version = (process.versions.sqlite ?? '0').split('.').map(Number)
  const older = oldestSqlite.map((part, i) => (version[i] ?? 0) - part).find(difference => difference !== 0) ?? 0
  if (older < 0)
    throw new Error(
      `this Node brings SQLite ${process.versions.sqlite}, which can corrupt its log: use Node 24.15 or later`
    )
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const network = networkFileSystems.get(statfsSync(directory).type)
  if (network)
    throw new Error(`DATA_DIR lies on ${network}, where SQLite cannot lock: use a local disk, or DATABASE_URL`)
}

/** Held as long as the process lives; the kernel frees it even after kill -9 (P31). */
function takeLock(directory: string): DatabaseSync {
  const lock = new DatabaseSync(join(directory, 'switchboard.lock'), { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    throw new Error(
      `another Switchboard runs on this DATA_DIR: stop it first, or give each its own, or share PostgreSQL by DATABASE_URL`,
      {
        cause: error
      }
    )
  }
}

function open(file: string, readOnly: boolean): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: 5000, defensive: true, readOnly })
  if (!readOnly) db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=1000')
  db.exec('PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF')
  if (process.platform === 'darwin') db.exec('PRAGMA fullfsync=1; PRAGMA checkpoint_fullfsync=1')
  return db
}

/** One connection with its prepared statements. */
function statements(db: DatabaseSync): <R>(query: CompiledQuery<R>) => Result<R> {
  const cache = new Map<string, { statement: StatementSync; returns: boolean }>()
  return <R>(query: CompiledQuery<R>): Result<R> => {
    let entry = cache.get(query.sql)
    if (!entry) {
      const statement = db.prepare(query.sql)
      entry = { statement, returns: statement.columns().length > 0 }
      // Filters make new texts; a bound keeps a hostile mix of filters from growing the cache.
      if (cache.size >= 500) cache.delete(cache.keys().next().value as string)
      cache.set(query.sql, entry)
    }
    const parameters = query.parameters as SQLInputValue[]
    if (entry.returns) {
      const rows = entry.statement.all(...parameters) as R[]
      return { rows, changes: rows.length }
    }
    return { rows: [], changes: Number(entry.statement.run(...parameters).changes) }
  }
}

const unavailable = (error: unknown): Error => {
  const { errcode, message } = error as { errcode?: number; message?: string }
  // BUSY 5, READONLY 8, IOERR 10, FULL 13, CANTOPEN 14 (low byte of the extended code): the disk's fault, not the query's.
  if (errcode !== undefined && [5, 8, 10, 13, 14].includes(errcode & 0xff)) return new StoreUnavailable(message)
  return error as Error
}

/** The embedded store: SQLite in WAL mode, every commit on disk before it is answered, commits of one tick grouped. */
export function openSqlite(directory: string): Store {
  checkPlace(directory)
  const lock = takeLock(directory)
  const file = join(directory, 'switchboard.db')
  const writer = open(file, false)
  const reader = open(file, true)
  const execute = statements(writer)
  const look = statements(reader)
  const jobs: Job[] = []
  let scheduled: NodeJS.Immediate | undefined

  const run = (unit: () => Unit<unknown>): unknown => {
    const steps = unit()
    let step = steps.next()
    while (!step.done) step = steps.next(execute(step.value))
    return step.value
  }
  const transaction = <T>(work: () => T): T => {
    writer.exec('BEGIN IMMEDIATE')
    try {
      const value = work()
      writer.exec('COMMIT')
      return value
    } catch (error) {
      // A full disk may have rolled back by itself already.
      if (writer.isTransaction) writer.exec('ROLLBACK')
      throw error
    }
  }
  const alone = (job: Job): void => {
    let value: unknown
    try {
      value = transaction(() => run(job.unit))
    } catch (error) {
      job.reject(unavailable(error))
      return
    }
    job.resolve(value)
  }
  const flush = (): void => {
    scheduled = undefined
    const group = jobs.splice(0, groupSize)
    if (jobs.length > 0) scheduled = setImmediate(flush)
    let values: unknown[]
    try {
      values = transaction(() => group.map(job => run(job.unit)))
    } catch {
      // One faulty unit must not fail its neighbours: each again by itself, and each with its own verdict.
      for (const job of group) alone(job)
      return
    }
    for (const [i, job] of group.entries()) job.resolve(values[i])
  }

  return {
    dialect: 'sqlite',
    build: new Kysely<Database>({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: db => new SqliteIntrospector(db),
        createQueryCompiler: () => new SqliteQueryCompiler()
      }
    }),
    now: sql<number>`cast(unixepoch('subsec') * 1000 as integer)`,
    write: <T>(unit: () => Unit<T>) =>
      new Promise<T>((resolve, reject) => {
        jobs.push({ unit, resolve: resolve as Job['resolve'], reject })
        scheduled ??= setImmediate(flush)
      }),
    read: async query => {
      try {
        return look(query).rows
      } catch (error) {
        throw unavailable(error)
      }
    },
    probe: async () => {
      try {
        transaction(() => writer.exec('PRAGMA user_version = 0'))
      } catch (error) {
        throw unavailable(error)
      }
    },
    close: async () => {
      if (scheduled) clearImmediate(scheduled)
      while (jobs.length > 0) flush()
      if (scheduled) clearImmediate(scheduled)
      reader.close()
      writer.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      writer.close()
      lock.close()
    }
  }
}
