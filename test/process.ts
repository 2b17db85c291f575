import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { adminKey, matonKey } from './helper.ts'

/** The path of a file of the repository. */
export const file = (path: string): string => new URL(`../${path}`, import.meta.url).pathname

/** The server as a process of its own. */
export interface Served {
  url: string
  child: ChildProcess
  /** All that it has printed. */
  output: () => string
  /** Resolves to its exit code when it has ended. */
  ended: Promise<number | null>
}

/**
 * Starts src/server.ts, with the channels file of a folder; resolves when it listens.
 * @param directory where channels.json is; DATA_DIR too, unless `env` has another
 * @param before what the shell does first: its limits are the server's
 * @throws when it ends before it listens, with what it printed
 */
export async function serve(
  directory: string,
  matonUrl: string,
  env: Record<string, string> = {},
  before = ':'
): Promise<Served> {
  const child = spawn('sh', ['-c', `${before}; exec "$0" "$1"`, process.execPath, file('src/server.ts')], {
    env: {
      PATH: process.env.PATH,
      ...(!env.MATON_API_KEY_FILE && { MATON_API_KEY: matonKey }),
      MATON_BASE_URL: matonUrl,
      MATON_RATE_PER_SECOND: '0',
      ADMIN_KEY: adminKey,
      DATA_DIR: directory,
      PORT: '0',
      CHANNELS_FILE: join(directory, 'channels.json'),
      UPSTREAM_TIMEOUT_MS: '5000',
      ...env
    },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let text = ''
  const output = () => text
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => (text += chunk))
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', () => {
      const listening = /"address":"(http[^"]+)"/.exec(text)?.[1]
      if (listening) resolve(listening)
    })
    void ended.then(code => reject(new Error(`ended with ${code}: ${text}`)))
  })
  return { url, child, output, ended }
}
