import { join } from 'node:path'
import type { Logger } from 'pino'
import type { messageTypes } from '../schemas/content.ts'
import type { AnyAdapter } from './adapters/adapter.ts'
import { assembleBroadcasts } from './broadcasts/index.ts'
import { createChannels } from './channels/channels.ts'
import { createConnections } from './channels/connections.ts'
import { createChannelHealths } from './channels/health.ts'
import { createNumbers } from './channels/numbers.ts'
import { createOptionsCheck } from './channels/provider-options.ts'
import type { Config } from './config.ts'
import { assembleContacts } from './contacts/index.ts'
import { createDelivery } from './delivery/index.ts'
import { createAccept } from './delivery/intake/accept.ts'
import { createBacklogLimit } from './delivery/intake/backlog-limit.ts'
import { createDryRun } from './delivery/intake/dry-run.ts'
import { createPreparation } from './delivery/intake/prepare.ts'
import { createScheduling } from './delivery/scheduling/index.ts'
import { createWaitEstimate } from './delivery/scheduling/wait-estimate.ts'
import { leaseOf } from './delivery/sending/attempt.ts'
import { assembleUnknown } from './delivery/unknown/index.ts'
import { createNative } from './dispatch/native.ts'
import { createProviderClient, type DispatchChannel } from './dispatch/provider-client.ts'
import { createEvents } from './events/index.ts'
import { takeInConnected } from './http/connections.ts'
import type { SandboxRecipients } from './http/docs.ts'
import type { AppParts } from './http/fastify.ts'
import { assembleIdentities } from './identities/index.ts'
import { createInbound } from './inbound/index.ts'
import { createSandboxDoors } from './inbound/sandbox-doors.ts'
import { createTemplateHandler } from './inbound/templates.ts'
import { createKeyring } from './keys/keyring.ts'
import { createSeal } from './keys/seal.ts'
import { createLimiter } from './limits/limiter.ts'
import { buildListeners } from './listeners.ts'
import { createMediaLibrary } from './media/library.ts'
import { createRemoteMedia } from './media/remote.ts'
import { createNotifications } from './messages/notifications.ts'
import { messageQueries } from './messages/queries.ts'
import { queueQueries } from './messages/queue.ts'
import { createRestoreHold } from './messages/restore-hold.ts'
import { createHeardWindow } from './messages/window.ts'
import { createMetrics } from './metrics.ts'
import { addFigures, observedCommits } from './monitoring/index.ts'
import { createScraperCheck } from './monitoring/scraper.ts'
import { createOverviews } from './overview/index.ts'
import { createQuietHours } from './quiet-hours/index.ts'
import { createReadiness } from './readiness.ts'
import { followChannelsFile } from './start/channels-file.ts'
import { createConnectionWatch } from './start/connections.ts'
import { demoChannelsOf } from './start/demo.ts'
import { createReload } from './start/reload.ts'
import { openOwnStore } from './start/store.ts'
import type { Switchboard } from './start/switchboard.ts'
import { createAudit } from './store/audit.ts'
import { aroundWrites } from './store/store.ts'
import { createUpkeep } from './store/upkeep.ts'
import { createSubscriptionRoom } from './subscriptions/index.ts'
import { assembleSuppressions } from './suppressions/index.ts'
import { createDefinitions } from './templates/definitions.ts'
import { createTemplatePoll } from './templates/poll.ts'
import { createTemplates } from './templates/templates.ts'
import { tracedClient, tracedCommits, tracedTelling, tracedUpstream } from './tracing/index.ts'
import type { Tracing } from './tracing/tracing.ts'
import { preview } from './upstream/preview.ts'
import { createUpstreams, openEgressOnce } from './upstream/upstreams.ts'
import { assembleUsage } from './usage/index.ts'

export type { Switchboard }

export interface ContainerParts {
  adapters: ReadonlyMap<string, AnyAdapter>
  /** Starts the stand-in for Maton and the providers; called only when test traffic needs it, or there is no account. */
  startSandbox: (options: {
    /** where the stand-in tells its webhooks */
    defaultHook: ReturnType<typeof createSandboxDoors>
  }) => Promise<{ url: string; close: () => Promise<void> }>
  /** The numbers that always meet one fate there, for the page that lists them. */
  sandboxRecipients?: SandboxRecipients
  log: Logger
  /** Lines of the log that could not be written, since the start. */
  logLost?: () => number
  /** Where somebody set a collector. */
  tracing?: Tracing | undefined
  pepper: string
}

/** Messages on their way at a time, so that a provider that goes silent makes no more unknown than that (docs/reliability.md P4). */
const mostInHand = 20

/** Puts the parts together. Opens the store, but no port. */
export async function buildContainer(
  config: Config,
  { adapters, startSandbox, sandboxRecipients, log, logLost, tracing, pepper }: ContainerParts
): Promise<Switchboard> {
  const sandboxMode = config.MATON_API_KEY === undefined
  const typeBase = config.PUBLIC_URL ?? ''
  const timeoutMs = config.UPSTREAM_TIMEOUT_MS
  const metrics = createMetrics(logLost, tracing?.lost)
  const around = [observedCommits(metrics.committed), ...(tracing ? [tracedCommits(tracing)] : [])]
  const store = around.reduce(aroundWrites, await openOwnStore(config, { pepper, adapters, log }))
  const events = createEvents({ store, log })
  const standIn = () => startSandbox({ defaultHook: account => sandboxDoors(account) })
  const upstreams = createUpstreams(config, standIn, tracedUpstream(tracing))
  const proxies = { https: config.HTTPS_PROXY, http: config.HTTP_PROXY, no: config.NO_PROXY }
  const egressRules = { allow: config.EGRESS_ALLOW, proxies }
  const channels = createChannels({ store, adapters, seal: createSeal(pepper) })
  const queries = messageQueries(store)
  const queue = queueQueries(store)
  const { suppressed, ...suppression } = assembleSuppressions({ store, channels, pepper })
  const quietHours = createQuietHours(log)
  const notifications = createNotifications()
  const checkOptions = createOptionsCheck(adapters)
  const batched = (provider: string): boolean => adapters.get(provider)?.batch !== undefined
  store.notifications?.subscribe(notifications.publish)
  const scheduling = createScheduling({
    ...{ store, queue, log, adapters, channels, timeoutMs },
    ratePerSecond: config.MATON_RATE_PER_SECOND,
    leaseMs: leaseOf(timeoutMs),
    opensAt: quietHours.dueAt
  })
  const { rateLimiter, scheduler, breaker, admission } = scheduling
  const waitEstimate = createWaitEstimate({ store, rateLimiter, scheduler, limitsOf: scheduling.limitsOf })
  const providerClient = tracedClient(
    createProviderClient({ ...{ adapters, admission, log, metrics, sandboxMode }, upstream: upstreams.client }),
    tracing
  )
  const keyring = createKeyring({ store, pepper, ...(config.ADMIN_KEY && { adminKey: config.ADMIN_KEY }) })
  const limiter = createLimiter({ store, log })
  const connections = createConnections({
    ...{ store, adapters, admission, log, metrics },
    passthrough: upstreams.passthrough
  })
  const demo = demoChannelsOf(adapters.values())
  const connectionWatch = createConnectionWatch({ channels, connections, store, log, demo })
  const sandboxed = (channel: DispatchChannel) => channel.mode === 'test' || sandboxMode
  const spooling = { egress: openEgressOnce(egressRules), directory: join(config.DATA_DIR, 'spool') }
  const remote = createRemoteMedia({ store, providerClient, bind: channels.bind, sandboxed, ...spooling })
  const library = createMediaLibrary({ store, providerClient, remote, ...spooling })
  const whoCan = (type: (typeof messageTypes)[number]) =>
    [...adapters.values()].filter(adapter => adapter.encoders[type]).map(adapter => adapter.provider)
  const definitions = createDefinitions(providerClient, change => log.info(change, 'a template has changed'))
  const templatePoll = createTemplatePoll(definitions, adapters, log)
  const preparation = createPreparation({ providerClient, definitions, library, store, queries, sandboxed }, whoCan)
  const backlogLimit = createBacklogLimit(store, config.QUEUE_LIMIT)
  const shared = { store, queries, suppressed, channels, providerClient, preparation, notifications, backlogLimit, log }
  const { executor, worker, accept, idempotency, messages } = createDelivery({
    ...{ ...shared, queue, scheduling, batched, checkOptions, metrics },
    ...{ timeoutMs, typeBase, seal: createSeal(pepper), unseen: config.RETENTION_DAYS === 0 },
    most: mode => (mode === 'live' && sandboxMode ? 0 : mostInHand)
  })
  const { broadcasts, lifecycle } = assembleBroadcasts({
    ...{ ...shared, limiter },
    ...{ typeBase, quietHours, directory: join(config.DATA_DIR, 'spool') },
    wake: scheduler.wake
  })
  const { unknowns, finaliser } = assembleUnknown({
    ...{ ...shared, definitions, accept, messages, typeBase },
    wake: mode => scheduler.wake(mode, Date.now()),
    sleepers: { leaseMs: executor.leaseMs, timeoutMs }
  })
  const usage = assembleUsage(store, config, log)
  const upkeep = createUpkeep(store, log, config.RETENTION_DAYS, config.KEEP_ROWS_DAYS, events.undelivered)

  /** Our own address, for whoever is on this machine; undefined before we listen. */
  const ownAddress = (): string | undefined => {
    const bound = app.server.address()
    return typeof bound === 'object' && bound ? `http://127.0.0.1:${bound.port}` : undefined
  }
  const inbound = createInbound({
    ...{ store, adapters, channels, providerClient, pepper, metrics, log, typeBase },
    keepFile: remote.keep,
    ...suppression.ofInbound,
    handlers: { ...createTemplateHandler(store, definitions.forget), ...suppression.ofInbound.handlers },
    tell: tracedTelling(notifications.publish, tracing, async id => (await store.read(queries.byId({ id })))[0]),
    wakeQueue: mode => scheduler.wake(mode, Date.now()),
    baseUrl: () => config.PUBLIC_URL ?? (sandboxMode ? ownAddress() : undefined),
    mode: sandboxMode ? 'test' : 'live'
  })
  const sandboxDoors = createSandboxDoors(adapters, channels, inbound.door, ownAddress)
  const { egress } = spooling
  const subscribers = createSubscriptionRoom({ store, events, metrics, log, channels, pepper, config, egress })
  const hold = createRestoreHold({ store, log, typeBase })

  const reload = createReload(log)
  const readiness = createReadiness(store, [
    reload.degraded,
    channels.degraded,
    connectionWatch.degraded,
    inbound.watch.degraded
  ])
  /** What stood in the way may be gone. */
  const wakeAll = (): void => {
    for (const mode of ['live', 'test'] as const) scheduler.wake(mode, Date.now())
  }
  const parts: AppParts = {
    ...{ keyring, limiter },
    ...assembleIdentities({
      ...{ store, keyring, pepper, log },
      egress: egressRules
    }),
    channels: {
      ...channels,
      pause: async (...switched) => {
        const channel = await channels.pause(...switched)
        wakeAll()
        return channel
      }
    },
    channelHealth: createChannelHealths({
      ...{ store, channels, connections, breaker, waitEstimate },
      ratePerSecond: config.MATON_RATE_PER_SECOND
    }),
    connections,
    native: createNative({ ...shared, adapters, admission, metrics, passthrough: upstreams.passthrough }),
    dryRun: createDryRun({
      accept: createAccept({ channels, preparation, checkOptions, clock: store.clock }),
      clock: store.clock,
      preparation,
      waitEstimate,
      ...{ suppressed, heardWindow: createHeardWindow(store) },
      preview: (channel, request) => preview(adapters.get(channel.provider)!.app, request)
    }),
    messages,
    unknowns,
    broadcasts,
    templates: createTemplates({ channels, providerClient, definitions }),
    numbers: createNumbers({ channels, providerClient, store }),
    media: library,
    ...assembleContacts({
      ...{ ...shared, remote, typeBase },
      keepSuppressed: suppression.entries.forget
    }),
    ...suppression.ofRoutes,
    idempotency,
    ...{ usage, audit: createAudit(store) },
    hold,
    events: events.reads,
    ...subscribers.acts,
    overviews: createOverviews({ store, channels, rateLimiter, readiness, sandboxMode, config }),
    door: inbound.door,
    replayWebhooks: inbound.replay,
    webhookRegistrations: inbound.registrations,
    metrics,
    tracing,
    requireScraper: createScraperCheck(config.METRICS_TOKEN),
    notReady: readiness.notReady,
    degraded: readiness.degraded,
    serverMode: sandboxMode ? 'sandbox' : 'live'
  }
  addFigures({ store, metrics, channels, mode: sandboxMode ? 'test' : 'live', accountLimit: rateLimiter.account })
  const listeners = await buildListeners(parts, config, {
    ...{ log, sandboxMode, providers: [...adapters.keys()] },
    ...(config.CONSOLE && { console: { store, pepper } }),
    ...(sandboxRecipients && { sandboxRecipients })
  })
  const { app } = listeners
  const atEnd: (() => Promise<void>)[] = []
  if (config.CHANNELS_FILE)
    await followChannelsFile(config.CHANNELS_FILE, { channels, log, reload }, [wakeAll, inbound.reader.wake])
  return {
    ...listeners,
    sandboxMode,
    alone: store.dialect === 'sqlite',
    clock: store.clock,
    atEnd: work => void atEnd.push(work),
    connectionWatch,
    reload,
    replaceMatonKey: upstreams.replaceKey,
    start: async () => {
      // On an embedded store this is the only process, so nobody holds any lock (docs/reliability.md 3.1 rule 10).
      if (store.dialect === 'sqlite') await idempotency.takeOver()
      await hold.begin(config.AFTER_RESTORE)
      await worker.start()
      await lifecycle.start()
      for (const room of [upkeep, finaliser, templatePoll, inbound, events, subscribers, limiter, usage]) room.start()
    },
    drain: readiness.close,
    close: async () => {
      readiness.close()
      const { webhookApp, metricsApp } = listeners
      const apps = [app, webhookApp, metricsApp].filter(each => each !== undefined)
      notifications.close()
      // Together: one after the other could take two whole deadlines, and take requests in the meantime.
      const reading = [templatePoll, inbound, events, connectionWatch]
      const rooms = [worker, lifecycle, upkeep, usage, finaliser, subscribers, ...reading].map(room => room.stop())
      const servers = apps.map(({ server }) => server)
      await Promise.all([...rooms, takeInConnected(servers).then(() => Promise.all(apps.map(each => each.close())))])
      await executor.idle()
      await limiter.stop()
      // What fails here must not keep the store from being closed: it ends by itself some day.
      for (const work of atEnd)
        await work().catch(error => log.warn({ err: error }, 'the end of the process was not clean'))
      await upstreams.close()
      await store.close()
    }
  }
}
