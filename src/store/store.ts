import type { Compilable, CompiledQuery, Kysely, RawBuilder } from 'kysely'
import type { Database } from './schema.ts'

export interface Result<R> {
  rows: R[]
  changes: number
}

/**
 * A unit of work: a generator that yields its queries and is given their results. One text serves both databases:
 * SQLite runs it in one go inside a group commit, PostgreSQL awaits each query inside a transaction of its own.
 * It may run twice (a failed group is repeated one by one, the victim of a deadlock again), so between its queries it
 * must not have side effects.
 */
// biome-ignore lint/suspicious/noExplicitAny: each yield has a result type of its own, which `all` and `change` give back
export type Unit<T> = Generator<CompiledQuery, T, Result<any>>

export interface WriteOptions {
  /**
   * Nobody waits for it who would notice some milliseconds. Beside units that somebody waits for, `sync` is committed at once and
   * waits up to 10 ms for a sync together with those; `commit` before that up to 25 ms for a commit together with others of
   * its kind. Its caller is answered when it is on disk, as with any other unit. PostgreSQL makes no difference.
   */
  patient?: 'sync' | 'commit'
}

export interface Store {
  readonly dialect: 'sqlite' | 'postgres'
  /** Builds queries; it never runs one. */
  readonly build: Kysely<Database>
  /** The database's own clock, in milliseconds since 1970: the one that leases, due times and expiry are judged by. */
  readonly now: RawBuilder<number>
  /**
   * The store's clock, for what a process has to know before it writes: what is compared with `now` anywhere is never
   * written by the clock of a process, which may be minutes off.
   */
  readonly clock: () => number
  /** Runs a unit in one transaction. Resolves only when it is durable. Throws StoreUnavailable when nothing was written. */
  write: <T>(unit: () => Unit<T>, how?: WriteOptions) => Promise<T>
  /**
   * Runs one reading query. It may show a commit a moment before it is on disk: an acknowledgement or a send must rest on
   * a `write`, never on a read alone.
   */
  read: <R>(query: CompiledQuery<R>) => Promise<R[]>
  /**
   * Reads and writes for what must not wait behind the rest: the door of webhooks with what it has to know. Where all connections to
   * PostgreSQL are taken, by whatever a lock holds up, it has some of its own; so has `probe`.
   */
  readonly reserved: Pick<Store, 'write' | 'read'>
  /** Has a listener told after every commit of this process. */
  onCommit: (listener: () => void) => void
  /** Words between the processes of one database; absent where there is only one process. */
  readonly notifications?: NotificationChannel
  /** Resolves when a write transaction can be had; else throws StoreUnavailable. */
  probe: () => Promise<void>
  /** What the store is like at this moment; asks nobody. */
  readonly gauges: () => StoreGauges
  close: () => Promise<void>
}

export interface StoreGauges {
  /** Bytes of SQLite's log. */
  walBytes?: number
  /** Connections to PostgreSQL: all of them, those that nobody uses, and units of work that wait for one. */
  pool?: { open: number; idle: number; waiting: number }
}

export interface NotificationChannel {
  /** For a unit: heard by every process once the unit has committed. At most a few hundred bytes. */
  publish: (word: string) => CompiledQuery
  /** Words can be missed while a connection is lost: a listener must not rely on them alone. */
  subscribe: (listener: (word: string) => void) => void
}

/**
 * The database cannot be reached, is full or read-only. Nothing of the unit was kept, or nobody can say: the connection
 * was lost at its commit (PostgreSQL), or the log could not be synced (SQLite; then later reads see it nevertheless).
 */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}

/**
 * A parameter as both databases can hold it: NUL becomes U+FFFD, as half a surrogate pair does on its way into UTF-8.
 * PostgreSQL has no NUL in text, and SQLite's own functions end there.
 */
export const storable = (value: unknown): unknown =>
  typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value

/** JSON that both databases can read members of: PostgreSQL takes no NUL in it, and no half of a surrogate pair. */
export const storableJson = (value: unknown): string =>
  JSON.stringify(value).replace(/\\(?:u0000|ud[89a-f][0-9a-f]{2}|.)/g, found => (found.length > 2 ? '\ufffd' : found))

const compiled = <R>(query: CompiledQuery<R> | Compilable<R>): CompiledQuery<R> =>
  'compile' in query ? query.compile() : query

/** Inside a unit: the rows of one query. */
export function* all<R>(query: CompiledQuery<R> | Compilable<R>): Generator<CompiledQuery, R[], Result<R>> {
  return (yield compiled(query)).rows
}

/** Inside a unit: the first row of one query. */
export function* first<R>(query: CompiledQuery<R> | Compilable<R>): Generator<CompiledQuery, R | undefined, Result<R>> {
  return (yield compiled(query)).rows[0]
}

/** Inside a unit: how many rows one writing query changed. */
export function* change(query: CompiledQuery | Compilable): Generator<CompiledQuery, number, Result<unknown>> {
  return (yield compiled(query)).changes
}

/** Runs a unit that only reads, each query by itself: what it reads may change in between. */
export async function readUnit<T>(store: Pick<Store, 'read'>, unit: Unit<T>): Promise<T> {
  let step = unit.next()
  while (!step.done) step = unit.next({ rows: await store.read(step.value), changes: 0 })
  return step.value
}

class Slot {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

let preparing = false
/** Whether a value of a query that is being compiled is the same at each of its runs: a word or a number of the program's own. */
export const isConstant = (value: unknown): boolean =>
  preparing && (typeof value === 'string' || typeof value === 'number' || value === null)

/**
 * Compiles a query once, when it is first run, and fills in its parameters by name at each call: building a query anew costs
 * more than running it, and two hundred of them would be a part of every start.
 * @param build gets a placeholder for every parameter it touches
 */
export function prepare<P extends object, R>(
  build: (parameters: Required<P>) => Compilable<R>
): (parameters: P) => CompiledQuery<R> {
  const compile = (): CompiledQuery<R> => {
    const slots = new Proxy({}, { get: (_, name) => new Slot(String(name)) }) as Required<P>
    preparing = true
    try {
      return build(slots).compile()
    } finally {
      preparing = false
    }
  }
  let query: CompiledQuery<R> | undefined
  return parameters => {
    query ??= compile()
    const filled = query.parameters.map(value =>
      value instanceof Slot ? (parameters[value.name as keyof P] ?? null) : value
    )
    return { ...query, parameters: filled }
  }
}

/** The store, with something done around each unit of work that is written. */
export function aroundWrites(store: Store, around: <T>(write: () => Promise<T>) => Promise<T>): Store {
  const of = ({ write }: Pick<Store, 'write'>): Store['write'] => {
    return (unit, how) => around(() => write(unit, how))
  }
  return { ...store, write: of(store), reserved: { ...store.reserved, write: of(store.reserved) } }
}
