import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { type LedgerEntry, SANDBOX_APP_SECRET } from '../../src/sandbox/index.ts'
import { type Cluster, startPostgres } from '../store/postgres.ts'
import type { Arrival, Row } from './history.ts'
import { type Postman, startPostman } from './postman.ts'
import { type FaultProxy, startProxy } from './proxy.ts'
import type { Random } from './random.ts'
import { adminKey, createReplica, type Replica } from './replica.ts'
import { type Query, sqliteQuery } from './rows.ts'
import { type Subscriber, startSubscriber } from './subscriber.ts'

const matonKey = 'maton-canary-7f3a9c51d2e84b60'
const headers = { authorization: `Bearer ${adminKey}` }

export interface RigOptions {
  store: 'sqlite' | 'postgres'
  replicas?: number
  random: Random
  /** Breaks a safety in every process: a name of `broken.ts`. */
  broken?: string | undefined
  env?: Record<string, string>
  /** Straight to the sandbox, for runs in which the moment of a call matters. */
  direct?: boolean
  /** The providers tell what becomes of messages. */
  hearing?: boolean
}

/** Everything that a run needs: sandbox, proxy, database, replicas. */
export interface Rig {
  replicas: Replica[]
  proxy: FaultProxy
  cluster: Cluster | undefined
  /** Brings the providers' webhooks to the doors. */
  postman: Postman | undefined
  /** Is told of what becomes of messages. */
  subscriber: Subscriber | undefined
  /** Tells the postman where the doors are, and us where the subscriber is: as soon as a replica is ready. */
  introduce: () => Promise<void>
  /** Asks the database, past every replica. */
  query: Query
  /** The provider plays this fault on the next call. */
  fault: (fault: string, operation?: string) => Promise<void>
  clearFaults: () => Promise<void>
  arrivals: () => Promise<{ all: Arrival[]; dropped: number }>
  /** When each call of any kind arrived, in milliseconds. */
  calls: () => Promise<number[]>
  journal: () => Promise<Row[]>
  /** How many messages are neither settled nor waiting for a later day. */
  unsettled: () => Promise<number>
  close: () => Promise<void>
}

async function startSandboxProcess(hooks?: string): Promise<{ url: string; child: ChildProcess }> {
  const main = new URL('./sandbox.ts', import.meta.url).pathname
  const args = [main, matonKey, ...(hooks === undefined ? [] : [hooks])]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', line => resolve(JSON.parse(String(line)).url))
    child.once('exit', code => reject(new Error(`the sandbox ended with ${code}`)))
  })
  return { url, child }
}

const json = async (url: string): Promise<never> => {
  const answer = await request(url, { headers, signal: AbortSignal.timeout(20_000) })
  if (answer.statusCode !== 200) throw new Error(`${url} is ${answer.statusCode}: ${await answer.body.text()}`)
  return (await answer.body.json()) as never
}

/** Events that tell of a message's state; all of them, for every event of the journal is to be posted. */
const messageEvents = [
  ...['accepted', 'sent', 'delivered', 'read', 'failed', 'unknown', 'expired', 'canceled', 'received', 'operator']
].map(state => `message.${state}`)

const channels = [
  {
    id: 'cloud',
    provider: 'whatsapp-cloud',
    connectionId: '22222222-2222-4222-8222-222222222222',
    settings: {
      phoneNumberId: '106540352242922',
      businessAccountId: '102290129340398',
      // Nothing that is not signed by Meta's app has an effect.
      appSecret: SANDBOX_APP_SECRET
    }
  },
  { id: 'wati', provider: 'wati', connectionId: '11111111-1111-4111-8111-111111111111', settings: {} }
]

export async function startRig(options: RigOptions): Promise<Rig> {
  const { store, random, replicas: count = store === 'sqlite' ? 1 : 2 } = options
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-torture-'))
  const endings: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })]
  // For a run that is broken off: nothing of it may stay behind.
  const leave = (): void => {
    for (const replica of replicas) void replica.kill()
    sandbox?.child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  const close = async (): Promise<void> => {
    process.off('exit', leave)
    while (endings.length > 0) await endings.pop()!()
  }
  let sandbox: Awaited<ReturnType<typeof startSandboxProcess>> | undefined
  const replicas: Replica[] = []
  process.once('exit', leave)
  try {
    writeFileSync(join(directory, 'channels.json'), JSON.stringify({ channels }))
    const doors = new Map<string, string>()
    const aim = random.fork()
    const door = (connection: string): string | undefined => {
      const path = doors.get(connection)
      return path && replicas[aim.whole(0, replicas.length - 1)]!.url + path
    }
    const postman = options.hearing ? await startPostman(random.fork(), door) : undefined
    if (postman) endings.push(postman.close)
    const subscriber = options.hearing ? await startSubscriber(random.fork()) : undefined
    if (subscriber) endings.push(subscriber.close)
    const { url, child } = (sandbox = await startSandboxProcess(postman?.url))
    endings.push(() => child.kill('SIGKILL'))
    const proxy = await startProxy(url, { random })
    endings.push(proxy.close)
    const cluster = store === 'postgres' ? await startPostgres({ teardown: ending => endings.push(ending) }) : undefined
    const name = await cluster?.database()
    const database = name && cluster!.url(name)
    const upstream = options.direct ? url : proxy.url
    // With the compile cache, as `npm start` does it: a run starts many of them.
    const entry = new URL(options.broken ? './broken.ts' : '../../src/main.js', import.meta.url)
    for (let i = 0; i < count; i++) {
      const replica = await createReplica({
        entry,
        ...(options.broken && { args: [options.broken] }),
        log: join(directory, `replica-${i}.log`),
        env: {
          NODE_ENV: 'test',
          MATON_API_KEY: matonKey,
          MATON_BASE_URL: upstream,
          MATON_CONTROL_URL: upstream,
          MATON_RATE_PER_SECOND: '0',
          UPSTREAM_TIMEOUT_MS: '1000',
          PUBLIC_URL: 'http://127.0.0.1',
          EGRESS_ALLOW: '127.0.0.1',
          KEY_PEPPER: 'p'.repeat(32),
          CHANNELS_FILE: join(directory, 'channels.json'),
          DATA_DIR: join(directory, cluster ? `replica-${i}` : 'store'),
          ...(database && { DATABASE_URL: database }),
          ...options.env
        }
      })
      replicas.push(replica)
      endings.push(replica.kill)
    }
    const introduce = async (): Promise<void> => {
      for (const { id, connectionId } of channels) {
        const { url: address } = (await json(`${replicas[0]!.url}/channels/${id}/webhooks`)) as { url: string }
        doors.set(connectionId, new URL(address).pathname)
      }
      if (!subscriber) return
      const answer = await request(`${replicas[0]!.url}/subscriptions`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ url: subscriber.url, events: messageEvents })
      })
      const text = await answer.body.text()
      if (answer.statusCode !== 201) throw new Error(text)
    }
    const query: Query = cluster
      ? statement => cluster.query(statement, name)
      : sqliteQuery(join(directory, 'store', 'switchboard.db'))
    return { replicas, proxy, cluster, postman, subscriber, introduce, query, close, ...views(url, replicas) }
  } catch (error) {
    await close()
    throw error
  }
}

type Listed = Row & { direction: string; broadcastId?: string }

function views(
  sandbox: string,
  replicas: Replica[]
): Pick<Rig, 'fault' | 'clearFaults' | 'arrivals' | 'calls' | 'journal' | 'unsettled'> {
  const one = () => (replicas.find(replica => replica.alive()) ?? replicas[0]!).url
  const faults = async (method: 'POST' | 'DELETE', body?: object): Promise<void> => {
    const answer = await request(`${sandbox}/_sandbox/faults`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    })
    const text = await answer.body.text()
    if (answer.statusCode > 299) throw new Error(text)
  }
  return {
    fault: (fault, operation) => faults('POST', { fault, ...(operation && { operation }) }),
    clearFaults: () => faults('DELETE'),
    arrivals: async () => {
      const { entries, dropped } = (await json(`${sandbox}/_sandbox/ledger?kind=send&fields=to,deliveries`)) as {
        entries: Pick<LedgerEntry, 'to' | 'deliveries'>[]
        dropped: number
      }
      return {
        dropped,
        // A batch has one entry, and a delivery for each whom it reached.
        all: entries.flatMap(({ to = '', deliveries }): Arrival[] =>
          deliveries.length === 0
            ? [{ to, processed: false }]
            : deliveries.map(({ to }) => ({ to, processed: true, together: deliveries.length > 1 }))
        )
      }
    },
    calls: async () => {
      const { entries } = (await json(`${sandbox}/_sandbox/ledger?fields=at`)) as { entries: { at: string }[] }
      return entries.map(({ at }) => Date.parse(at))
    },
    journal: async () => {
      const rows: Row[] = []
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page: { items: Listed[]; nextCursor: string | null } = await json(
          `${one()}/messages?limit=100${cursor && `&cursor=${cursor}`}`
        )
        const sent = page.items.filter(({ direction }) => direction === 'outbound')
        rows.push(
          ...sent.map(({ id, to, status, broadcastId: broadcast }) => ({
            id,
            to,
            status,
            ...(broadcast && { broadcast })
          }))
        )
        cursor = page.nextCursor
      }
      return rows
    },
    unsettled: async () => {
      const pages = await Promise.all(
        ['queued', 'sending'].map(status => json(`${one()}/messages?limit=100&status=${status}`))
      )
      return (pages as { items: unknown[] }[]).reduce((sum, { items }) => sum + items.length, 0)
    }
  }
}
