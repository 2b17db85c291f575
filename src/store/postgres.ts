import { randomUUID } from 'node:crypto'
import {
  CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql
} from 'kysely'
import type { ClientBase } from 'pg'
import type { Logger } from 'pino'
import { createHeardClock } from './clock.ts'
import type { Database } from './schema.ts'
import { type Result, type Store, StoreUnavailable, storable, type Unit } from './store.ts'

/**
 * SQLSTATE classes and codes that mean "not now": connection (08), resources (53), intervention (57), system (58), lock
 * (55), a server that is read-only (25006: a standby, or a full disk), a transaction that waited too long (25P03, 25P04).
 */
const transient = new Set(['08', '53', '55', '57', '58', '25006', '25P03', '25P04'])
/** Rolled back for the sake of another transaction: deadlock, serialization. The same again usually comes through. */
const repeatable = new Set(['40P01', '40001'])
const tries = 8
/** Held by whoever tries again, so that victims of deadlocks meet only those who are new to it, never one another. */
const again = 'select pg_advisory_xact_lock(7305552)'

/** What a failed query or connection means. Never for what a unit itself throws: that reaches its author as it is. */
const unavailable = (error: unknown): Error => {
  const { code = '', message } = error as { code?: string; message?: string }
  // Faults of the socket have no SQLSTATE: ECONNREFUSED, or a bare "Connection terminated".
  const later = !/^[0-9A-Z]{5}$/.test(code) || transient.has(code) || transient.has(code.slice(0, 2))
  return later ? new StoreUnavailable(message || code, { cause: error }) : (error as Error)
}
const refuse = (error: unknown): never => {
  throw unavailable(error)
}

const statementMs = 5000
/** Connections at most, and of those beside them that only a few things may take (Store.reserved). */
const [most, mostReserved] = [10, 3]
/** A word to oneself through the server takes no longer. */
const helloMs = 3000
/** A connection of the pool, with the number of its server process as the first words of the connection told it. */
type PoolClient = ClientBase & { processID: number | null }

/**
 * Begins a transaction as we need it, and asks for the time, in one round trip. Everything is set for the transaction
 * and nothing for the connection: a pooler (PgBouncer) refuses what is asked for at connection, and hands one connection
 * to many. What is set here also wins over what an address, a role or a database sets (`synchronous_commit=off`).
 */
const beginning = (patient: boolean): string =>
  [
    'BEGIN ISOLATION LEVEL READ COMMITTED',
    'SET LOCAL synchronous_commit = on',
    `SET LOCAL statement_timeout = ${patient ? 0 : statementMs}`,
    `SET LOCAL lock_timeout = ${patient ? 0 : 2000}`,
    'SET LOCAL idle_in_transaction_session_timeout = 10000',
    'SELECT (extract(epoch from clock_timestamp()) * 1000)::bigint AS at'
  ].join(';')

/**
 * The shared store, for several replicas. Every unit is a transaction of its own, durable before it is answered.
 * @param url postgres://user:password@host/database; it is never logged
 * @param patient lets queries and locks take as long as they take, as a migration of large tables must
 * @param connectMs how long a unit waits for a connection, one of the pool's too, before it is StoreUnavailable
 */
export async function openPostgres(
  url: string,
  log: Logger,
  { patient = false, connectMs = 3000 } = {}
): Promise<Store> {
  const { default: pg } = await import('pg')
  const int8 = 20
  const poolOf = (max: number) =>
    new pg.Pool({
      connectionString: url,
      max,
      connectionTimeoutMillis: connectMs,
      // Ours and not the server's, for one that does not even say that it is too late.
      ...(!patient && { query_timeout: 6000 }),
      keepAlive: true,
      application_name: 'switchboard',
      onConnect: client => own(client as PoolClient),
      // Our integers are milliseconds and counts: far below 2^53.
      types: {
        getTypeParser: (id, format) =>
          id === int8 && format !== 'binary' ? Number : pg.types.getTypeParser(id, format)
      }
    })
  /**
   * A read is one statement without a transaction, so its limit is the session's: set only where the session is ours.
   * Behind a pooler the server names another process than the pooler did, and the session may be anybody's next.
   */
  const own = async (client: PoolClient): Promise<void> => {
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
    if (!patient && rows[0].pid === client.processID) await client.query(`SET statement_timeout = ${statementMs}`)
  }
  const begin = beginning(patient)
  const clock = createHeardClock()
  /** Of what `begin` answers, statement by statement, the last: the time. */
  const hear = (answers: unknown): void => clock.hear((answers as { rows: { at: number }[] }[]).at(-1)!.rows[0]!.at)
  // An idle connection that dies is replaced by the pool; without a listener it would end the process.
  const lost = (error: Error) =>
    log.warn({ code: (error as { code?: string }).code }, 'a PostgreSQL connection was lost')
  const pool = poolOf(most)
  const reserve = poolOf(mostReserved)
  for (const each of [pool, reserve]) each.on('error', lost)
  /** The reserve is only for when the others are all taken. */
  const vacant = () => (pool.waitingCount < pool.idleCount + most - pool.totalCount ? pool : reserve)
  const values = ({ parameters }: CompiledQuery): unknown[] => parameters.map(storable)

  const once = async <T>(unit: () => Unit<T>, first: boolean, from: typeof pool): Promise<T> => {
    const client = await from.connect().catch(refuse)
    // The pool listens to idle connections only; one that dies in our hands would end the process.
    client.on('error', lost)
    let broken = false
    try {
      hear(await client.query(begin).catch(refuse))
      if (!first) await client.query(again).catch(refuse)
      const steps = unit()
      let step = steps.next()
      while (!step.done) {
        const { rows, rowCount } = await client.query(step.value.sql, values(step.value)).catch(refuse)
        step = steps.next({ rows, changes: rowCount ?? 0 } satisfies Result<unknown>)
      }
      await client.query('COMMIT').catch(refuse)
      for (const listener of committed) listener()
      return step.value
    } catch (error) {
      broken = error instanceof StoreUnavailable
      // A connection that cannot be trusted is thrown away below, and its transaction with it.
      if (!broken)
        await client.query('ROLLBACK').catch(() => {
          broken = true
        })
      throw error
    } finally {
      client.removeListener('error', lost)
      client.release(broken)
    }
  }
  const write = async <T>(unit: () => Unit<T>, from = pool): Promise<T> => {
    for (let left = tries; ; left--) {
      try {
        return await once(unit, left === tries, from)
      } catch (error) {
        const { code = '', message } = error as { code?: string; message?: string }
        if (!repeatable.has(code)) throw error
        if (left === 1) throw new StoreUnavailable(message)
        // Apart from its rival, lest the two meet again.
        await new Promise(resolve => setTimeout(resolve, Math.random() * 50))
      }
    }
  }

  const read = async <R>(query: CompiledQuery<R>, from = pool): Promise<R[]> =>
    (await from.query(query.sql, values(query)).catch(refuse)).rows as R[]

  const committed: (() => void)[] = []
  const channel = 'switchboard'
  const listeners = new Set<(word: string) => void>()
  let listening: InstanceType<typeof pg.Client> | undefined
  let closed = false
  let toldOfPooler = false
  /** A pooler takes a LISTEN and gives the connection to the next: it is heard only by trying. */
  const hearOneself = async (client: InstanceType<typeof pg.Client>): Promise<void> => {
    const word = `hello ${randomUUID()}`
    const heard = new Promise<boolean>(resolve => {
      const late = setTimeout(resolve, helloMs, false).unref()
      client.on('notification', ({ payload }) => {
        if (payload !== word) return
        clearTimeout(late)
        resolve(true)
      })
    })
    await pool.query('select pg_notify($1, $2)', [channel, word])
    if ((await heard) || closed || toldOfPooler) return
    toldOfPooler = true
    log.warn(
      'DATABASE_URL leads through a pooler that does not pass LISTEN and NOTIFY (PgBouncer in transaction mode): what another replica has settled is noticed by asking, a second later at most; address the server itself, or pool sessions, to hear at once'
    )
  }
  /** One connection of its own: those of the pool come and go. */
  const listen = async (): Promise<void> => {
    const client = new pg.Client({ connectionString: url, keepAlive: true, application_name: 'switchboard words' })
    listening = client
    client.on('notification', ({ payload = '' }) => {
      for (const listener of listeners) listener(payload)
    })
    client.on('error', lost)
    client.once('end', () => {
      setTimeout(() => !closed && void listen(), 1000).unref()
    })
    try {
      await client.connect()
      await client.query(`LISTEN ${channel}`)
      await hearOneself(client)
    } catch (error) {
      lost(error as Error)
      await client.end().catch(lost)
    }
  }

  return {
    dialect: 'postgres',
    notifications: {
      publish: word => CompiledQuery.raw('select pg_notify($1, $2)', [channel, word]),
      subscribe: listener => {
        listeners.add(listener)
        if (!listening) void listen()
      }
    },
    build: new Kysely<Database>({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: db => new PostgresIntrospector(db),
        createQueryCompiler: () => new PostgresQueryCompiler()
      }
    }),
    // Of the statement and not of the moment: clock_timestamp() is volatile, and no index could be searched by it.
    now: sql<number>`(extract(epoch from statement_timestamp()) * 1000)::bigint`,
    clock: clock.now,
    write: unit => write(unit),
    read: query => read(query),
    reserved: { write: unit => write(unit, vacant()), read: query => read(query, vacant()) },
    onCommit: listener => void committed.push(listener),
    probe: async () => {
      const look = `select current_setting('transaction_read_only') as readonly, pg_current_xact_id()`
      const { rows } = await vacant().query(look).catch(refuse)
      if (rows[0].readonly === 'on') throw new StoreUnavailable('the server is read-only')
    },
    gauges: () => {
      const sum = (of: 'totalCount' | 'idleCount' | 'waitingCount') => pool[of] + reserve[of]
      return { pool: { open: sum('totalCount'), idle: sum('idleCount'), waiting: sum('waitingCount') } }
    },
    close: async () => {
      closed = true
      await listening?.end().catch(lost)
      await Promise.all([pool.end(), reserve.end()])
    }
  }
}
