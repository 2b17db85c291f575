import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pino from 'pino'
import { freePort } from '../test/free-port.ts'
import { atMost, heap, median } from './children.ts'

// How long a start takes in sandbox mode with a fresh DATA_DIR, from spawn to the first 200 of /readyz, and what the
// server weighs when it rests. By hand: npm run bench:start -- --runs 20 --waiting 100000

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    /** The file to start, e.g. another entry point to be compared. */
    entry: { type: 'string', default: 'src/server.ts' },
    /** Milliseconds between ready and the reading of the memory. */
    rest: { type: 'string', default: '1500' },
    /** Messages that wait in the store that it is started on, all of them due (docs/reliability.md P26). */
    waiting: { type: 'string', default: '0' }
  }
})
const runs = Number(values.runs)
const restMs = Number(values.rest)
const limitMs = 60_000

interface Run {
  readyMs: number
  restMb: number
  peakMb: number
  stopMs: number
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

const status = (port: number) =>
  new Promise<number>(resolve => {
    const request = get({ host: '127.0.0.1', port, path: '/readyz', agent: false, timeout: 5000 }, answer => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(0))
  })

/** VmRSS and VmHWM in MB; where there is no /proc, not a number. */
function memory(pid: number): { rss: number; peak: number } {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024
    return { rss: read('VmRSS'), peak: read('VmHWM') }
  } catch {
    return { rss: Number.NaN, peak: Number.NaN }
  }
}

async function run(cache: string | undefined, from?: string, entry = values.entry): Promise<Run> {
  const directory = from ?? mkdtempSync(join(tmpdir(), 'switchboard-start-'))
  if (!from && filled) cpSync(filled, directory, { recursive: true })
  const port = await freePort()
  const { PATH, SystemRoot, TEMP, TMPDIR } = process.env
  const begun = performance.now()
  const child = spawn(process.execPath, [...heap, entry], {
    env: {
      ...{ PATH, SystemRoot, TEMP, TMPDIR },
      ...{ DATA_DIR: directory, HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'warn' },
      ...(cache ? { NODE_COMPILE_CACHE: cache } : { NODE_DISABLE_COMPILE_CACHE: '1' })
    },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  const complaint: Buffer[] = []
  child.stderr.on('data', part => complaint.push(part))
  const ended = once(child, 'exit')
  try {
    while ((await status(port)) !== 200) {
      if (child.exitCode !== null || performance.now() - begun > limitMs)
        throw new Error(String(Buffer.concat(complaint)))
      await pause(2)
    }
    const readyMs = performance.now() - begun
    await pause(restMs)
    const { rss, peak } = memory(child.pid!)
    const told = performance.now()
    child.kill('SIGTERM')
    const [code, signal] = await ended
    // Windows has no SIGTERM: there the process is simply ended.
    if (code !== 0 && process.platform !== 'win32') throw new Error(`it ended with ${code ?? signal}, not with 0`)
    return { readyMs, restMb: rss, peakMb: peak, stopMs: performance.now() - told }
  } finally {
    child.kill('SIGKILL')
    if (!from) rmSync(directory, { recursive: true, force: true })
  }
}

/** A DATA_DIR as a first start leaves it, with messages that wait. */
async function fill(count: number): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-filled-'))
  await run(undefined, directory)
  const { openStore } = await import('../src/store/index.ts')
  const { message } = await import('../test/conformance/store-rows.ts')
  const { newId } = await import('../src/ids.ts')
  const store = await openStore({ directory }, pino({ level: 'silent' }))
  const queue = 'test/0/demo/demo-cloud/'
  const row = { mode: 'test', service: 'demo', channel_id: 'demo-cloud', provider: 'whatsapp-cloud', queue } as const
  for (let left = count; left > 0; left -= 500)
    await store.write(function* () {
      const some = Array.from({ length: Math.min(500, left) }, () => message({ ...row, id: newId('msg') }))
      yield store.build.insertInto('messages').values(some).compile()
    })
  await store.close()
  return directory
}

let filled: string | undefined
if (Number(values.waiting) > 0) filled = await fill(Number(values.waiting))
const caches = mkdtempSync(join(tmpdir(), 'switchboard-cache-'))
/** Each kind of start with the cache folder of its i-th run. */
const kinds: Record<string, (i: number) => Promise<Run>> = {
  'no cache': () => run(undefined),
  'empty cache': i => run(join(caches, `empty-${i}`)),
  'warm cache': () => run(join(caches, 'warm')),
  'a bare server of the same stack, warm': () => run(join(caches, 'bare'), undefined, skeleton)
}
const skeleton = 'bench/skeleton.ts'
const taken: Record<string, Run[]> = {}
try {
  await run(join(caches, 'warm'))
  await run(join(caches, 'bare'), undefined, skeleton)
  // In turns, so that a noisy minute falls on all of them.
  for (let i = 0; i < runs; i++)
    for (const [kind, start] of Object.entries(kinds)) (taken[kind] ??= []).push(await start(i))
} finally {
  rmSync(caches, { recursive: true, force: true })
  if (filled) rmSync(filled, { recursive: true, force: true })
}

const spread = (list: Run[], pick: keyof Run): string => {
  const sorted = list.map(one => one[pick]).sort((a, b) => a - b)
  return [sorted[0]!, sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!].map(Math.round).join(' / ')
}
console.log(
  `${values.entry}, Node ${process.version}, ${runs} runs each${filled ? `, ${values.waiting} messages waiting` : ''}: min / median / max`
)
console.table(
  Object.fromEntries(
    Object.entries(taken).map(([kind, list]) => [
      kind,
      {
        'ready, ms': spread(list, 'readyMs'),
        'RSS at rest, MB': spread(list, 'restMb'),
        'RSS peak, MB': spread(list, 'peakMb'),
        'SIGTERM to exit 0, ms': spread(list, 'stopMs')
      }
    ])
  )
)
const middle = (kind: string, pick: keyof Run): number => median(taken[kind]!.map(one => one[pick]))
const ratio = middle('warm cache', 'readyMs') / middle('a bare server of the same stack, warm', 'readyMs')
const restMb = middle('warm cache', 'restMb')
console.log(`ready ÷ bare: x${ratio.toFixed(2)} ${atMost(ratio, 1.3)}`)
console.log(`at rest: ${Math.round(restMb)} MB ${atMost(restMb, 130)}`)
