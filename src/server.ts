import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { adapters } from './adapters/index.ts'
import { type Config, ConfigError, readConfig, readMatonKey, secretNames } from './config.ts'
import { buildContainer, type ContainerParts, type Switchboard } from './container.ts'
import { endWithGrace } from './ending.ts'
import { armFailpoint } from './failpoints.ts'
import { createLogOutput, standard } from './log-output.ts'
import { createLogger, loadPretty } from './logger.ts'
import { startFaults } from './start/faults.ts'
import { findPepper } from './start/pepper.ts'
import { giveBackMemory } from './start/spare-memory.ts'
import { welcome } from './start/welcome.ts'
import type { Tracing } from './tracing/tracing.ts'
import { version } from './version.ts'

// The process: settings → parts → listen → close with grace. Nothing else reads the environment, listens or exits.

/** From the first signal to a hard exit: the whole deadline of one call and some (P25), however long that is set. */
const graceMs = (timeoutMs: number): number => Math.max(25_000, timeoutMs + 5000)

/** Ends with 1 and a sentence, whether or not somebody can read it. */
function refuse(sentence: string): never {
  try {
    standard(2).writeSync(Buffer.from(`${sentence}\n`))
  } catch {
    // Nobody reads it.
  }
  process.exit(1)
}

async function readSettings(): Promise<Config> {
  const { config, faults } = readConfig(process.env)
  // So that no child process and no dump of process.env holds them. /proc/<pid>/environ keeps what the process was
  // started with: only NAME_FILE avoids that (T12).
  for (const name of secretNames) delete process.env[name]
  const all = [...faults, ...(await startFaults(config, adapters))]
  if (all.length > 0) refuse(new ConfigError(all).message)
  return config
}

/** SIGHUP reads files again, and SIGUSR1 does nothing: by itself Node opens its debugger to whoever is on this machine. */
function onSignals(log: Logger, board: () => Switchboard | undefined): void {
  process.on('SIGUSR1', () => log.warn('SIGUSR1 does nothing here'))
  process.on('SIGHUP', async () => {
    const there = board()
    await there?.reload.run()
    if (there && !there.sandboxMode)
      await there.connectionWatch
        .run()
        .catch(error => log.error({ err: error }, 'the connections could not be looked at'))
  })
}

/** Runs the process: resolves when it listens; whatever keeps it from that ends it with 1 and a sentence. */
export async function serve(): Promise<void> {
  try {
    await start()
  } catch (error) {
    const taken =
      (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? ' (set PORT, or WEBHOOK_PORT, to a free one)' : ''
    refuse(`Switchboard cannot start: ${error instanceof Error ? error.message : 'unknown error'}${taken}`)
  }
}

/** Opens the ports; answers with the addresses. */
async function listen({ app, webhookApp, metricsApp }: Switchboard, config: Config) {
  const host = config.HOST
  return {
    address: await app.listen({ host, port: config.PORT }),
    ...(webhookApp && { webhooks: await webhookApp.listen({ host, port: config.WEBHOOK_PORT! }) }),
    ...(metricsApp && { metrics: await metricsApp.listen({ host, port: config.METRICS_PORT! }) })
  }
}

/** Channels that the first line names; whoever has more knows them. */
const mostNamed = 20

/** What whoever reads the log has to know of the process that wrote it. */
async function selfPortrait(board: Switchboard, { DATABASE_URL, PUBLIC_URL }: Config) {
  const channels = await board.app.channels.ids()
  return {
    ...{ instance: randomUUID(), version, node: process.version },
    mode: board.sandboxMode ? 'sandbox' : 'live',
    store: DATABASE_URL ? 'postgres' : 'sqlite',
    channels: channels.slice(0, mostNamed),
    ...(channels.length > mostNamed && { moreChannels: channels.length - mostNamed }),
    ...(PUBLIC_URL && { publicUrl: PUBLIC_URL })
  }
}

/** The SDK is loaded for who has a collector, and for nobody else. */
async function openTracing(config: Config): Promise<Tracing | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: headers = {} } = config
  if (endpoint === undefined) return undefined
  const { createOtlpTracing } = await import('./tracing/otlp.ts')
  return createOtlpTracing({ endpoint, headers, serviceName: config.OTEL_SERVICE_NAME })
}

async function start(): Promise<void> {
  if (process.env.NODE_ENV === 'test' && process.env.CRASH_AT) armFailpoint(process.env.CRASH_AT)
  // What this process makes is nobody else's to read, whatever it was started with.
  process.umask(0o077)
  const config = await readSettings()
  const pepper = findPepper(config.KEY_PEPPER, config.DATA_DIR)
  const { MATON_API_KEY, ADMIN_KEY, DATABASE_URL, METRICS_TOKEN, OTEL_EXPORTER_OTLP_HEADERS } = config
  const secrets = [
    MATON_API_KEY,
    ADMIN_KEY,
    pepper,
    DATABASE_URL,
    METRICS_TOKEN,
    ...Object.values(OTEL_EXPORTER_OTLP_HEADERS ?? {})
  ].filter(secret => secret !== undefined)
  const output = createLogOutput(standard(1))
  // Node's own warnings go there, in one blocking write each.
  standard(2)
  const log = createLogger(config.LOG_LEVEL, secrets, output, config.LOG_PRETTY ? await loadPretty() : undefined)
  const startSandbox: ContainerParts['startSandbox'] = async options =>
    (await import('./sandbox/index.ts')).startSandbox({ ...options, ledger: false })
  const sandboxRecipients = async () => (await import('./sandbox/index.ts')).recipients
  const tracing = await openTracing(config)
  // Before anything is opened: a signal during the start must end the process too, even as process 1 of a container.
  let board: Switchboard | undefined
  endWithGrace({ graceMs: graceMs(config.UPSTREAM_TIMEOUT_MS) + config.SHUTDOWN_DELAY_MS, log, output }, async () => {
    board?.drain()
    await new Promise(resolve => setTimeout(resolve, config.SHUTDOWN_DELAY_MS))
    await board?.close()
  })
  onSignals(log, () => board)
  board = await buildContainer(config, {
    adapters,
    startSandbox,
    sandboxRecipients,
    log,
    logLost: output.lost,
    tracing,
    pepper
  })
  if (tracing) board.atEnd(tracing.close)
  const { reload, replaceMatonKey } = board
  const keyFile = process.env.MATON_API_KEY_FILE
  if (keyFile)
    reload.add({
      what: 'the Maton key',
      read: async () => {
        const key = readMatonKey(keyFile)
        // Before it is used: no line may show it.
        if (!secrets.includes(key)) secrets.push(key)
        await replaceMatonKey(key)
      }
    })

  await board.start()
  const addresses = await listen(board, config)
  const fates = async () => (await sandboxRecipients()).afterwards.map(({ name }) => name)
  const lines = await welcome(board, config, { adapters, fates, address: config.PUBLIC_URL ?? addresses.address })
  log.info({ ...addresses, ...(await selfPortrait(board, config)) }, 'listening')
  if (lines.length > 0) output.write(`${lines.join('\n')}\n`)
  output.flush()
  if (!board.sandboxMode) board.connectionWatch.start()
  giveBackMemory(board.app.server)
}

if (import.meta.main) await serve()
