import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { newId } from '../../src/ids.ts'
import { startSandbox } from '../../src/sandbox/index.ts'
import { adminKey, matonKey, until } from '../helper.ts'
import { place } from '../life/run.ts'
import { type Served, serve } from '../process.ts'
import { type Listener, listen } from './listen.ts'

// Many who listen, one who does not read, and a server that dies under them (docs/api.md 12), on a process of its own.

t.setTimeout(600_000)

const memory = ({ child }: Served): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024

async function open(t: Test) {
  const directory = place(t)
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  const start = () => serve(directory, sandbox.url)
  let served = await start()
  t.teardown(async () => {
    served.child.kill('SIGKILL')
    await served.ended
    await sandbox.close()
  })
  const body = JSON.stringify({
    service: 'billing',
    mode: 'live',
    scopes: ['events:read', 'inbound:read', 'messages:send']
  })
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  const made = await request(`${served.url}/keys`, { method: 'POST', headers, body })
  const { secret: key } = (await made.body.json()) as { secret: string }
  const db = new DatabaseSync(join(directory, 'switchboard.db'), { timeout: 60_000 })
  t.teardown(() => db.close())
  const insert = db.prepare(`insert into messages (id, service, key_id, mode, channel_id, provider, direction, contact,
    type, content, state, final, attempts, lane, queue, run_at, timeline, created_at)
    values (?, '', '', 'live', 'cloud', 'whatsapp-cloud', 'inbound', ?, 'text', ?, 'received', 1, 0, 0, '', 1, '', 1)`)
  return {
    key,
    served: () => served,
    /** So many people write at once, so many characters each. */
    write: (count: number, size = 10): string[] => {
      const content = JSON.stringify({ body: 'x'.repeat(size) })
      const ids = Array.from({ length: count }, () => newId('msg'))
      db.exec('begin immediate')
      for (const [i, id] of ids.entries()) insert.run(id, `1415555${1000 + (i % 1000)}`, content)
      db.exec('commit')
      return ids
    },
    /** Ends the server as a power cut does, and starts it again. */
    again: async () => {
      served.child.kill('SIGKILL')
      await served.ended
      served = await start()
    }
  }
}
/** Asks again where the server has too much to do at the moment, as it says (503). */
async function listenSoon(url: string, key: string): Promise<Listener> {
  for (;;) {
    const one = await listen(url, key)
    if (one.status === 200) return one
    if (one.status !== 503) throw new Error(`answered with ${one.status}`)
    await one.ended
  }
}
const idsOf = ({ events }: Pick<Listener, 'events'>) => events.map(({ data }) => (data.data as { id: string }).id)

t.test('a thousand streams get every event in its order, in bounded memory', async t => {
  const { key, served, write } = await open(t)
  const before = memory(served())
  const listeners = await Promise.all(Array.from({ length: 1000 }, () => listenSoon(served().url, key)))
  await until(
    () => listeners.filter(each => each.lastId() === '').length,
    left => left === 0
  )
  const waiting = memory(served())
  const ids: string[] = []
  for (let round = 1; round <= 5; round++) {
    ids.push(...write(6))
    await until(
      () => listeners.filter(({ events }) => events.length < round * 6).length,
      left => left === 0,
      120_000
    )
  }
  for (const each of listeners) if (idsOf(each).join() !== ids.join()) t.fail('one got others, or in another order')
  t.comment(`${before} MiB, ${waiting} MiB with 1,000 that wait, ${memory(served())} MiB after 30,000 events`)
  t.ok(waiting - before < 200, 'a stream that waits takes less than 200 KiB')
  t.ok(memory(served()) - before < 250)
  for (const each of listeners) each.close()
  await Promise.all(listeners.map(each => each.ended))
})

t.test('whoever does not read holds little, and reads on without a gap', async t => {
  const { key, served, write } = await open(t)
  const quick = await listen(served().url, key)
  await until(quick.lastId, id => id !== '')
  const ids: string[] = []
  /** 40 MB of events, which the other one reads. */
  const much = async () => {
    for (let i = 0; i < 10; i++) {
      ids.push(...write(400, 10_000))
      await until(
        () => quick.events.length,
        count => count === ids.length,
        120_000
      )
    }
    return memory(served())
  }
  const before = await much()
  const { port } = new URL(served().url)
  const lazy = Array.from({ length: 8 }, () => connect(Number(port), '127.0.0.1'))
  for (const socket of lazy) {
    socket.write(`GET /events/stream HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n\r\n`)
    await new Promise(resolve => socket.once('data', resolve))
    socket.pause()
  }
  const after = await much()
  t.comment(`40 MB of events: ${before} MiB where all is read, ${after} MiB where eight read nothing of them`)
  t.ok(after - before < 120, 'what waits for them, 320 MB, waits in the store')
  t.strictSame(idsOf(quick), ids, 'the other one was not held up')
  const unread = ids.slice(-4000)
  let text = ''
  lazy[0]!.on('data', chunk => (text += chunk)).resume()
  const read = () => [...text.matchAll(/"data":\{"id":"(msg_\w+)"/g)].map(([, id]) => id)
  await until(
    () => text.length,
    length => length > 40_000_000 && read().length >= unread.length,
    120_000
  )
  t.strictSame(read(), unread)
  const held = () => readdirSync(`/proc/${served().child.pid}/fd`).length
  const most = held()
  await until(held, now => now <= most - 7, 120_000)
  t.pass('whoever takes nothing for a minute is cut off')
  t.equal(idsOf(quick).length, ids.length)
  for (const socket of lazy) socket.destroy()
  quick.close()
})

t.test('over a server that dies and comes back nothing is missing and nothing comes twice', async t => {
  const { key, served, write, again } = await open(t)
  const ids: string[] = []
  const got: string[] = []
  let last = ''
  for (let round = 0; round < 4; round++) {
    const one = await listen(served().url, key, last ? { lastId: last } : {})
    await until(one.lastId, id => id !== '')
    ids.push(...write(30))
    // In the middle of it, wherever that is.
    await until(
      () => one.events.length,
      count => count >= 5
    )
    ids.push(...write(30))
    if (round < 3) await again()
    else
      await until(
        () => got.length + one.events.length,
        count => count >= ids.length
      )
    one.close()
    await one.ended
    got.push(...idsOf(one))
    last = one.lastId()
  }
  t.strictSame(got, ids)
})
