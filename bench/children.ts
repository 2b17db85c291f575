import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const adminKey = 'bench-admin-key-bench-admin-key-bench'

/** As `npm start` has it. */
export const heap = ['--max-old-space-size=1024', '--max-semi-space-size=8', '--heap-growing-percent=100']

/** A number of the command line: `--rounds 5`. */
export const option = (name: string, fallback: number): number => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? fallback : Number(process.argv[at + 1])
}

export const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

/** The number that `bench` sends from. */
export const settings = { phoneNumberId: '106540352242922', businessAccountId: '102290129340398' }

/** Writes a CHANNELS_FILE with one Cloud channel, `bench`. @returns its path */
export function writeChannels(directory: string): string {
  const file = join(directory, 'channels.json')
  const channel = { id: 'bench', provider: 'whatsapp-cloud', connectionId: 'bench', settings }
  writeFileSync(file, JSON.stringify({ channels: [channel] }))
  return file
}

/** What a server of ours is given by every benchmark of calls: a stand-in as its provider, no pace, a store of its own. */
export const serverSettings = (upstreamUrl: string, channelsFile: string, dataDir: string): Record<string, string> => ({
  MATON_API_KEY: 'bench-maton-key',
  MATON_BASE_URL: upstreamUrl,
  MATON_RATE_PER_SECOND: '0',
  ADMIN_KEY: adminKey,
  CHANNELS_FILE: channelsFile,
  DATA_DIR: dataDir,
  PORT: '0',
  LOG_LEVEL: 'info'
})

/** All that were started, to be ended with the benchmark. */
export const children: ChildProcess[] = []

/**
 * Starts a file of the repository in a process of its own and resolves when its output tells where it listens.
 * @param file from the repository's root
 * @param flags of Node
 */
export function start(
  file: string,
  args: string[],
  env: Record<string, string> = {},
  flags: string[] = []
): Promise<{ url: string; child: ChildProcess }> {
  const path = new URL(`../${file}`, import.meta.url).pathname
  const child = spawn(process.execPath, [...flags, path, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  children.push(child)
  return new Promise((resolve, reject) => {
    let seen = ''
    child.stdout!.on('data', chunk => {
      seen = (seen + chunk).slice(-20_000)
      const url = /"(?:url|address)":"(http[^"]+)"/.exec(seen)?.[1]
      if (url) resolve({ url, child })
    })
    child.on('exit', code => reject(new Error(`${file} ended with ${code}`)))
  })
}

/** A stand-in, and a server in front of it with its channels and its store in `directory`. */
export async function startServer(directory: string): Promise<Awaited<ReturnType<typeof start>>> {
  const upstream = await start('src/sandbox/main.ts', ['--no-ledger'])
  const env = serverSettings(upstream.url, writeChannels(directory), join(directory, 'data'))
  return start('src/server.ts', [], env, heap)
}

/** Megabytes that are resident now, or were at most. */
export const memory = ({ pid }: ChildProcess, what: 'VmRSS' | 'VmHWM'): number =>
  Math.round(Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)
