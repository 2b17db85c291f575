import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { startPostgres } from '../test/store/postgres.ts'
import {
  adminKey,
  atMost,
  cpu,
  heap,
  inDirectory,
  memory,
  option,
  postgresSettings,
  type Started,
  serverSettings,
  start,
  startUpstream,
  writeChannels
} from './children.ts'

// What accepting a table of many rows costs: seconds, memory of the process, and how long it keeps others waiting meanwhile.
// `npm run bench:broadcast -- --rows 100000 --wide 270`; with --postgres or DATABASE_URL the shared store.
const rows = option('rows', 100_000)
/** Characters of one cell beside the others: with 270 the table has 32 MiB. */
const wide = option('wide', 0)
/** The bounds of 100,000 rows. */
const most = { seconds: 3, megabytes: 180 }
const headers = { authorization: `Bearer ${adminKey}` }
const ends: (() => unknown)[] = []

async function serve(directory: string): Promise<Started> {
  // Apart, so that only our own memory is measured.
  const { url } = await startUpstream()
  const env = serverSettings(url, writeChannels(directory), join(directory, 'data'))
  if (!process.argv.includes('--postgres')) return start('src/main.js', [], env, heap)
  const cluster = await startPostgres({ teardown: end => void ends.unshift(end) }, true)
  return start('src/main.js', [], { ...env, ...postgresSettings(cluster.url(await cluster.database())) }, heap)
}
const percentile = (values: number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0

/** Until it has given back what its start took: it does as soon as nobody has called for a while. */
async function rested({ child }: Started): Promise<void> {
  for (let [last, now] = [0, 1]; last !== now; last = now, now = memory(child, 'VmRSS')) await wait(2000)
}

const table = (): string =>
  `phone,reference,name,ordernumber\r\n${Array.from({ length: rows }, (_, i) => `1415${String(i).padStart(7, '0')},order-${i},Name of person ${i}${'x'.repeat(wide)},${i}\r\n`).join('')}`

interface Accepted {
  id: string
  total: number
  seconds: number
  /** Seconds of the server's processor. */
  spent: number
}

async function accept({ url, child }: Started, text: string): Promise<Accepted> {
  const form = new FormData()
  form.set('channel', 'bench')
  form.set('name', 'bench')
  form.set('template', JSON.stringify({ name: 'order_update', language: 'en_US' }))
  form.set('startAt', new Date(Date.now() + 3600_000).toISOString())
  form.set('file', new Blob([text]), 'table.csv')
  const before = cpu(child)
  const begun = performance.now()
  const answer = await fetch(`${url}/broadcasts`, { method: 'POST', headers, body: form })
  const body = await answer.text()
  const seconds = (performance.now() - begun) / 1000
  if (answer.status !== 202) throw new Error(`${answer.status} ${body.slice(0, 500)}`)
  return { ...(JSON.parse(body) as { id: string; total: number }), seconds, spent: (cpu(child) - before) / 1e6 }
}

async function measure(server: Started): Promise<void> {
  const { url, child } = server
  const text = table()
  await fetch(`${url}/broadcasts`, { headers })
  console.log(
    `${rows} rows, ${(text.length / 1024 / 1024).toFixed(1)} MiB; resident before: ${memory(child, 'VmRSS')} MB`
  )
  const alone = await accept(server, text)
  const peak = memory(child, 'VmHWM')
  console.log(`${alone.total} accepted with ${alone.spent.toFixed(1)} s of our processor`)
  console.log(`accepted in ${alone.seconds.toFixed(1)} s ${atMost(alone.seconds, most.seconds)}`)
  console.log(`resident at most: ${peak} MB ${atMost(peak, most.megabytes)}`)
  const look = async (path: string) => {
    const at = performance.now()
    const size = (await (await fetch(url + path, { headers: { ...headers, accept: 'text/csv' } })).text()).length
    return `${(performance.now() - at).toFixed(0)} ms, ${size} bytes`
  }
  console.log(
    `counts: ${await look(`/broadcasts/${alone.id}`)}; results: ${await look(`/broadcasts/${alone.id}/messages`)}`
  )

  // Once more, to see how long it keeps others waiting.
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
  const beside = await accept(server, text)
  over = true
  await others
  console.log(
    `beside a list every 5 ms: accepted in ${beside.seconds.toFixed(1)} s; the lists: ${delays.length}, p50 ${percentile(delays, 0.5).toFixed(1)} ms, p99 ${percentile(delays, 0.99).toFixed(1)} ms, longest ${Math.max(...delays).toFixed(1)} ms`
  )
  const at = performance.now()
  await fetch(`${url}/broadcasts/${beside.id}/cancel`, { method: 'POST', headers })
  console.log(`cancel answered in ${(performance.now() - at).toFixed(0)} ms`)
  for (;;) {
    const { finishedAt } = (await (await fetch(`${url}/broadcasts/${beside.id}`, { headers })).json()) as {
      finishedAt?: string
    }
    if (finishedAt) break
    await wait(100)
  }
  console.log(
    `every message marked after ${((performance.now() - at) / 1000).toFixed(1)} s; resident at most: ${memory(child, 'VmHWM')} MB`
  )
}

try {
  await inDirectory(async directory => {
    const server = await serve(directory)
    await rested(server)
    await measure(server)
  })
} finally {
  for (const end of ends) await end()
}
