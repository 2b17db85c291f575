import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import autocannon from 'autocannon'
import { adminKey, children, heap, median, memory, option, serverSettings, start, writeChannels } from './children.ts'

// POST /messages, durable journal on, no Idempotency-Key, 32 connections, against a proxy that only swaps a key and the
// same upstream, in turn within one run. `npm run bench -- --rounds 5 --seconds 5 --profile`
const rounds = option('rounds', 5)
const seconds = option('seconds', 5)
const profile = process.argv.includes('--profile')
const directory = mkdtempSync(join(tmpdir(), 'switchboard-bench-'))

const percentile = (result: autocannon.Result) => ({
  perSecond: result.requests.average,
  p50: result.latency.p50,
  p99: result.latency.p99,
  failed: result.non2xx + result.errors
})
const load = async (child: ChildProcess, url: string, body: unknown, headers: Record<string, string>) => {
  const before = cpu(child)
  const result = await autocannon({
    url,
    connections: 32,
    duration: seconds,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body)
  })
  return { ...percentile(result), cpu: (cpu(child) - before) / result.requests.total }
}
/** User and system time of a process so far, in microseconds (Linux counts in hundredths of a second). */
const cpu = (child: ChildProcess): number => {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

try {
  const channelsFile = writeChannels(directory)
  const upstream = await start('src/sandbox/main.ts', ['--no-ledger'])
  const proxy = await start('bench/proxy.ts', [upstream.url])
  const board = await start('src/server.ts', [], serverSettings(upstream.url, channelsFile, join(directory, 'data')), [
    ...heap,
    ...(profile ? ['--cpu-prof', '--cpu-prof-interval', '250', `--cpu-prof-dir=${directory}`] : [])
  ])
  const native = {
    messaging_product: 'whatsapp',
    recipient_type: 'individual',
    to: '14155551234',
    type: 'text',
    text: { body: 'Hello from the benchmark' }
  }
  const neutral = { channel: 'bench', to: '14155551234', type: 'text', text: { body: 'Hello from the benchmark' } }
  const throughProxy = () =>
    load(proxy.child, `${proxy.url}/whatsapp-business/v24.0/106540352242922/messages`, native, {})
  const throughBoard = () =>
    load(board.child, `${board.url}/messages`, neutral, { authorization: `Bearer ${adminKey}` })

  // Until most of it is compiled: what is measured is a server that has been up for a while.
  for (let i = 0; i < 2; i++) {
    await throughProxy()
    await throughBoard()
  }
  const ratios: { rate: number; p99: number }[] = []
  for (let round = 1; round <= rounds; round++) {
    const a = await throughProxy()
    const b = await throughBoard()
    ratios.push({ rate: b.perSecond / a.perSecond, p99: b.p99 / a.p99 })
    console.log(
      `round ${round}: proxy ${a.perSecond.toFixed(0)}/s p50 ${a.p50} p99 ${a.p99} ms, ${a.cpu.toFixed(0)} us of processor each (${a.failed} failed) | switchboard ${b.perSecond.toFixed(0)}/s p50 ${b.p50} p99 ${b.p99} ms, ${b.cpu.toFixed(0)} us of processor each (${b.failed} failed) | rate x${(b.perSecond / a.perSecond).toFixed(2)}, p99 x${(b.p99 / a.p99).toFixed(2)}`
    )
  }
  const rate = median(ratios.map(each => each.rate))
  const p99 = median(ratios.map(each => each.p99))
  console.log(
    `median of ${rounds}: rate x${rate.toFixed(2)} (at least 0.85), p99 x${p99.toFixed(2)} (at most 1.2): ${rate >= 0.85 && p99 <= 1.2 ? 'PASS' : 'FAIL'}`
  )
  console.log(`resident after the load: ${memory(board.child, 'VmRSS')} MB`)
  if (profile) {
    board.child.kill('SIGTERM')
    await new Promise(resolve => board.child.once('exit', resolve))
    console.log(`profile in ${directory}`)
  }
} finally {
  for (const child of children) child.kill('SIGKILL')
  if (!profile) rmSync(directory, { recursive: true, force: true })
}
