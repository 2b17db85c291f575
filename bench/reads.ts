import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import autocannon from 'autocannon'
import { request } from 'undici'
import { adminKey, atLeast, children, heap, median, option, start, startServer } from './children.ts'

// GET /messages/{id}, key and rights checked, against a bare Fastify route that answers the same bytes, in turn within one
// run. `npm run bench:reads -- --rounds 5 --seconds 5`
const rounds = option('rounds', 5)
const seconds = option('seconds', 5)
const least = 0.6
const directory = mkdtempSync(join(tmpdir(), 'switchboard-bench-'))
const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
const load = async (url: string) => {
  const result = await autocannon({ url, connections: 32, duration: seconds, headers })
  return { perSecond: result.requests.average, p99: result.latency.p99, failed: result.non2xx + result.errors }
}

try {
  const board = await startServer(directory)
  const body = JSON.stringify({ channel: 'bench', to: '14155551234', type: 'text', text: { body: 'Hello' } })
  const sent = await request(`${board.url}/messages`, { method: 'POST', headers, body })
  const path = `/messages/${((await sent.body.json()) as { id: string }).id}`
  const answer = await (await request(board.url + path, { headers })).body.text()
  const bare = await start('bench/skeleton.ts', [], { DATA_DIR: directory, PORT: '0', ANSWER: answer }, heap)

  await load(`${bare.url}/answer`)
  await load(board.url + path)
  const ratios: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const a = await load(`${bare.url}/answer`)
    const b = await load(board.url + path)
    ratios.push(b.perSecond / a.perSecond)
    console.log(
      `round ${round}: bare ${a.perSecond.toFixed(0)}/s p99 ${a.p99} ms (${a.failed} failed) | switchboard ${b.perSecond.toFixed(0)}/s p99 ${b.p99} ms (${b.failed} failed) | x${(b.perSecond / a.perSecond).toFixed(2)}`
    )
  }
  const middle = median(ratios)
  console.log(`median of ${rounds}: x${middle.toFixed(2)} ${atLeast(middle, least)}`)
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
