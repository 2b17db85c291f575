import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import t from 'tap'
import { createBroadcastLifecycle } from '../../src/broadcasts/lifecycle.ts'
import { broadcastQueries } from '../../src/broadcasts/queries.ts'
import { newId } from '../../src/ids.ts'
import { blockKey, blockQueries } from '../../src/messages/blocks.ts'
import { queueOf } from '../../src/messages/queue.ts'
import { batchSize } from '../../src/messages/transitions/broadcast.ts'
import { startSandbox } from '../../src/sandbox/index.ts'
import { openStore } from '../../src/store/index.ts'
import type { Store } from '../../src/store/store.ts'
import { matonKey, startBoard, until } from '../helper.ts'
import { calm, ended, phone, table, upload } from './order.ts'

const log = pino({ level: 'silent' })

/** A draft as a process leaves it that dies between two batches. */
async function leaveDraft(store: Store, count: number, startedAt: number): Promise<string> {
  const queries = broadcastQueries(store)
  const id = newId('brd')
  const owner = {
    service: 'admin',
    key_id: 'key_1',
    mode: 'live',
    channel_id: 'cloud',
    created_at: Date.now()
  } as const
  const rows = Array.from({ length: count }, (_, i) => [
    newId('msg'),
    phone(i),
    JSON.stringify({ name: 'order_update', language: 'en_US', variables: { name: 'Ada', ordernumber: '1' } }),
    null
  ])
  await store.write(function* () {
    yield queries.insert({
      ...owner,
      id,
      name: 'May',
      template: '{"name":"order_update"}',
      status: 'draft',
      total: 1000,
      duplicates: 0,
      skipped: 0,
      suppressed: 0,
      sending_window: null,
      rate_per_second: null,
      start_at: null,
      started_at: startedAt,
      finished_at: null
    })
    yield blockQueries(store).stop({ key: blockKey.broadcast(id), detail: 'storing', at: Date.now() })
    yield queries.addMessages({
      ...owner,
      broadcast_id: id,
      template: 'order_update',
      provider: 'whatsapp-cloud',
      queue: queueOf({ ...owner, lane: 1, broadcast_id: id }),
      run_at: Date.now() - 1000,
      send_at: null,
      expires_at: Date.now() + 3600_000,
      traceparent: null,
      rows: JSON.stringify(rows)
    })
  })
  return id
}
const left = async (store: Store, id: string) => {
  const queries = broadcastQueries(store)
  return {
    broadcast: (await store.read(queries.byId({ id }))).length,
    messages: (await store.read(queries.messages(id, {}, { limit: 5000 }))).length,
    blocks: (await store.read(blockQueries(store).all({}))).length
  }
}

t.test('a draft that a crash left is taken away at the next start, and nobody of it is written to', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-draft-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const sandbox = await startSandbox({ apiKey: matonKey })
  t.teardown(() => sandbox.close())
  const first = await startBoard(t, { directory, sandbox })
  const settings = { phoneNumberId: '106540352242922', businessAccountId: '102290129340398' }
  await calm(first, 'POST', '/channels', {
    body: { id: 'cloud', provider: 'whatsapp-cloud', connectionId: 'c', settings }
  })
  const whole = await upload(first, table(2))
  await ended(first, whole.body.id)
  await first.close()
  sandbox.ledger.clear()

  const store = await openStore({ directory }, log)
  const id = await leaveDraft(store, batchSize * 2 + 1, Date.now())
  t.match(await left(store, id), { broadcast: 1, messages: batchSize * 2 + 1, blocks: 1 }, 'CONTROL: it is there')
  await store.close()

  const second = await startBoard(t, { directory, sandbox })
  t.equal((await calm(second, 'GET', `/broadcasts/${id}`)).status, 404)
  const { body } = await until(
    () => calm(second, 'GET', '/messages?limit=100'),
    answer => answer.body.items.length === 2
  )
  t.equal(body.items[0].broadcastId, whole.body.id, 'what was complete is still there')
  await second.close()
  t.strictSame(
    sandbox.ledger.entries.flatMap(({ deliveries }) => deliveries),
    []
  )
  const after = await openStore({ directory }, log)
  t.strictSame(await left(after, id), { broadcast: 0, messages: 0, blocks: 0 })
  await after.close()
})

t.test('a draft that somebody may be at work on is left alone where several processes share a store', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-draft-'))
  const store = await openStore({ directory }, log)
  t.teardown(async () => {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  })
  /** As on a database that others use too: the start knows nothing of them. */
  const shared: Store = { ...store, dialect: 'postgres', build: store.build }
  const queries = broadcastQueries(store)
  const fresh = await leaveDraft(store, 3, Date.now())
  const dead = await leaveDraft(store, 3, Date.now() - 3600_000)
  const watch = createBroadcastLifecycle(shared, queries, blockQueries(store), log, () => {})
  await watch.start()
  await watch.look()
  await until(
    () => left(store, dead),
    ({ broadcast }) => broadcast === 0
  )
  t.match(await left(store, fresh), { broadcast: 1, messages: 3 })
  t.match(await left(store, dead), { broadcast: 0, messages: 0 })
  await watch.stop()
})
