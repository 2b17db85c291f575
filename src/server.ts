import { randomUUID } from 'node:crypto'
import { adapters } from './adapters/index.ts'
import { type Config, ConfigError, loadConfig, secretNames } from './config.ts'
import { buildContainer, type ContainerParts, type Switchboard } from './container.ts'
import { endWithGrace } from './ending.ts'
import { armFailpoint } from './failpoints.ts'
import { findPepper } from './keys/first.ts'
import { createLogOutput, standard } from './log-output.ts'
import { createLogger } from './logger.ts'

// The process: settings → parts → listen → close with grace. Nothing else reads the environment, listens or exits.

/** From the first signal to a hard exit: the whole deadline of one call and some (P25), however long that is set. */
const graceMs = (timeoutMs: number): number => Math.max(25_000, timeoutMs + 5000)

const demoChannels = [...adapters.values()].flatMap(({ provider, demo }) =>
  demo ? [{ ...demo, provider, connectionId: `${demo.id}-connection` }] : []
)

/** Ends with 1 and a sentence, whether or not somebody can read it. */
function refuse(sentence: string): never {
  try {
    standard(2).writeSync(Buffer.from(`${sentence}\n`))
  } catch {
    // Nobody reads it.
  }
  process.exit(1)
}

function readSettings(): Config {
  try {
    const config = loadConfig(process.env)
    // So that no child process and no dump of process.env holds them. /proc/<pid>/environ keeps what the process was
    // started with: only NAME_FILE avoids that (T12).
    for (const name of secretNames) delete process.env[name]
    return config
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    refuse(error.message)
  }
}

/** A first administrator, or in sandbox mode a fresh demo key and two channels: what a newcomer needs, printed once. */
async function welcome({ app, sandboxMode }: Switchboard, config: Config, address: string): Promise<string[]> {
  const lines: string[] = []
  const { keyring, channels } = app
  if (!config.ADMIN_KEY && (await keyring.isEmpty())) {
    const { secret } = await keyring.create(
      { service: 'admin', name: 'first key', mode: 'live', scopes: ['admin'] },
      null
    )
    lines.push('The first admin key, shown this once; keep it like a password:', `  ADMIN=${secret}`)
  }
  if (!sandboxMode) return lines
  const known = new Set(
    (await channels.list({ keyId: '', service: '', mode: 'test', scopes: new Set() })).map(channel => channel.id)
  )
  for (const channel of demoChannels)
    if (!known.has(channel.id)) await channels.create({ ...channel, settings: { ...channel.settings } }, null)
  await keyring.revokeService('demo')
  const { scenarios } = await import('./sandbox/index.ts')
  const { secret } = await keyring.create(
    {
      service: 'demo',
      name: 'sandbox',
      mode: 'test',
      scopes: [
        'messages:send',
        'messages:read',
        'broadcasts:read',
        'broadcasts:write',
        'media:read',
        'media:write',
        'channels:read',
        'templates:read',
        'templates:write',
        'contacts:read',
        'contacts:write',
        'channels:write',
        'connections:read',
        'connections:write',
        'inbound:read',
        'native'
      ]
    },
    null
  )
  return [
    '',
    '  SANDBOX MODE: there is no MATON_API_KEY, so nothing leaves this machine and nobody receives anything.',
    '',
    ...lines,
    'A test key for service demo, new on each start:',
    `  KEY=${secret}`,
    `API description to try it in:  ${address}/docs`,
    'A first message:',
    `  curl -sS ${address}/messages -H 'Authorization: Bearer ${secret}' -H 'Content-Type: application/json' \\`,
    `    -d '{"channel":"demo-cloud","to":"+1 415 555 1234","type":"text","text":{"body":"Hello"}}'`,
    'It is delivered and read within seconds; sent to +15550100111 it is answered, to other numbers of docs/sandbox.md',
    `it meets another fate (${scenarios.map(({ name }) => name).join(', ')}). What came in:`,
    `  curl -sS '${address}/messages?direction=inbound' -H 'Authorization: Bearer ${secret}'`,
    ''
  ]
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

async function start(): Promise<void> {
  if (process.env.NODE_ENV === 'test' && process.env.CRASH_AT) armFailpoint(process.env.CRASH_AT)
  const config = readSettings()
  const secrets = [config.MATON_API_KEY, config.ADMIN_KEY, config.KEY_PEPPER, config.DATABASE_URL].filter(
    secret => secret !== undefined
  )
  const pepper = findPepper(config.KEY_PEPPER, config.DATA_DIR)
  const output = createLogOutput(standard(1))
  // Node's own warnings go there, in one blocking write each.
  standard(2)
  const log = createLogger(config.LOG_LEVEL, [...secrets, pepper], output)
  const startSandbox: ContainerParts['startSandbox'] = async options =>
    (await import('./sandbox/index.ts')).startSandbox({ ...options, ledger: false })
  // Before anything is opened: a signal during the start must end the process too, even as process 1 of a container.
  let board: Switchboard | undefined
  endWithGrace({ graceMs: graceMs(config.UPSTREAM_TIMEOUT_MS) + config.SHUTDOWN_DELAY_MS, log, output }, async () => {
    board?.drain()
    await new Promise(resolve => setTimeout(resolve, config.SHUTDOWN_DELAY_MS))
    await board?.close()
  })
  board = await buildContainer(config, { adapters, startSandbox, log, logLost: output.lost, pepper })

  await board.start()
  const address = await board.app.listen({ host: config.HOST, port: config.PORT })
  const { webhookApp } = board
  if (webhookApp) {
    const doors = await webhookApp.listen({ host: config.HOST, port: config.WEBHOOK_PORT! })
    log.info({ address: doors }, 'listening for webhooks')
  }
  log.info(
    { instance: randomUUID(), address, sandbox: board.sandboxMode, store: config.DATABASE_URL ? 'postgres' : 'sqlite' },
    'listening'
  )
  const lines = await welcome(board, config, config.PUBLIC_URL ?? address)
  if (lines.length > 0) output.write(`${lines.join('\n')}\n`)
  output.flush()
}

if (import.meta.main) await serve()
