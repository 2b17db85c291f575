import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import type { Test } from 'tap'
import { wati } from '../../../src/adapters/wati/index.ts'
import { broadcastQueries } from '../../../src/broadcasts/queries.ts'
import { createPreparation } from '../../../src/delivery/intake/prepare.ts'
import type { MessageAdmission } from '../../../src/delivery/scheduling/admission.ts'
import { createExecutor, type Executor } from '../../../src/delivery/sending/attempt.ts'
import { free } from '../../../src/dispatch/admission.ts'
import { createProviderClient, type DispatchChannel } from '../../../src/dispatch/provider-client.ts'
import { newId } from '../../../src/ids.ts'
import { createNotifications } from '../../../src/messages/notifications.ts'
import { messageQueries } from '../../../src/messages/queries.ts'
import { queueOf, queueQueries } from '../../../src/messages/queue.ts'
import { createSuppressed } from '../../../src/messages/suppressed.ts'
import { createMetrics } from '../../../src/metrics.ts'
import { type Sandbox, startSandbox } from '../../../src/sandbox/index.ts'
import { openStore } from '../../../src/store/index.ts'
import type { MessageRow } from '../../../src/store/schema.ts'
import { all, type Store } from '../../../src/store/store.ts'
import { createDefinitions } from '../../../src/templates/definitions.ts'
import { createMaton } from '../../../src/upstream/maton.ts'
import { phone } from '../../broadcasts/order.ts'

const apiKey = 'chunk-canary-7f3a9c51d2e84b60'
const timeoutMs = 1500
const permit = { at: 0, until: Number.POSITIVE_INFINITY }

export interface AttemptRig {
  store: Store
  sandbox: Sandbox
  channel: DispatchChannel
  /** What gives turns; a test may put in ways of its own. */
  admission: MessageAdmission
  /** Stores messages of one broadcast and claims them. */
  claimed: (recipients: string[], changes?: Partial<Pick<MessageRow, 'expires_at'>>) => Promise<MessageRow[]>
  executor: Executor
  /** As many in one call, unless it is said otherwise; the permit's time is not over, unless it is said so. */
  deliver: (rows: MessageRow[], how?: 'alone' | 'together', late?: boolean) => Promise<MessageRow[]>
  rows: (broadcast: string) => Promise<MessageRow[]>
  /** The calls for many that reached the provider. */
  batches: () => { broadcast_name: string; receivers: { whatsappNumber: string; localMessageId: string }[] }[]
  force: (fault: string) => Promise<void>
  log: string[]
}

/** The executor in front of the sandbox, on a store of its own that `wrap` may spoil. */
export async function attemptRig(t: Test, wrap: (store: Store) => Store = store => store): Promise<AttemptRig> {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-chunk-'))
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: line => lines.push(line) })
  const real = await openStore({ directory }, pino({ level: 'silent' }))
  const store = wrap(real)
  const sandbox = await startSandbox({ apiKey })
  const maton = createMaton({ baseUrl: sandbox.url, apiKey, timeoutMs })
  t.teardown(async () => {
    await maton.close()
    await sandbox.close()
    await real.close()
    rmSync(directory, { recursive: true, force: true })
  })
  let turn = permit
  const admission: MessageAdmission = {
    // Only what has a turn can be late for it.
    admit: async (_channel, _call, { permit = free } = {}) => (permit.until > performance.now() ? permit : undefined),
    left: () => {},
    answered: () => {},
    throttle: () => {},
    note: () => {},
    acquire: async () => turn
  }
  const metrics = createMetrics()
  const adapters = new Map([['wati', wati]])
  const providerClient = createProviderClient({ adapters, upstream: () => maton, admission, log, metrics })
  const queries = messageQueries(store)
  const definitions = createDefinitions(providerClient)
  const library = {} as never
  const preparation = createPreparation(
    { providerClient, definitions, library, store, queries, sandboxed: () => false },
    () => []
  )
  const notifications = createNotifications()
  const providerOf = async () => 'wati'
  const suppressed = createSuppressed(store, 'p'.repeat(32))
  const common = { store, queries, suppressed, providerClient, preparation, log, metrics, admission, notifications }
  const executor = createExecutor({ ...common, timeoutMs, typeBase: '', providerOf })
  const channel = { id: 'wati', provider: 'wati', mode: 'live', settings: {}, connectionId: 'c' } as const
  const broadcasts = broadcastQueries(real)

  return {
    store,
    sandbox,
    channel,
    admission,
    claimed: async (recipients, { expires_at = null } = {}) => {
      const broadcast = newId('brd')
      const owner = { service: 'billing', mode: 'live', channel_id: 'wati' } as const
      const queue = queueOf({ ...owner, lane: 1, broadcast_id: broadcast })
      const content = (i: number) =>
        JSON.stringify({
          name: 'order_update',
          language: 'en_US',
          variables: { name: `Name ${i}`, ordernumber: String(i) }
        })
      const rows = JSON.stringify(recipients.map((to, i) => [newId('msg'), to, content(i), null]))
      return real.write(function* () {
        yield broadcasts.addMessages({
          ...owner,
          key_id: 'key_1',
          provider: 'wati',
          queue,
          broadcast_id: broadcast,
          template: 'order_update',
          traceparent: null,
          run_at: 1000,
          send_at: null,
          expires_at,
          created_at: 1000,
          rows
        })
        return yield* all(queueQueries(real).claim({ queue, limit: recipients.length, lease_ms: 20_000 }))
      })
    },
    executor,
    deliver: (rows, how = 'together', late = false) => {
      turn = late ? { at: 0, until: 1 } : permit
      return executor.deliver(how, rows, channel)
    },
    rows: async broadcast => (await real.read(broadcasts.messages(broadcast, {}, { limit: 1000 }))).reverse(),
    batches: () =>
      sandbox.ledger.entries
        .filter(({ operation }) => operation === 'wati.sendTemplateMessagesV2')
        .map(({ body }) => body as never),
    force: async fault => {
      await fetch(`${sandbox.url}/_sandbox/faults`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ operation: 'wati.sendTemplateMessagesV2', fault, times: 1 })
      })
    },
    log: lines
  }
}
export const phones = (count: number): string[] => Array.from({ length: count }, (_, i) => phone(i))
