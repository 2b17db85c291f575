import t from 'tap'
import { adminKey, startBoard } from '../helper.ts'

const keyed = { 'idempotency-key': 'k' }

t.test('a key is made once, and its secret comes again, though no table holds it readable', async t => {
  const board = await startBoard(t)
  const body = { service: 'billing', mode: 'live', scopes: ['messages:send'] }
  const first = await board.call('POST', '/keys', { body, headers: keyed })
  const again = await board.call('POST', '/keys', { body, headers: keyed })
  t.equal(first.status, 201)
  t.equal(again.text, first.text)
  t.equal(again.headers.location, first.headers.location)
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.equal((await board.call('GET', '/keys?service=billing')).body.items.length, 1)
  const other = await board.call('POST', '/keys', { body: { ...body, service: 'shipping' }, headers: keyed })
  t.equal(other.body.code, 'idempotency_key_reused')
  await board.close()
  const { DatabaseSync } = await import('node:sqlite')
  const db = new DatabaseSync(`${board.directory}/switchboard.db`)
  const rows = db.prepare('select body from idempotency').all() as { body: string }[]
  db.close()
  t.equal(rows.length, 1)
  t.notMatch(JSON.stringify(rows), first.body.secret)
})

t.test('what was refused does not use the key up', async t => {
  const board = await startBoard(t)
  const body = { id: 'new', provider: 'wati', connectionId: 'c', settings: { nonsense: 1 } }
  t.equal((await board.call('POST', '/channels', { body, headers: keyed })).status, 400)
  const right = { ...body, settings: {} }
  t.equal(
    (await board.call('POST', '/channels', { body: right, headers: keyed })).status,
    201,
    'the key was still free'
  )
  t.equal(
    (await board.call('POST', '/channels', { body: right })).status,
    409,
    'the control: without it, a second time is one'
  )
})

t.test('the same upload twice is one file, known by its bytes', async t => {
  const board = await startBoard(t)
  const upload = (bytes: string, key: string) => {
    const form = new FormData()
    form.append('channel', 'cloud')
    form.append('file', new Blob([`%PDF-1.4\n${bytes}\n%%EOF`], { type: 'application/pdf' }), 'a.pdf')
    return fetch(`${board.url}/media`, {
      method: 'POST',
      body: form,
      headers: { authorization: `Bearer ${adminKey}`, 'idempotency-key': key }
    })
  }
  const first = await upload('one', 'u')
  const text = await first.text()
  t.equal(first.status, 201)
  const again = await upload('one', 'u')
  t.equal(await again.text(), text)
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  t.equal((await upload('two', 'u')).status, 422)
  t.equal(board.sandbox.ledger.entries.filter(entry => entry.path.endsWith('/media')).length, 1)
})
