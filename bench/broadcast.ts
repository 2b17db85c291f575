import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { adminKey, children, heap, matonKey, memory, option, start, writeChannels } from './children.ts'

// What accepting a table of many rows costs: memory of the process, and how long it keeps others waiting meanwhile.
// `npm run bench:broadcast -- --rows 100000 --wide 270`; with DATABASE_URL the shared store.
const rows = option('rows', 100_000)
/** Characters of one cell beside the others: with 270 the table has 32 MiB. */
const wide = option('wide', 0)
const directory = mkdtempSync(join(tmpdir(), 'switchboard-bench-'))
const headers = { authorization: `Bearer ${adminKey}` }

async function serve(): Promise<{ url: string; child: ChildProcess }> {
  // Apart, so that only our own memory is measured.
  const { url } = await start('src/sandbox/main.ts', ['--no-ledger'])
  const env = {
    MATON_API_KEY: matonKey,
    MATON_BASE_URL: url,
    ADMIN_KEY: adminKey,
    CHANNELS_FILE: writeChannels(directory)
  }
  return start('src/main.js', [], { ...env, DATA_DIR: join(directory, 'data'), PORT: '0' }, heap)
}
const percentile = (values: number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0

const { url, child } = await serve()
try {
  const table = `phone,reference,name,ordernumber\r\n${Array.from({ length: rows }, (_, i) => `1415${String(i).padStart(7, '0')},order-${i},Name of person ${i}${'x'.repeat(wide)},${i}\r\n`).join('')}`
  const form = new FormData()
  form.set('channel', 'bench')
  form.set('name', 'bench')
  form.set('template', JSON.stringify({ name: 'order_update', language: 'en_US' }))
  form.set('startAt', new Date(Date.now() + 3600_000).toISOString())
  form.set('file', new Blob([table]), 'table.csv')
  await fetch(`${url}/broadcasts`, { headers })
  console.log(
    `${rows} rows, ${(table.length / 1024 / 1024).toFixed(1)} MiB; resident before: ${memory(child, 'VmRSS')} MB`
  )

  let over = false
  const delays: number[] = []
  const others = (async () => {
    while (!over) {
      const begun = performance.now()
      await (await fetch(`${url}/messages?limit=1`, { headers })).text()
      delays.push(performance.now() - begun)
      await wait(5)
    }
  })()
  const begun = performance.now()
  const answer = await fetch(`${url}/broadcasts`, { method: 'POST', headers, body: form })
  const text = await answer.text()
  const seconds = (performance.now() - begun) / 1000
  over = true
  await others
  if (answer.status !== 202) throw new Error(`${answer.status} ${text.slice(0, 500)}`)
  const { id, total } = JSON.parse(text) as { id: string; total: number }
  console.log(
    `${total} accepted in ${seconds.toFixed(1)} s; resident at most: ${memory(child, 'VmHWM')} MB (aim: below 200)`
  )
  console.log(
    `other requests meanwhile: ${delays.length}, p50 ${percentile(delays, 0.5).toFixed(1)} ms, p99 ${percentile(delays, 0.99).toFixed(1)} ms, longest ${Math.max(...delays).toFixed(1)} ms`
  )
  const look = async (path: string) => {
    const at = performance.now()
    const size = (await (await fetch(url + path, { headers: { ...headers, accept: 'text/csv' } })).text()).length
    return `${(performance.now() - at).toFixed(0)} ms, ${size} bytes`
  }
  console.log(`counts: ${await look(`/broadcasts/${id}`)}; results: ${await look(`/broadcasts/${id}/messages`)}`)
  const at = performance.now()
  await fetch(`${url}/broadcasts/${id}/cancel`, { method: 'POST', headers })
  console.log(`cancel answered in ${(performance.now() - at).toFixed(0)} ms`)
  for (;;) {
    const { finishedAt } = (await (await fetch(`${url}/broadcasts/${id}`, { headers })).json()) as {
      finishedAt?: string
    }
    if (finishedAt) break
    await wait(100)
  }
  console.log(
    `every message marked after ${((performance.now() - at) / 1000).toFixed(1)} s; resident at most: ${memory(child, 'VmHWM')} MB`
  )
} finally {
  for (const each of children) {
    each.removeAllListeners('exit')
    each.kill('SIGKILL')
  }
  rmSync(directory, { recursive: true, force: true })
}
