import { join } from 'node:path'
import type { Logger } from 'pino'
import type { messageTypes } from '../schemas/content.ts'
import type { AnyAdapter } from './adapters/adapter.ts'
import { buildApp } from './app.ts'
import { createChannels } from './channels.ts'
import type { Config } from './config.ts'
import { createDefinitions } from './delivery/definitions.ts'
import { createEngine } from './delivery/engine.ts'
import { createIdempotency } from './delivery/idempotency.ts'
import { createMessages } from './delivery/messages.ts'
import { createPreparation } from './delivery/prepare.ts'
import { messageQueries } from './delivery/queries.ts'
import { createWorker } from './delivery/worker.ts'
import { createCorridor, type DispatchChannel } from './dispatch/corridor.ts'
import type { App } from './fastify.ts'
import { createKeyring } from './keys/keyring.ts'
import { createSeal } from './keys/seal.ts'
import { createMediaLibrary } from './media/library.ts'
import { createMetrics } from './metrics.ts'
import { createAudit } from './store/audit.ts'
import { openStore } from './store/index.ts'
import type { Egress } from './upstream/egress.ts'
import { createMaton, type Maton } from './upstream/maton.ts'

export interface Composition {
  adapters: ReadonlyMap<string, AnyAdapter>
  /** Starts the stand-in for Maton and the providers; called only when test traffic needs it, or there is no account. */
  startSandbox: () => Promise<{ url: string; close: () => Promise<void> }>
  log: Logger
  pepper: string
}

export interface Switchboard {
  app: App
  /** No account: everything goes to the sandbox. */
  sandboxMode: boolean
  /** Settles what an earlier process left and begins to deliver what waits. */
  start: () => Promise<void>
  /** Readiness off, from now on. */
  drain: () => void
  /** Finishes what is in flight and closes everything, the app first. */
  close: () => Promise<void>
}

/** Puts the parts together. Opens the store, but no port. */
export async function compose(
  config: Config,
  { adapters, startSandbox, log, pepper }: Composition
): Promise<Switchboard> {
  const sandboxMode = config.MATON_API_KEY === undefined
  const typeBase = config.PUBLIC_URL ?? ''
  const timeoutMs = config.UPSTREAM_TIMEOUT_MS
  const store = await openStore(
    { ...(config.DATABASE_URL && { databaseUrl: config.DATABASE_URL }), directory: config.DATA_DIR },
    log
  )
  const metrics = createMetrics()

  let sandbox: Promise<{ client: Maton; close: () => Promise<void> }> | undefined
  const openSandbox = async () => {
    const { url, close } = await startSandbox()
    return { client: createMaton({ baseUrl: url, apiKey: 'sandbox', timeoutMs }), close }
  }
  const sandboxClient = async (): Promise<Maton> => (await (sandbox ??= openSandbox())).client
  const live =
    config.MATON_API_KEY === undefined
      ? undefined
      : createMaton({ baseUrl: config.MATON_BASE_URL, apiKey: config.MATON_API_KEY, timeoutMs })
  let egress: Promise<Egress> | undefined
  const openEgress = async (): Promise<Egress> =>
    (await import('./upstream/egress.ts')).createEgress({ allow: config.EGRESS_ALLOW })

  const corridor = createCorridor({
    adapters,
    log,
    metrics,
    upstream: mode => (mode === 'live' && live ? live : sandboxClient())
  })
  const keyring = createKeyring({ store, pepper, ...(config.ADMIN_KEY && { adminKey: config.ADMIN_KEY }) })
  const channels = createChannels({ store, adapters })
  const queries = messageQueries(store)
  const library = createMediaLibrary({
    store,
    corridor,
    egress: () => (egress ??= openEgress()),
    directory: join(config.DATA_DIR, 'spool')
  })
  const sandboxed = (channel: DispatchChannel) => channel.mode === 'test' || sandboxMode
  const whoCan = (type: (typeof messageTypes)[number]) =>
    [...adapters.values()].filter(adapter => adapter.encoders[type]).map(adapter => adapter.provider)
  const preparation = createPreparation(
    { corridor, definitions: createDefinitions(corridor), library, store, queries, sandboxed },
    whoCan
  )
  const engine = createEngine({ store, queries, corridor, preparation, log, metrics, timeoutMs, typeBase })
  const worker = createWorker({ store, queries, channels, preparation, engine, log, typeBase })
  const idempotency = createIdempotency(store, createSeal(pepper))
  const messages = createMessages({ store, queries, channels, preparation, engine, idempotency, wake: worker.wake })

  let closing = false
  const notReady = async (): Promise<string | null> => {
    if (closing) return 'closing'
    return store.probe().then(
      () => null,
      () => 'the store is not writable'
    )
  }
  const app = await buildApp(
    { keyring, channels, messages, media: library, idempotency, audit: createAudit(store), metrics, notReady },
    { publicUrl: config.PUBLIC_URL, trustProxy: config.TRUST_PROXY, docs: config.DOCS, log }
  )
  if (config.CHANNELS_FILE) await channels.applyFile(config.CHANNELS_FILE)

  return {
    app,
    sandboxMode,
    start: async () => {
      // On an embedded store this is the only process, so nobody holds any lock (RELIABILITY.md 3.1 rule 10).
      if (store.dialect === 'sqlite') await idempotency.takeOver()
      await worker.start()
    },
    drain: () => {
      closing = true
    },
    close: async () => {
      closing = true
      await worker.stop()
      await app.close()
      await engine.idle()
      await live?.close()
      if (sandbox) {
        const { client, close } = await sandbox
        await client.close()
        await close()
      }
      await store.close()
    }
  }
}
