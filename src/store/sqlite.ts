import {
  chmodSync,
  closeSync,
  fdatasync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  statfsSync
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CompiledQuery, DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, sql } from 'kysely'
import { createCheckpoints } from './checkpoints.ts'
import { judgeFileSystem, mountType } from './file-systems.ts'
import { createGroupCommit, type Job } from './group-commit.ts'
import type { Database } from './schema.ts'
import { LastingPlans } from './sqlite-compiler.ts'
import { statements } from './sqlite-statements.ts'
import { type Store, StoreUnavailable, type Unit } from './store.ts'

/** The first SQLite without the WAL-reset corruption (docs/reliability.md 6). */
const oldestSqlite = [3, 51, 3]

function checkPlace(directory: string, warn: Warn): void {
  const version = (process.versions.sqlite ?? '0').split('.').map(Number)
  const older = oldestSqlite.map((part, i) => (version[i] ?? 0) - part).find(difference => difference !== 0) ?? 0
  if (older < 0)
    throw new Error(
      `this Node brings SQLite ${process.versions.sqlite}, which can corrupt its log: use Node 24.15 or later`
    )
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const place = judgeFileSystem(statfsSync(directory).type, typeOf(directory))
  if (place?.verdict === 'refuse')
    throw new Error(`DATA_DIR lies on ${place.name}, where SQLite cannot lock: use a local disk, or DATABASE_URL`)
  if (place)
    warn(
      `DATA_DIR lies on ${place.name}: its locks hold only as it is set up, so never start a second server on it; a local disk, or DATABASE_URL, is safer`
    )
}

/** Linux says what user-space file systems are; elsewhere nobody does. */
function typeOf(directory: string): string | undefined {
  try {
    return mountType(readFileSync('/proc/self/mountinfo', 'utf8'), realpathSync(directory))
  } catch {
    return undefined
  }
}

/** Nobody else's eyes, whoever made the folder and with whatever umask; another user's file is as that user left it. */
function keepPrivate(directory: string): void {
  for (const end of ['switchboard.db', 'switchboard.db-wal', 'switchboard.db-shm', 'switchboard.lock'])
    try {
      chmodSync(join(directory, end), 0o600)
    } catch (error) {
      if (!['ENOENT', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
}

const sqliteBusy = 5
const isBusy = (error: unknown): boolean => ((error as { errcode?: number }).errcode ?? 0) % 256 === sqliteBusy
/** SQLite's own clock, in milliseconds since 1970. */
const instant = "cast(unixepoch('subsec') * 1000 as integer)"

/** Held as long as the process lives; the kernel frees it even after kill -9 (P31). */
function takeLock(directory: string): DatabaseSync {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(join(directory, 'switchboard.lock'), { timeout: 0 })
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock?.close()
    const { message } = error as Error
    throw new Error(
      isBusy(error)
        ? 'another Switchboard runs on this DATA_DIR: stop it first, or give each its own, or share PostgreSQL by DATABASE_URL'
        : `DATA_DIR cannot be written to (${message}): it must belong to the user that Switchboard runs as`,
      { cause: error }
    )
  }
}

function open(file: string, readOnly: boolean): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: 5000, defensive: true, readOnly })
  // NORMAL, because the log is synced by `flush` below, once for all commits that wait for it; checkpoints still sync by
  // themselves.
  if (!readOnly) db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL')
  db.exec('PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF')
  if (process.platform === 'darwin') db.exec('PRAGMA fullfsync=1; PRAGMA checkpoint_fullfsync=1')
  return db
}

/** The writing connection; a file that is no database ends the start with a sentence, and lets the lock go. */
function openOurs(file: string, lock: DatabaseSync): DatabaseSync {
  try {
    return open(file, false)
  } catch (error) {
    lock.close()
    throw new Error(`DATA_DIR: switchboard.db cannot be opened (${(error as Error).message})`, { cause: error })
  }
}

const unavailable = (error: unknown): Error => {
  const { errcode, message } = error as { errcode?: number; message?: string }
  // BUSY 5, READONLY 8, IOERR 10, CORRUPT 11 (how a read meets a bad disk), FULL 13, CANTOPEN 14, NOTADB 26 (low byte of
  // the extended code): the disk's fault, not the query's.
  if (errcode !== undefined && [5, 8, 10, 11, 13, 14, 26].includes(errcode & 0xff)) return new StoreUnavailable(message)
  return error as Error
}

/** Hears of a place that is not the best for a database, in one sentence. */
export type Warn = (sentence: string) => void

/** Puts a file's written bytes on disk. Replaced only by the control that shows what is lost without it. */
export type Sync = (fd: number, done: (error: Error | null) => void) => void

/** The embedded store: SQLite in WAL mode, every commit on disk before it is answered, commits of one tick grouped. */
export function openSqlite(directory: string, sync: Sync = fdatasync, warn: Warn = () => {}): Store {
  checkPlace(directory, warn)
  const lock = takeLock(directory)
  const file = join(directory, 'switchboard.db')
  const writer = openOurs(file, lock)
  // From now on somebody else's transaction is waited for beside the event loop (group-commit.ts).
  writer.exec('BEGIN IMMEDIATE; COMMIT; PRAGMA busy_timeout=0')
  const reader = open(file, true)
  /** Within the transaction that is under way. */
  let redefined = false
  const execute = statements(writer, () => {
    redefined = true
    execute.forget()
  })
  const look = statements(reader)
  // The log is there from the first transaction on and stays the same file until the last connection closes.
  const wal = openSync(`${file}-wal`, 'r+')
  keepPrivate(directory)
  const checkpoints = createCheckpoints(writer, file)
  /**
   * Nobody knows what of the log is on disk: after a failed sync, and in a log that another process left behind (the
   * kernel calls pages clean that it failed to write). Nothing is taken until a checkpoint has put it all there.
   */
  let doubtful = true
  const listeners: (() => void)[] = []

  const run = (unit: () => Unit<unknown>): unknown => {
    const steps = unit()
    let step = steps.next()
    while (!step.done) step = steps.next(execute.run(step.value))
    return step.value
  }
  /** Throws where another process reads the log, as a backup does: then only part of it would be on disk. */
  const emptyLog = (): void => {
    const left = writer.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number }
    if (left.busy) throw new StoreUnavailable('a sync failed, and the log cannot be emptied while somebody reads it')
  }
  const transaction = <T>(work: () => T): T => {
    if (doubtful) {
      emptyLog()
      doubtful = false
    }
    writer.exec('BEGIN IMMEDIATE')
    try {
      const value = work()
      writer.exec('COMMIT')
      return value
    } catch (error) {
      // A full disk may have rolled back by itself already.
      if (writer.isTransaction) writer.exec('ROLLBACK')
      throw error
    } finally {
      if (redefined) for (const connection of [execute, look]) connection.forget()
      redefined = false
    }
  }
  const outcomeOf = (job: Job): (() => void) => {
    try {
      const value = transaction(() => run(job.unit))
      return () => job.resolve(value)
    } catch (error) {
      return () => job.reject(unavailable(error))
    }
  }
  const outcomesOf = (group: Job[]): (() => void)[] | 'locked' => {
    try {
      const values = transaction(() => group.map(job => run(job.unit)))
      return group.map((job, i) => () => job.resolve(values[i]))
    } catch (error) {
      // Another process has a transaction open on the file.
      if (isBusy(error)) return 'locked'
      // One faulty unit must not fail its neighbours: each again by itself, and each with its own verdict.
      return group.map(outcomeOf)
    }
  }
  const commits = createGroupCommit({
    commit: outcomesOf,
    sync: done => sync(wal, done),
    failed: () => {
      doubtful = true
    },
    synced: () => {
      for (const listener of listeners) listener()
      return checkpoints.look()
    }
  })
  const { write } = commits

  const read: Store['read'] = async query => {
    try {
      return look.run(query).rows
    } catch (error) {
      throw unavailable(error)
    }
  }

  return {
    dialect: 'sqlite',
    build: new Kysely<Database>({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: db => new SqliteIntrospector(db),
        createQueryCompiler: () => new LastingPlans()
      }
    }),
    now: sql<number>`${sql.raw(instant)}`,
    // SQLite asks the same clock of the machine, to the millisecond.
    clock: Date.now,
    write,
    read,
    reserved: { write, read },
    onCommit: listener => void listeners.push(listener),
    probe: () =>
      write(function* () {
        yield CompiledQuery.raw('PRAGMA user_version = 0')
      }),
    gauges: () => ({ walBytes: reader.isOpen ? fstatSync(wal).size : 0 }),
    close: async () => {
      await commits.idle()
      await checkpoints.close()
      reader.close()
      closeSync(wal)
      try {
        writer.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      } catch {
        // A full disk, say: nothing is lost, the log is read again at the next start.
      }
      writer.close()
      lock.close()
    }
  }
}
