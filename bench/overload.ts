import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'

// POST /messages at several times what the server can do (RELIABILITY.md P23): calls are begun by the clock, whether or not
// those before have ended, as many callers do. By hand: npm run bench:overload -- --times 5 --seconds 20

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '20' },
    /** Calls a second that the server can do; none: measured first. */
    capacity: { type: 'string' },
    /** How many calls may be open at once: what the callers' pools and the proxy let through. */
    sockets: { type: 'string', default: '1000' }
  }
})
const directory = mkdtempSync(join(tmpdir(), 'switchboard-overload-'))
const adminKey = 'bench-admin-key-bench-admin-key-bench'
const children: ChildProcess[] = []

function start(
  file: string,
  args: string[],
  env: Record<string, string> = {}
): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [new URL(`../${file}`, import.meta.url).pathname, ...args], {
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

const memory = (child: ChildProcess, name: string): number =>
  Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024
const percentile = (list: number[], share: number): string =>
  list.length === 0
    ? '–'
    : list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))]!.toFixed(0)

try {
  const channelsFile = join(directory, 'channels.json')
  const settings = { phoneNumberId: '106540352242922', businessAccountId: '102290129340398' }
  const channels = [{ id: 'bench', provider: 'whatsapp-cloud', connectionId: 'bench', settings }]
  writeFileSync(channelsFile, JSON.stringify({ channels }))
  const upstream = await start('src/sandbox/main.ts', ['--no-ledger'])
  const board = await start('src/server.ts', [], {
    MATON_API_KEY: 'bench-maton-key',
    MATON_BASE_URL: upstream.url,
    MATON_RATE_PER_SECOND: '0',
    ADMIN_KEY: adminKey,
    CHANNELS_FILE: channelsFile,
    DATA_DIR: join(directory, 'data'),
    PORT: '0',
    LOG_LEVEL: 'warn'
  })
  const dispatcher = new Agent({
    connections: Number(values.sockets),
    pipelining: 1,
    bodyTimeout: 60_000,
    headersTimeout: 60_000
  })
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ channel: 'bench', to: '14155551234', type: 'text', text: { body: 'Hello' } })
  interface Tally {
    accepted: number[]
    refused: number[]
    others: Record<string, number>
    withoutRetryAfter: number
  }
  const tally = (): Tally => ({ accepted: [], refused: [], others: {}, withoutRetryAfter: 0 })
  const call = async (into: Tally): Promise<void> => {
    const begun = performance.now()
    try {
      const answer = await request(`${board.url}/messages`, { method: 'POST', dispatcher, headers, body })
      await answer.body.dump()
      const ms = performance.now() - begun
      if (answer.statusCode < 300) into.accepted.push(ms)
      else if (answer.statusCode === 503) {
        into.refused.push(ms)
        if (answer.headers['retry-after'] === undefined) into.withoutRetryAfter++
      } else into.others[answer.statusCode] = (into.others[answer.statusCode] ?? 0) + 1
    } catch (error) {
      const { code = 'error' } = error as { code?: string }
      into.others[code] = (into.others[code] ?? 0) + 1
    }
  }
  /** Calls one after the other in `width` lines: what it can do. */
  const closed = async (width: number, ms: number): Promise<Tally> => {
    const into = tally()
    const end = performance.now() + ms
    await Promise.all(
      Array.from({ length: width }, async () => {
        while (performance.now() < end) await call(into)
      })
    )
    return into
  }
  /** Calls by the clock. */
  const open = async (perSecond: number, ms: number): Promise<Tally> => {
    const into = tally()
    const calls: Promise<void>[] = []
    const begun = performance.now()
    for (let n = 0; performance.now() - begun < ms; ) {
      for (const due = ((performance.now() - begun) / 1000) * perSecond; n < due; n++) calls.push(call(into))
      await new Promise(resolve => setTimeout(resolve, 2))
    }
    await Promise.all(calls)
    return into
  }
  await closed(32, 2000)
  const measured = (await closed(32, 4000)).accepted.length / 4
  const capacity = Number(values.capacity ?? measured)
  const perSecond = capacity * Number(values.times)
  const probes: number[] = []
  const faults: string[] = []
  const watch = setInterval(async () => {
    for (const path of ['/livez', '/readyz', '/metrics']) {
      const begun = performance.now()
      const answer = await request(board.url + path).catch(error => ({ statusCode: error.code, body: undefined }))
      await answer.body?.dump()
      probes.push(performance.now() - begun)
      if (answer.statusCode !== 200) faults.push(`${path} ${answer.statusCode}`)
    }
  }, 250)
  const seconds = Number(values.seconds)
  const result = await open(perSecond, seconds * 1000)
  clearInterval(watch)
  const { accepted, refused, others, withoutRetryAfter } = result
  console.log(`capacity ${measured.toFixed(0)}/s with 32 callers; ${perSecond.toFixed(0)}/s asked for ${seconds} s`)
  console.log(
    `accepted ${(accepted.length / seconds).toFixed(0)}/s, p50 ${percentile(accepted, 0.5)} p99 ${percentile(accepted, 0.99)} max ${percentile(accepted, 1)} ms`
  )
  console.log(
    `refused ${(refused.length / seconds).toFixed(0)}/s with 503, p50 ${percentile(refused, 0.5)} p99 ${percentile(refused, 0.99)} ms; ${withoutRetryAfter} without Retry-After`
  )
  console.log('others', others)
  console.log(
    `health and metrics: ${probes.length} answers, p99 ${percentile(probes, 0.99)} ms, faults ${JSON.stringify(faults)}`
  )
  console.log(
    `resident ${memory(board.child, 'VmRSS').toFixed(0)} MB, at most ${memory(board.child, 'VmHWM').toFixed(0)} MB`
  )
  const after = await closed(1, 500)
  console.log(`afterwards: ${after.accepted.length} accepted, ${after.refused.length} refused`)
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
