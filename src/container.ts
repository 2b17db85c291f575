import { join } from 'node:path'
import type { Logger } from 'pino'
import type { messageTypes } from '../schemas/content.ts'
import type { AnyAdapter } from './adapters/adapter.ts'
import { buildApp, buildWebhookApp } from './app.ts'
import { createBroadcastRoom } from './broadcasts/index.ts'
import { createChannels } from './channels/channels.ts'
import { createConnections } from './channels/connections.ts'
import { createChannelHealths } from './channels/health.ts'
import { createNumbers } from './channels/numbers.ts'
import { createOptionsCheck } from './channels/provider-options.ts'
import type { Config } from './config.ts'
import { createBook } from './contacts/book.ts'
import { createContacts } from './contacts/contacts.ts'
import { createConversations } from './contacts/conversations.ts'
import { createHistory } from './contacts/history.ts'
import { createContactTable } from './contacts/table.ts'
import { createDelivery } from './delivery/index.ts'
import { createIntake } from './delivery/intake/accept.ts'
import { createRoom } from './delivery/intake/backlog-limit.ts'
import { createDryRun } from './delivery/intake/dry-run.ts'
import { createPreparation } from './delivery/intake/prepare.ts'
import { createPacing } from './delivery/scheduling/index.ts'
import { createOutlook } from './delivery/scheduling/wait-estimate.ts'
import { leaseOf } from './delivery/sending/attempt.ts'
import { createDeliverChunk } from './delivery/sending/attempt-many.ts'
import { createOutcomes } from './delivery/sending/outcome.ts'
import { createUnknownRoom } from './delivery/unknown/index.ts'
import { createNative } from './dispatch/native.ts'
import { createCorridor, type DispatchChannel } from './dispatch/provider-client.ts'
import type { App, AppParts } from './http/fastify.ts'
import { createInbound } from './inbound/index.ts'
import { createSandboxDoors } from './inbound/sandbox-doors.ts'
import { createKeyring } from './keys/keyring.ts'
import { createSeal } from './keys/seal.ts'
import { createMediaLibrary } from './media/library.ts'
import { createRemoteMedia } from './media/remote.ts'
import { createSettlements } from './messages/notifications.ts'
import { messageQueries } from './messages/queries.ts'
import { queueQueries } from './messages/queue.ts'
import { createHold } from './messages/restore-hold.ts'
import { createMetrics } from './metrics.ts'
import { createReadiness } from './readiness.ts'
import { createAudit } from './store/audit.ts'
import { openStore } from './store/index.ts'
import { createUpkeep } from './store/upkeep.ts'
import { createDefinitions } from './templates/definitions.ts'
import { createTemplates } from './templates/templates.ts'
import type { Egress } from './upstream/egress.ts'
import { preview } from './upstream/preview.ts'
import { createUpstreams } from './upstream/upstreams.ts'

export interface Composition {
  adapters: ReadonlyMap<string, AnyAdapter>
  /** Starts the stand-in for Maton and the providers; called only when test traffic needs it, or there is no account. */
  startSandbox: (options: {
    /** where the stand-in tells its webhooks */
    defaultHook: ReturnType<typeof createSandboxDoors>
  }) => Promise<{ url: string; close: () => Promise<void> }>
  log: Logger
  pepper: string
}

export interface Switchboard {
  app: App
  /** The listener that only providers call, where WEBHOOK_PORT is set. */
  webhookApp?: App
  /** No account: everything goes to the sandbox. */
  sandboxMode: boolean
  /** Settles what an earlier process left and begins to deliver what waits. */
  start: () => Promise<void>
  /** Readiness off, from now on. */
  drain: () => void
  /** Finishes what is in flight and closes everything, the app first. */
  close: () => Promise<void>
}

/** Messages on their way at a time, so that a provider that goes silent makes no more unknown than that (RELIABILITY.md P4). */
const mostInHand = 20

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
  const upstreams = createUpstreams(config, () => startSandbox({ defaultHook: account => sandboxDoors(account) }))
  let egress: Promise<Egress> | undefined
  const openEgress = async (): Promise<Egress> =>
    (await import('./upstream/egress.ts')).createEgress({ allow: config.EGRESS_ALLOW })

  const channels = createChannels({ store, adapters, seal: createSeal(pepper) })
  const queries = messageQueries(store)
  const queue = queueQueries(store)
  const settlements = createSettlements()
  const checkOptions = createOptionsCheck(adapters)
  const batched = (provider: string): boolean => adapters.get(provider)?.batch !== undefined
  store.words?.hear(settlements.tell)
  const pacing = createPacing({
    store,
    queue,
    log,
    adapters,
    channels,
    ratePerSecond: config.MATON_RATE_PER_SECOND,
    timeoutMs,
    leaseMs: leaseOf(timeoutMs),
    ask: (channel, probe) =>
      corridor.call(probe.operation, channel, probe.input as never, {
        probe: true,
        timeoutMs: Math.min(timeoutMs, 4000)
      }),
    room: () => mostInHand - worker.inHand() - engine.sending(),
    deliver: (rows, permit) => worker.take(rows, permit)
  })
  const { pace, turns, breaker, gate } = pacing
  const outlook = createOutlook({ store, pace, turns })
  const corridor = createCorridor({
    adapters,
    gate,
    log,
    metrics,
    upstream: upstreams.client
  })
  const keyring = createKeyring({ store, pepper, ...(config.ADMIN_KEY && { adminKey: config.ADMIN_KEY }) })
  const connections = createConnections({ store, adapters, passage: upstreams.passage, gate, log, metrics })
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
  const room = createRoom(store, config.QUEUE_LIMIT)
  const { engine, worker, intake, idempotency, messages } = createDelivery({
    ...{
      store,
      queries,
      queue,
      channels,
      corridor,
      preparation,
      pacing,
      settlements,
      room,
      batched,
      checkOptions,
      log,
      metrics
    },
    ...{ timeoutMs, typeBase, seal: createSeal(pepper), unseen: config.RETENTION_DAYS === 0 },
    batch: engine =>
      createDeliverChunk({
        ...{ store, queries, engine, gate, corridor, preparation, settlements, metrics, log },
        outcomes: createOutcomes(store, queries, typeBase)
      })
  })
  const { broadcasts, watch } = createBroadcastRoom({
    store,
    channels,
    preparation,
    room,
    directory: join(config.DATA_DIR, 'spool'),
    log,
    wake: turns.wake
  })
  const { unknowns, overdue } = createUnknownRoom({
    ...{ store, queries, corridor, channels, definitions, preparation, intake, messages, settlements, room, log },
    typeBase,
    wake: mode => turns.wake(mode, Date.now()),
    sleepers: { leaseMs: engine.leaseMs, timeoutMs }
  })
  const upkeep = createUpkeep(store, log, config.RETENTION_DAYS)

  /** Our own address, for whoever is on this machine; undefined before we listen. */
  const ownAddress = (): string | undefined => {
    const bound = app.server.address()
    return typeof bound === 'object' && bound ? `http://127.0.0.1:${bound.port}` : undefined
  }
  const inbound = createInbound({
    ...{ store, adapters, channels, corridor, pepper, metrics, log, typeBase },
    keepFile: remote.keep,
    tell: settlements.tell,
    wakeQueue: mode => turns.wake(mode, Date.now()),
    baseUrl: () => config.PUBLIC_URL ?? (sandboxMode ? ownAddress() : undefined),
    mode: sandboxMode ? 'test' : 'live'
  })
  const sandboxDoors = createSandboxDoors(adapters, channels, inbound.door, ownAddress)
  const hold = createHold({ store, log, typeBase })

  const readiness = createReadiness(store, [inbound.watch.degraded])
  /** What stood in the way may be gone. */
  const wakeAll = (): void => {
    for (const mode of ['live', 'test'] as const) turns.wake(mode, Date.now())
  }
  const parts: AppParts = {
    keyring,
    channels: {
      ...channels,
      pause: async (...switched) => {
        const channel = await channels.pause(...switched)
        wakeAll()
        return channel
      }
    },
    channelHealth: createChannelHealths({
      store,
      channels,
      connections,
      breaker,
      outlook,
      ratePerSecond: config.MATON_RATE_PER_SECOND
    }),
    connections,
    native: createNative({ store, adapters, channels, passage: upstreams.passage, gate, log, metrics }),
    dryRun: createDryRun({
      intake: createIntake({ channels, preparation, checkOptions }),
      preparation,
      outlook,
      preview: (channel, request) => preview(adapters.get(channel.provider)!.app, request)
    }),
    messages,
    unknowns,
    broadcasts,
    conversations: createConversations({ store, queries, channels, corridor }),
    templates: createTemplates({ channels, corridor, definitions }),
    numbers: createNumbers({ channels, corridor }),
    media: library,
    contacts,
    history,
    contactTable,
    idempotency,
    audit: createAudit(store),
    hold,
    door: inbound.door,
    replayWebhooks: inbound.replay,
    webhookRegistrations: inbound.registrations,
    metrics,
    notReady: readiness.notReady,
    degraded: readiness.degraded
  }
  const options = {
    ...{ publicUrl: config.PUBLIC_URL, trustProxy: config.TRUST_PROXY, docs: config.DOCS, log },
    providers: [...adapters.keys()]
  }
  const app = await buildApp(parts, options)
  const webhookApp = config.WEBHOOK_PORT === undefined ? undefined : await buildWebhookApp(parts, options)
  if (config.CHANNELS_FILE) await channels.applyFile(config.CHANNELS_FILE)
  return {
    app,
    ...(webhookApp && { webhookApp }),
    sandboxMode,
    start: async () => {
      // On an embedded store this is the only process, so nobody holds any lock (RELIABILITY.md 3.1 rule 10).
      if (store.dialect === 'sqlite') await idempotency.takeOver()
      await hold.begin(config.AFTER_RESTORE)
      await worker.start()
      await watch.start()
      upkeep.start()
      overdue.start()
      inbound.start()
    },
    drain: readiness.close,
    close: async () => {
      readiness.close()
      settlements.close()
      // Together: one after the other could take two whole deadlines, and take requests in the meantime.
      const rooms = [worker, watch, upkeep, overdue, inbound].map(room => room.stop())
      await Promise.all([...rooms, app.close(), webhookApp?.close()])
      await engine.idle()
      await upstreams.close()
      await store.close()
    }
  }
}
