import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pino from 'pino'
import { request } from 'undici'
import { newId } from '../src/ids.ts'
import { openStore } from '../src/store/index.ts'
import { message } from '../test/conformance/store-rows.ts'
import { backup } from '../test/life/run.ts'

// How long a backup holds up the server that it copies (docs/reliability.md P32): the longest gap of its event loop under a steady
// load, with and without backups. By hand: npm run bench:backup -- --rows 100000

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '5' },
    /** Messages a second meanwhile. */
    rate: { type: 'string', default: '50' }
  }
})
const directory = mkdtempSync(join(tmpdir(), 'switchboard-backup-'))
const adminKey = 'bench-admin-key-bench-admin-key-bench'
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
const start = (args: string[], env: Record<string, string>) => {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const gaps: { at: number; ms: number }[] = []
  child.stderr.on('data', (part: Buffer) => {
    for (const [, at, ms] of String(part).matchAll(/GAP (\d+) ([\d.]+)/g)) gaps.push({ at: Number(at), ms: Number(ms) })
  })
  const url = new Promise<string>((resolve, reject) => {
    let seen = ''
    child.stdout.on('data', part => {
      seen = (seen + part).slice(-5000)
      const found = /"(?:url|address)":"(http[^"]+)"/.exec(seen)?.[1]
      if (found) resolve(found)
    })
    child.on('exit', code => reject(new Error(`it ended with ${code}`)))
  })
  return { child, gaps, url }
}

const children: ReturnType<typeof start>[] = []
let sending = true
try {
  const store = await openStore({ directory }, pino({ level: 'silent' }))
  const rows = Number(values.rows)
  for (let i = 0; i < rows; i += 500)
    await store.write(function* () {
      const some = Array.from({ length: Math.min(500, rows - i) }, () =>
        message({ id: newId('msg'), state: 'accepted', timeline: 'x'.repeat(300) })
      )
      yield store.build.insertInto('messages').values(some).compile()
    })
  await store.close()
  const channels = [{ id: 'bench', provider: 'wati', connectionId: 'bench', settings: {} }]
  writeFileSync(join(directory, 'channels.json'), JSON.stringify({ channels }))
  const upstream = start(['src/sandbox/main.ts', '--no-ledger'], {})
  children.push(upstream)
  const board = start(['--import', new URL('gaps.ts', import.meta.url).href, 'src/server.ts'], {
    ...{ MATON_API_KEY: 'bench-maton-key', MATON_BASE_URL: await upstream.url, MATON_RATE_PER_SECOND: '0' },
    ...{ ADMIN_KEY: adminKey, CHANNELS_FILE: join(directory, 'channels.json'), DATA_DIR: directory, PORT: '0' }
  })
  children.push(board)
  const url = await board.url
  const times: { at: number; ms: number }[] = []
  const send = async (): Promise<void> => {
    const begun = performance.now()
    const answer = await request(`${url}/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ channel: 'bench', to: '14155551234', type: 'text', text: { body: 'Hello' } })
    })
    await answer.body.dump()
    times.push({ at: Date.now(), ms: performance.now() - begun })
  }
  const clock = setInterval(() => {
    if (sending) send().catch(() => {})
  }, 1000 / Number(values.rate))
  // The first messages and the sweep of a new process are slower.
  await pause(5000)
  const within = (list: { at: number; ms: number }[], spans: [number, number][]) =>
    list.filter(({ at }) => spans.some(([from, to]) => at >= from && at <= to)).map(({ ms }) => ms)
  const during: [number, number][] = []
  const beside: [number, number][] = []
  for (let round = 1; round <= Number(values.rounds); round++) {
    const from = Date.now()
    const { code, said } = await backup({ DATA_DIR: directory }, join(directory, `copy-${round}.db`))
    const to = Date.now()
    if (code !== 0) throw new Error(said)
    during.push([from, to])
    await pause(to - from)
    beside.push([to, Date.now()])
    console.log(
      `round ${round}: a copy of ${(statSync(join(directory, `copy-${round}.db`)).size / 2 ** 20).toFixed(0)} MB in ${to - from} ms`
    )
  }
  clearInterval(clock)
  sending = false
  const most = (list: number[]) => Math.max(0, ...list).toFixed(1)
  for (const [name, spans] of [
    ['with a backup', during],
    ['without', beside]
  ] as const)
    console.log(
      `${name}: longest gap of the event loop ${most(within(board.gaps, spans))} ms, ${within(board.gaps, spans).length} of 5 ms or more; slowest answer of ${within(times, spans).length} ${most(within(times, spans))} ms`
    )
} finally {
  for (const { child } of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
