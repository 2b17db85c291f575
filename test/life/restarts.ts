import { request } from 'undici'
import { startSandbox } from '../../src/sandbox/index.ts'
import { freePort } from '../free-port.ts'
import { adminKey, matonKey } from '../helper.ts'
import { until } from '../until.ts'
import { place, type Running, run, type Teardown, text } from './run.ts'

// SIGTERM and a new start, again and again under load, behind a proxy (docs/reliability.md P25).

export interface Figures {
  restarts: number
  sent: number
  /** Calls that did not end in a 2xx, by what they ended in. */
  failed: Record<string, number>
  /** Acknowledged, and not there or not accepted in the end. */
  lost: string[]
  unknown: string[]
  /** Numbers that were messaged more than once. */
  twice: string[]
  /** Exit codes other than 0. */
  exits: (number | null)[]
  /** From SIGTERM to the exit, the longest. */
  longestStopMs: number
  /** How many rows were taken from a dead holder: a clean stop leaves none. */
  reaped: number
}

interface Proxy {
  send: (body: unknown, prefer: string) => Promise<{ status: number; id?: string; code?: string }>
  stop: () => void
}

/**
 * What a proxy as that of compose.yaml does: it looks at /readyz all the time, keeps calls back while it is not 200, makes
 * a connection of its own for each, and tries again only what never had one.
 */
function startProxy(url: string): Proxy {
  let ready = true
  let stopped = false
  const look = async (): Promise<void> => {
    while (!stopped) {
      const answer = await request(`${url}/readyz`, { reset: true }).catch(() => undefined)
      await answer?.body.dump()
      ready = answer?.statusCode === 200
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  void look()
  return {
    stop: () => {
      stopped = true
    },
    send: async (body, prefer) => {
      for (const end = performance.now() + 60_000; ; await new Promise(resolve => setTimeout(resolve, 10))) {
        if (performance.now() > end) return { status: 0, code: 'no server' }
        if (!ready) continue
        try {
          const answer = await request(`${url}/messages`, {
            method: 'POST',
            reset: true,
            headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json', prefer },
            body: JSON.stringify(body)
          })
          const { id, code, detail } = (await answer.body.json()) as Record<
            'id' | 'code' | 'detail',
            string | undefined
          >
          return { status: answer.statusCode, ...(id && { id }), code: `${code}: ${detail}` }
        } catch (error) {
          const { code = 'error' } = error as { code?: string }
          if (code !== 'ECONNREFUSED') return { status: 0, code }
        }
      }
    }
  }
}

/**
 * @param count how many restarts
 * @param perSecond how many messages a second are sent the whole time; every fourth is for the queue
 * @param upMs how long a process lives before its SIGTERM
 */
export async function restarts(
  t: Teardown,
  {
    count,
    perSecond,
    upMs,
    signal = 'SIGTERM',
    tell = () => {}
  }: { count: number; perSecond: number; upMs: number; signal?: 'SIGTERM' | 'SIGKILL'; tell?: (line: string) => void }
): Promise<Figures> {
  // Slow enough that some are always in flight.
  const sandbox = await startSandbox({ apiKey: matonKey, latencyMs: 300 })
  t.teardown(() => sandbox.close())
  const directory = place(t)
  // The delay is longer than the proxy takes to see that it must turn away.
  const env = { PORT: String(await freePort()), SHUTDOWN_DELAY_MS: '1000' }
  const start = () => run(t, { directory, matonUrl: sandbox.url, env })
  const figures: Figures = {
    ...{ restarts: 0, sent: 0, failed: {}, lost: [], unknown: [], twice: [], exits: [], longestStopMs: 0, reaped: 0 }
  }
  const acked = new Map<string, string>()
  let board: Running = await start()
  const proxy = startProxy(board.url)
  t.teardown(proxy.stop)

  let stop = false
  const calls: Promise<void>[] = []
  const sendOne = async (n: number): Promise<void> => {
    const to = `1415${String(n).padStart(7, '0')}`
    const queued = n % 4 === 0
    const later = { sendAt: new Date(Date.now() + 200 + (n % 7) * 200).toISOString() }
    const answer = await proxy.send(text(to, queued ? later : {}), queued ? 'respond-async' : 'wait=10')
    if (answer.status >= 200 && answer.status < 300) acked.set(answer.id!, to)
    else {
      const name = `${answer.status} ${answer.code ?? ''}`
      figures.failed[name] = (figures.failed[name] ?? 0) + 1
    }
  }
  const clock = setInterval(() => {
    if (!stop) calls.push(sendOne(figures.sent++))
  }, 1000 / perSecond)
  t.teardown(() => clearInterval(clock))

  for (; figures.restarts < count; figures.restarts++) {
    await new Promise(resolve => setTimeout(resolve, upMs))
    const told = performance.now()
    const code = await board.end(signal)
    figures.longestStopMs = Math.max(figures.longestStopMs, performance.now() - told)
    if (code !== 0) figures.exits.push(code)
    board = await start()
    if (/settled what a dead process had left/.test(board.output())) figures.reaped++
    tell(`restart ${figures.restarts + 1}: ${acked.size} acknowledged, ${JSON.stringify(figures.failed)} failed`)
  }
  stop = true
  clearInterval(clock)
  await Promise.all(calls)

  for (const id of acked.keys()) {
    const look = async () => (await board.call('GET', `/messages/${id}`)).body as { status: string }
    const { status } = await until(look, ({ status }) => status !== 'queued' && status !== 'sending')
    if (status === 'unknown') figures.unknown.push(id)
    else if (status !== 'accepted') figures.lost.push(`${id} ${status}`)
  }
  const seen = new Set<string>()
  for (const { to } of sandbox.ledger.sends()) {
    if (seen.has(to!)) figures.twice.push(to!)
    seen.add(to!)
  }
  await board.end('SIGTERM')
  return figures
}
