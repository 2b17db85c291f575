import { accessSync, constants, mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AnyAdapter } from '../adapters/adapter.ts'
import { readChannelsFile } from '../channels/file.ts'
import { createSettingsCheck } from '../channels/settings.ts'
import type { Config } from '../config.ts'
import { createSeal } from '../keys/seal.ts'

// What else can be wrong with the settings, beside their form: found before anything is opened, so that all faults are
// told at once (docs/api.md 14).

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown error'

/** Sandbox mode where somebody has set up for real traffic has to be meant. */
function modeFaults({ MATON_API_KEY, SANDBOX, CHANNELS_FILE, DATABASE_URL }: Config): string[] {
  if (MATON_API_KEY !== undefined || SANDBOX) return []
  const set = [CHANNELS_FILE !== undefined && 'CHANNELS_FILE', DATABASE_URL !== undefined && 'DATABASE_URL'].filter(
    Boolean
  )
  if (set.length === 0) return []
  return [
    `MATON_API_KEY is missing, and there is ${set.join(' and ')}: set it, or SANDBOX=1 if sandbox mode is meant (nothing is sent then)`
  ]
}

/** What is wrong with the channels file, of its form and of its channels' settings. */
async function fileFaults({ CHANNELS_FILE }: Config, adapters: ReadonlyMap<string, AnyAdapter>): Promise<string[]> {
  if (CHANNELS_FILE === undefined) return []
  // Nothing is sealed here.
  const { faults } = await readChannelsFile(CHANNELS_FILE, createSettingsCheck(adapters, createSeal('')))
  return faults.map(fault => `CHANNELS_FILE ${fault}`)
}

/** Whether files can be kept where DATA_DIR says. */
function directoryFaults({ DATA_DIR }: Config): string[] {
  try {
    mkdirSync(DATA_DIR, { recursive: true, mode: 0o700 })
    accessSync(DATA_DIR, constants.R_OK | constants.W_OK | constants.X_OK)
    return []
  } catch (error) {
    const what = codeOf(error)
    return [`DATA_DIR cannot be written to (${what}): it must be a folder that the user of this process may write to`]
  }
}

/** Whether a port can be listened on; the listener is gone again when it resolves. */
const tryPort = (host: string, port: number): Promise<string | undefined> =>
  new Promise(resolve => {
    const probe = createServer()
    probe.once('error', error => resolve(codeOf(error)))
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(undefined)))
  })

const addressCodes = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL', 'EAFNOSUPPORT'])

/** Whether this machine has the address, and may listen on the ports. */
async function listenFaults({ HOST, PORT, WEBHOOK_PORT, METRICS_PORT }: Config): Promise<string[]> {
  const faults: string[] = []
  for (const [name, port] of [
    ['PORT', PORT],
    ['WEBHOOK_PORT', WEBHOOK_PORT],
    ['METRICS_PORT', METRICS_PORT]
  ] as const) {
    if (port === undefined) continue
    const code = await tryPort(HOST, port)
    if (code === undefined) continue
    if (addressCodes.has(code)) return [...faults, `HOST is no address that this machine can listen on (${code})`]
    faults.push(
      code === 'EADDRINUSE'
        ? `${name} is taken by another process (EADDRINUSE): set it to a free one`
        : `${name} cannot be listened on (${code})`
    )
  }
  return faults
}

/** Every fault that can be found before anything is opened, each by the name of its setting. */
export async function startFaults(config: Config, adapters: ReadonlyMap<string, AnyAdapter>): Promise<string[]> {
  const files = await fileFaults(config, adapters)
  return [...modeFaults(config), ...files, ...directoryFaults(config), ...(await listenFaults(config))]
}
