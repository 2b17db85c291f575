import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const adminKey = 'bench-admin-key-bench-admin-key-bench'
export const matonKey = 'bench-maton-key'

/** As `npm start` has it. */
export const heap = ['--max-old-space-size=1024', '--max-semi-space-size=8', '--heap-growing-percent=100']

/** What the image and the unit of systemd tell glibc. */
const allocator = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' }

/** A number of the command line: `--rounds 5`. */
export const option = (name: string, fallback: number): number => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? fallback : Number(process.argv[at + 1])
}

export const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

const verdict = (passes: boolean): string => (passes ? 'PASS' : 'FAIL')
/** What is printed after a figure that has a bound above. */
export const atMost = (value: number, bound: number): string => `(at most ${bound}): ${verdict(value <= bound)}`
/** What is printed after a figure that has a bound below. */
export const atLeast = (value: number, bound: number): string => `(at least ${bound}): ${verdict(value >= bound)}`

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
  MATON_API_KEY: matonKey,
  MATON_BASE_URL: upstreamUrl,
  MATON_RATE_PER_SECOND: '0',
  ADMIN_KEY: adminKey,
  CHANNELS_FILE: channelsFile,
  DATA_DIR: dataDir,
  PORT: '0',
  LOG_LEVEL: 'info',
  ...allocator
})

/** What a server of ours is given beside that for a PostgreSQL. */
export const postgresSettings = (url: string): Record<string, string> => ({
  DATABASE_URL: url,
  KEY_PEPPER: 'bench-pepper-bench-pepper-bench-pepper'
})

/** All that were started, to be ended with the benchmark. */
export const children: ChildProcess[] = []

/** Runs a benchmark in a directory of its own, which ends with it as all children do. */
export async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-bench-'))
  try {
    await run(directory)
  } finally {
    for (const child of children) {
      child.removeAllListeners('exit')
      child.kill('SIGKILL')
    }
    rmSync(directory, { recursive: true, force: true })
  }
}

export interface Started {
  url: string
  child: ChildProcess
}

/**
 * Starts a file in a process of its own and resolves when its output tells where it listens.
 * @param file from the repository's root, or an absolute path
 * @param flags of Node
 * @param listens what its output says then, with the address as the first group
 */
export function start(
  file: string,
  args: string[],
  env: Record<string, string> = {},
  flags: string[] = [],
  listens = /"(?:url|address)":"(http[^"]+)"/
): Promise<Started> {
  const path = new URL(file, new URL('..', import.meta.url)).pathname
  const child = spawn(process.execPath, [...flags, path, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  children.push(child)
  return new Promise((resolve, reject) => {
    let seen = ''
    const look = (chunk: Buffer) => {
      seen = (seen + chunk).slice(-20_000)
      const url = listens.exec(seen)?.[1]
      if (!url) return
      // The load comes from this process: from now on the log costs it no more than the reading.
      child.stdout!.off('data', look).resume()
      resolve({ url, child })
    }
    child.stdout!.on('data', look)
    child.on('exit', code => reject(new Error(`${file} ended with ${code}`)))
  })
}

/** A stand-in for Maton that keeps no ledger, so that it costs the same after a million messages. */
export const startUpstream = (...args: string[]): Promise<Started> =>
  start('src/sandbox/main.ts', ['--no-ledger', ...args])

/** A server with its channels and its store in `directory`, in front of the stand-in that is named, or of its own. */
export async function startServer(directory: string, upstream?: Started, flags: string[] = []): Promise<Started> {
  const { url } = upstream ?? (await startUpstream())
  const env = serverSettings(url, writeChannels(directory), join(directory, 'data'))
  return start('src/server.ts', [], env, [...heap, ...flags])
}

/** User and system time of a process so far, in microseconds (Linux counts in hundredths of a second). */
export const cpu = ({ pid }: ChildProcess): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

/** Megabytes that are resident now, or were at most. */
export const memory = ({ pid }: ChildProcess, what: 'VmRSS' | 'VmHWM'): number =>
  Math.round(Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)
