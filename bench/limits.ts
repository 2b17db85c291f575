import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { adminKey, children, median, option, startServer } from './children.ts'
import { describe, load as loadTarget, throughServer } from './load.ts'

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
  const load = (key: string) => loadTarget(throughServer(board, key), { seconds })
  await load(keys.free)
  const ratios: { rate: number; cpu: number }[] = []
  for (let round = 1; round <= rounds; round++) {
    const free = await load(keys.free)
    const limited = await load(keys.limited)
    ratios.push({ rate: limited.perSecond / free.perSecond, cpu: limited.cpu / free.cpu })
    console.log(
      `round ${round}: without ${describe(free)} | with limits ${describe(limited)} | rate x${ratios.at(-1)!.rate.toFixed(3)}`
    )
  }
  console.log(
    `median of ${rounds}: rate x${median(ratios.map(each => each.rate)).toFixed(3)} (at least 0.9), processor x${median(ratios.map(each => each.cpu)).toFixed(3)}`
  )
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
