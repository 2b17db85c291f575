import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Mode } from '../schemas/common.ts'
import type { messageTypes } from '../schemas/content.ts'
import type { AnyAdapter } from './adapters/adapter.ts'
import { buildApp } from './app.ts'
import { createChannelHealths } from './channel-health.ts'
import { createChannels } from './channels.ts'
import type { Config } from './config.ts'
import { createConnections } from './connections.ts'
import { createBook } from './contacts/book.ts'
import { createContacts } from './contacts/contacts.ts'
import { createHistory } from './contacts/history.ts'
import { createContactTable } from './contacts/table.ts'
import { createConversations } from './conversations.ts'
import { createDefinitions } from './delivery/definitions.ts'
import { createDryRun } from './delivery/dry-run.ts'
import { createEngine } from './delivery/engine.ts'
import { createIdempotency } from './delivery/idempotency.ts'
import { createIntake } from './delivery/intake.ts'
import { createMessages } from './delivery/messages.ts'
import { createPreparation } from './delivery/prepare.ts'
import { messageQueries } from './delivery/queries.ts'
import { queueQueries } from './delivery/queue.ts'
import { createWorker } from './delivery/worker.ts'
import { createCorridor, type DispatchChannel } from './dispatch/corridor.ts'
import type { App } from './fastify.ts'
import { createKeyring } from './keys/keyring.ts'
import { createSeal } from './keys/seal.ts'
import { createMediaLibrary } from './media/library.ts'
import { createRemoteMedia } from './media/remote.ts'
import { createMetrics } from './metrics.ts'
import { createNative } from './native.ts'
import { createNumbers } from './numbers.ts'
import { createAudit } from './store/audit.ts'
import { openStore } from './store/index.ts'
import { createUpkeep } from './store/upkeep.ts'
import { createTemplates } from './templates.ts'
import type { Egress } from './upstream/egress.ts'
import { createMaton, type Maton } from './upstream/maton.ts'
import { createPassage, type Passage } from './upstream/passage.ts'
import { preview } from './upstream/preview.ts'

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

  let sandbox: Promise<{ client: Maton; passage: Passage; close: () => Promise<void> }> | undefined
  const openSandbox = async () => {
    const { url, close } = await startSandbox()
    const account = { baseUrl: url, apiKey: 'sandbox', timeoutMs }
    return { client: createMaton(account), passage: createPassage({ ...account, controlUrl: url }), close }
  }
  const theSandbox = () => {
    // A start that failed is tried again by the next call.
    sandbox ??= openSandbox().catch(error => {
      sandbox = undefined
      throw error
    })
    return sandbox
  }
  const sandboxClient = async (): Promise<Maton> => (await theSandbox()).client
  const live =
    config.MATON_API_KEY === undefined
      ? undefined
      : createMaton({ baseUrl: config.MATON_BASE_URL, apiKey: config.MATON_API_KEY, timeoutMs })
  const livePassage =
    config.MATON_API_KEY === undefined
      ? undefined
      : createPassage({
          baseUrl: config.MATON_BASE_URL,
          controlUrl: config.MATON_CONTROL_URL,
          apiKey: config.MATON_API_KEY,
          timeoutMs
        })
  const passage = async (mode: Mode): Promise<Passage> =>
    mode === 'live' && livePassage ? livePassage : (await theSandbox()).passage
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
  const connections = createConnections({ store, adapters, passage, log, metrics })
  const queries = messageQueries(store)
  const remote = createRemoteMedia({ store, corridor, bind: channels.bind })
  const book = createBook(store)
  const contacts = createContacts({ corridor, channels, book })
  const contactTable = createContactTable({ corridor, channels, book })
  const history = createHistory({ store, corridor, channels, queries, remote, typeBase })
  const library = createMediaLibrary({
    store,
    corridor,
    egress: () => (egress ??= openEgress()),
    remote,
    directory: join(config.DATA_DIR, 'spool')
  })
  const sandboxed = (channel: DispatchChannel) => channel.mode === 'test' || sandboxMode
  const whoCan = (type: (typeof messageTypes)[number]) =>
    [...adapters.values()].filter(adapter => adapter.encoders[type]).map(adapter => adapter.provider)
  const definitions = createDefinitions(corridor)
  const preparation = createPreparation({ corridor, definitions, library, store, queries, sandboxed }, whoCan)
  const providerOf = async (id: string) => (await channels.bind(id, 'live'))?.provider
  const engine = createEngine({
    store,
    queries,
    corridor,
    preparation,
    log,
    metrics,
    timeoutMs,
    typeBase,
    providerOf
  })
  const intake = createIntake({ channels, preparation })
  const worker = createWorker({
    store,
    queries,
    queue: queueQueries(store),
    channels,
    preparation,
    engine,
    log,
    typeBase
  })
  const idempotency = createIdempotency(store, createSeal(pepper))
  const messages = createMessages({
    store,
    queries,
    intake,
    carry: worker.carry,
    preparation,
    engine,
    idempotency,
    log,
    wake: worker.wake
  })

  const upkeep = createUpkeep(store, log)

  let closing = false
  const notReady = async (): Promise<string | null> => {
    if (closing) return 'closing'
    return store.probe().then(
      () => null,
      () => 'the store is not writable'
    )
  }
  const app = await buildApp(
    {
      keyring,
      channels,
      channelHealth: createChannelHealths({ store, channels, connections }),
      connections,
      native: createNative({ store, adapters, channels, passage, log, metrics }),
      dryRun: createDryRun({
        intake,
        preparation,
        preview: (channel, request) => preview(adapters.get(channel.provider)!.app, request)
      }),
      messages,
      conversations: createConversations({ store, queries, channels, corridor }),
      templates: createTemplates({ channels, corridor, definitions }),
      numbers: createNumbers({ channels, corridor }),
      media: library,
      contacts,
      history,
      contactTable,
      idempotency,
      audit: createAudit(store),
      metrics,
      notReady
    },
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
      upkeep.start()
    },
    drain: () => {
      closing = true
    },
    close: async () => {
      closing = true
      // Together: one after the other could take two whole deadlines, and take requests in the meantime.
      await Promise.all([worker.stop(), upkeep.stop(), app.close()])
      await engine.idle()
      await live?.close()
      await livePassage?.close()
      if (sandbox) {
        const { client, passage: aside, close } = await sandbox
        await client.close()
        await aside.close()
        await close()
      }
      await store.close()
    }
  }
}
