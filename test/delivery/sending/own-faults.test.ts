import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import t from 'tap'
import { adapters } from '../../../src/adapters/index.ts'
import { createChannels } from '../../../src/channels/channels.ts'
import { createSeal } from '../../../src/keys/seal.ts'
import { queueQueries } from '../../../src/messages/queue.ts'
import { openStore } from '../../../src/store/index.ts'
import { StoreUnavailable } from '../../../src/store/store.ts'
import { message, put, returned } from '../../conformance/store-rows.ts'
import { heldSandbox, patient } from '../../held.ts'
import { type Board, cloudSettings, startBoard, until } from '../../helper.ts'
import { log } from '../../store/embedded.ts'
import { badDisk } from '../bad-disk.ts'
import { image, media, sends, status, text } from './own-faults.ts'

// What is not a provider's fault but ours: the store, the disk or the process fails between the row and its answer.

t.test(
  'a store that cannot be read when the wait ends: the message is told as begun, not as "nothing was sent"',
  async t => {
    const { sandbox, letGo } = await heldSandbox(t)
    const board = await startBoard(t, { sandbox, env: patient })
    const whole = StatementSync.prototype.all
    t.teardown(() => {
      StatementSync.prototype.all = whole
    })
    const answer = board.call('POST', '/messages', { body: text('15550100007'), headers: { prefer: 'wait=1' } })
    await until(
      () => board.sandbox.ledger.entries.length,
      count => count === 1
    )
    StatementSync.prototype.all = function (...parameters) {
      if (/^select \* from "messages" where "id"/.test(this.sourceSQL))
        throw Object.assign(new Error('disk I/O error'), { errcode: 10 })
      return whole.apply(this, parameters as never)
    }
    const told = await answer
    StatementSync.prototype.all = whole
    t.match(told, { status: 202, body: { status: 'sending', attempts: 1 } })
    await letGo()
    await until(
      () => status(board, told.body.id),
      row => row.body.status === 'accepted'
    )
  }
)

t.test('an answer that cannot be kept is given all the same, and its key sends nothing again', async t => {
  const board = await startBoard(t)
  const { idempotency } = board.board.app
  const keep = idempotency.keep
  idempotency.keep = async () => {
    throw new StoreUnavailable('full')
  }
  const headers = { 'idempotency-key': 'k', prefer: 'wait=5' }
  const first = await board.call('POST', '/messages', { body: text('14155551234'), headers })
  idempotency.keep = keep
  t.match(first, { status: 201, body: { status: 'accepted' } })
  const again = await board.call('POST', '/messages', { body: text('14155551234'), headers })
  t.match(again, { status: 409, body: { code: 'idempotency_in_progress' } })
  t.equal(sends(board).length, 1)
})

t.test(
  'a file that fails by a fault of ours: the caller is told that it waits, and it is sent once when it can be',
  async t => {
    const board = await startBoard(t)
    const library = media(board)
    let tries = 0
    library.obtain = async () => {
      if (++tries === 1) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      const path = join(board.directory, 'a.png')
      await writeFile(path, 'x')
      return {
        file: { path, size: 1, mimeType: 'image/png', filename: 'a.png' },
        warnings: [],
        dispose: async () => {}
      }
    }
    const answer = await board.call('POST', '/messages', { body: image('14155551234') })
    t.match(answer, { status: 202, body: { status: 'queued' } })
    await until(
      () => status(board, answer.body.id),
      row => row.body.status === 'accepted'
    )
    t.equal(sends(board).length, 1)
  }
)

/** As a process leaves it that dies with the message in hand. */
function die(board: Board, id: string): void {
  const db = new DatabaseSync(join(board.directory, 'switchboard.db'))
  db.prepare(`update messages set state = 'claimed', lease_until = 1 where id = ?`).run(id)
  db.close()
}

t.test('a message that three processes died with is set aside, and nothing of it is sent', async t => {
  // Nobody listens there, so that it waits again whenever it is tried between two deaths.
  const env = { MATON_BASE_URL: 'http://127.0.0.1:9' }
  const first = await startBoard(t, { env })
  const { id } = (await first.call('POST', '/messages', { body: text('14155551234') })).body
  let board = first
  const words: string[] = []
  for (let start = 1; start <= 3; start++) {
    await board.close()
    die(board, id)
    board = await startBoard(t, { env, directory: first.directory, sandbox: first.sandbox })
    // It may be on its way to nobody just now.
    const told = await until(
      () => status(board, id),
      ({ body }) => body.status !== 'sending'
    )
    words.push(told.body.status)
  }
  t.same(words, ['queued', 'queued', 'failed'])
  t.match((await status(board, id)).body.error, { code: 'internal', outcome: 'not_sent' })
})

t.test('a row whose commit failed at the very end is not sent after its caller was told that nothing was', async t => {
  const disk = badDisk(t)
  const board = await startBoard(t)
  const sendAt = new Date(Date.now() + 3600_000).toISOString()
  const post = () =>
    board.call('POST', '/messages', {
      body: { ...text('14155551234'), sendAt },
      headers: { 'idempotency-key': 'k' }
    })
  disk.failing = true
  const answer = await post()
  disk.failing = false
  t.match(answer, { status: 503, body: { outcome: 'not_sent' } })
  const db = new DatabaseSync(join(board.directory, 'switchboard.db'))
  t.teardown(() => db.close())
  const rows = () => db.prepare('select id, state from messages').all()
  await until(rows, ({ length }) => length === 0)
  t.equal(sends(board).length, 0)
  t.equal((await post()).status, 202, 'and its key is free')
  t.match(rows(), [{ state: 'queued' }], 'CONTROL: a row that was kept is seen, and goes out when it is due')
  db.exec('update messages set run_at = 1')
  await until(
    () => sends(board).length,
    count => count === 1
  )
})

t.test('what expires while it is being prepared is not sent', async t => {
  const { sandbox, letGo } = await heldSandbox(t)
  const board = await startBoard(t, { sandbox, env: patient })
  sandbox.force({ operation: 'cloud.listTemplates', fault: 'slow' })
  const end = Date.now() + 1000
  const answer = board.call('POST', '/messages', {
    body: {
      channel: 'cloud',
      to: '14155551234',
      type: 'template',
      template: { name: 'hello_world' },
      expiresAt: new Date(end).toISOString()
    }
  })
  await until(Date.now, now => now > end)
  await letGo()
  t.match(await answer, { status: 400, body: { errors: [{ path: '/expiresAt' }] } })
  t.equal(sends(board).length, 0)
})

t.test('a file that was brought for a message that cannot be said is deleted', async t => {
  const board = await startBoard(t)
  const key = await board.key({ mode: 'test' })
  const answer = await board.call('POST', '/messages', { key, body: { ...image('14155551234'), replyTo: 'wamid.x' } })
  t.match(answer, { status: 422, body: { code: 'unsupported' } })
  await until(
    () => readdirSync(join(board.directory, 'spool')),
    left => left.length === 0
  )
})

t.test('a silent provider does not hold up what comes due after it', async t => {
  const { sandbox } = await heldSandbox(t)
  const board = await startBoard(t, { sandbox, env: patient })
  const post = async (to: string) => {
    const body = { ...text(to), sendAt: new Date(Date.now() + 200).toISOString() }
    return (await board.call('POST', '/messages', { body, headers: { prefer: 'respond-async' } })).body.id as string
  }
  const silent = await post('15550100008')
  await until(
    () => sends(board).length,
    count => count === 1
  )
  const other = await post('14155551234')
  await until(
    () => status(board, other),
    row => row.body.status === 'accepted'
  )
  t.equal((await status(board, silent)).body.status, 'sending', 'it is still waited for')
  await sandbox.close()
})

t.test('a closing process takes no more while the worker finishes', async t => {
  const { sandbox, letGo } = await heldSandbox(t)
  const board = await startBoard(t, { sandbox, env: patient })
  await board.call('POST', '/messages', { body: text('15550100007'), headers: { prefer: 'respond-async' } })
  await until(
    () => board.sandbox.ledger.entries.length,
    count => count === 1
  )
  let over = false
  const closed = board.close().then(() => (over = true))
  const late = () =>
    fetch(`${board.url}/livez`).then(
      ({ status }) => status,
      () => 503
    )
  await until(late, status => status === 503)
  t.notOk(over, 'its answer is waited for')
  await letGo()
  await closed
})

t.test('a channel that another replica has just made is not taken for deleted', async t => {
  const board = await startBoard(t)
  await board.close()
  const store = await openStore({ directory: board.directory }, log)
  t.teardown(() => store.close())
  const shared = { ...store, dialect: 'postgres' as const }
  const here = createChannels({ store, adapters, seal: createSeal('pepper') })
  const there = createChannels({ store: shared, adapters, believeMs: 60_000, seal: createSeal('pepper') })
  t.equal(await there.bind('new', 'live'), undefined)
  await here.create({ id: 'new', provider: 'whatsapp-cloud', connectionId: 'c', settings: cloudSettings }, null)
  t.ok(await there.bind('new', 'live'))
})

t.test('what expired in a long pause is ended in parts, so that no statement is too long for its store', async t => {
  const board = await startBoard(t)
  await board.close()
  const store = await openStore({ directory: board.directory }, log)
  t.teardown(() => store.close())
  await Promise.all(Array.from({ length: 501 }, () => put(store, message({ expires_at: 1000 }))))
  const { expireDue } = queueQueries(store)
  t.equal((await returned(store, expireDue({ entry: '' }))).length, 500)
  t.equal((await returned(store, expireDue({ entry: '' }))).length, 1)
})
