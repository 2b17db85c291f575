import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import autocannon from 'autocannon'
import { adminKey, children, median, option, startServer } from './children.ts'

// POST /messages with a key without limits and with one that has both, in turn within one run: what limits cost.
// `npm run bench:limits -- --rounds 5 --seconds 5`; at most 10 % of the throughput.
const rounds = option('rounds', 5)
const seconds = option('seconds', 5)
const directory = mkdtempSync(join(tmpdir(), 'switchboard-bench-'))

try {
  const board = await startServer(directory)
  const make = async (limits: object): Promise<string> => {
    const answer = await fetch(`${board.url}/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ service: 'bench', mode: 'live', scopes: ['messages:send'], ...limits })
    })
    return ((await answer.json()) as { secret: string }).secret
  }
  const keys = {
    free: await make({}),
    limited: await make({ rateLimit: { perSecond: 2000, burst: 4000 }, quota: { perDay: 10_000_000 } })
  }
  /** User and system time of the server so far, in microseconds (Linux counts in hundredths of a second). */
  const cpu = (): number => {
    const fields = readFileSync(`/proc/${board.child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10_000
  }
  const load = async (key: string) => {
    const before = cpu()
    const result = await autocannon({
      url: `${board.url}/messages`,
      connections: 32,
      duration: seconds,
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ channel: 'bench', to: '14155551234', type: 'text', text: { body: 'Hello' } })
    })
    const { requests, latency, non2xx, errors } = result
    return {
      perSecond: requests.average,
      p99: latency.p99,
      failed: non2xx + errors,
      cpu: (cpu() - before) / requests.total
    }
  }
  await load(keys.free)
  const ratios: { rate: number; cpu: number }[] = []
  for (let round = 1; round <= rounds; round++) {
    const free = await load(keys.free)
    const limited = await load(keys.limited)
    ratios.push({ rate: limited.perSecond / free.perSecond, cpu: limited.cpu / free.cpu })
    const words = [free, limited].map(
      each =>
        `${each.perSecond.toFixed(0)}/s, p99 ${each.p99} ms, ${each.cpu.toFixed(0)} us of processor each (${each.failed} failed)`
    )
    console.log(
      `round ${round}: without ${words[0]} | with limits ${words[1]} | rate x${ratios.at(-1)!.rate.toFixed(3)}`
    )
  }
  console.log(
    `median of ${rounds}: rate x${median(ratios.map(each => each.rate)).toFixed(3)} (at least 0.9), processor x${median(ratios.map(each => each.cpu)).toFixed(3)}`
  )
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
