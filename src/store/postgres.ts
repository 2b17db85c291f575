import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql
} from 'kysely'
import type { Logger } from 'pino'
import type { Database } from './schema.ts'
import { type Result, type Store, StoreUnavailable, type Unit } from './store.ts'

/** SQLSTATE classes that mean "not now": connection (08), resources (53), intervention (57), system (58), lock (55). */
const transientClasses = new Set(['08', '53', '55', '57', '58'])

const unavailable = (error: unknown): Error => {
  const { code, message } = error as { code?: string; message?: string }
  // Faults of the socket have no SQLSTATE: ECONNREFUSED, or a bare "Connection terminated".
  const transient = code === undefined || !/^[0-9A-Z]{5}$/.test(code) || transientClasses.has(code.slice(0, 2))
  return transient ? new StoreUnavailable(message) : (error as Error)
}

/**
 * The shared store, for several replicas. Every unit is a transaction of its own, durable before it is answered.
 * @param url postgres://user:password@host/database; it is never logged
 */
export async function openPostgres(url: string, log: Logger): Promise<Store> {
  const { default: pg } = await import('pg')
  const int8 = 20
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 3000,
    statement_timeout: 5000,
    lock_timeout: 2000,
    idle_in_transaction_session_timeout: 10_000,
    options: '-c synchronous_commit=on -c default_transaction_isolation=read\\ committed',
    application_name: 'switchboard',
    // Our integers are milliseconds and counts: far below 2^53.
    types: {
      getTypeParser: (id, format) => (id === int8 && format !== 'binary' ? Number : pg.types.getTypeParser(id, format))
    }
  })
  // An idle connection that dies is replaced by the pool; without a listener it would end the process.
  pool.on('error', error => log.warn({ code: (error as { code?: string }).code }, 'a PostgreSQL connection was lost'))

  const write = async <T>(unit: () => Unit<T>): Promise<T> => {
    const client = await pool.connect().catch(error => {
      throw unavailable(error)
    })
    let broken: Error | undefined
    try {
      await client.query('BEGIN')
      const steps = unit()
      let step = steps.next()
      while (!step.done) {
        const { rows, rowCount } = await client.query(step.value.sql, step.value.parameters as unknown[])
        step = steps.next({ rows, changes: rowCount ?? 0 } satisfies Result<unknown>)
      }
      await client.query('COMMIT')
      return step.value
    } catch (error) {
      broken = unavailable(error)
      await client.query('ROLLBACK').catch(() => {
        // The connection is gone, and its transaction with it: it is thrown away below.
      })
      throw broken
    } finally {
      client.release(broken instanceof StoreUnavailable ? broken : undefined)
    }
  }

  return {
    dialect: 'postgres',
    build: new Kysely<Database>({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createDriver: () => new DummyDriver(),
        createIntrospector: db => new PostgresIntrospector(db),
        createQueryCompiler: () => new PostgresQueryCompiler()
      }
    }),
    now: sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`,
    write,
    read: async <R>(query: CompiledQuery<R>) => {
      try {
        return (await pool.query(query.sql, query.parameters as unknown[])).rows as R[]
      } catch (error) {
        throw unavailable(error)
      }
    },
    probe: async () => {
      await pool.query('select pg_current_xact_id()').catch(error => {
        throw unavailable(error)
      })
    },
    close: () => pool.end()
  }
}
