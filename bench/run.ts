import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { children, median, memory, option, start, startServer, startUpstream } from './children.ts'
import { describe, load, throughProxy, throughServer } from './load.ts'

// POST /messages, durable journal on, no Idempotency-Key, 32 connections, against a proxy that only swaps a key and the
// same upstream, in turn within one run. `npm run bench -- --rounds 5 --seconds 5 --profile`
const rounds = option('rounds', 5)
const seconds = option('seconds', 5)
const profile = process.argv.includes('--profile')
const directory = mkdtempSync(join(tmpdir(), 'switchboard-bench-'))

try {
  const upstream = await startUpstream()
  const proxy = throughProxy(await start('bench/proxy.ts', [upstream.url]))
  const server = await startServer(
    directory,
    upstream,
    profile ? ['--cpu-prof', '--cpu-prof-interval', '250', `--cpu-prof-dir=${directory}`] : []
  )
  const board = throughServer(server)

  // Until most of it is compiled: what is measured is a server that has been up for a while.
  for (let i = 0; i < 2; i++) {
    await load(proxy, { seconds })
    await load(board, { seconds })
  }
  const ratios: { rate: number; p99: number }[] = []
  for (let round = 1; round <= rounds; round++) {
    const a = await load(proxy, { seconds })
    const b = await load(board, { seconds })
    ratios.push({ rate: b.perSecond / a.perSecond, p99: b.p99 / a.p99 })
    console.log(
      `round ${round}: proxy ${describe(a)} | switchboard ${describe(b)} | rate x${(b.perSecond / a.perSecond).toFixed(2)}, p99 x${(b.p99 / a.p99).toFixed(2)}`
    )
  }
  const rate = median(ratios.map(each => each.rate))
  const p99 = median(ratios.map(each => each.p99))
  console.log(
    `median of ${rounds}: rate x${rate.toFixed(2)} (at least 0.85), p99 x${p99.toFixed(2)} (at most 1.2): ${rate >= 0.85 && p99 <= 1.2 ? 'PASS' : 'FAIL'}`
  )
  console.log(`resident after the load: ${memory(server.child, 'VmRSS')} MB`)
  if (profile) {
    server.child.kill('SIGTERM')
    await new Promise(resolve => server.child.once('exit', resolve))
    console.log(`profile in ${directory}`)
  }
} finally {
  for (const child of children) child.kill('SIGKILL')
  if (!profile) rmSync(directory, { recursive: true, force: true })
}
