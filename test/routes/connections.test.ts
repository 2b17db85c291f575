import t from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { patient } from '../held.ts'
import { adminKey, matonKey, startBoard } from '../helper.ts'
import { raw } from '../raw.ts'
import { closedPort, openStub, type Play } from '../upstream/stub.ts'

const [watiOne, cloudOne, pending, failed] = ['1', '2', '3', '4'].map(
  digit => `${digit.repeat(8)}-${digit.repeat(4)}-4${digit.repeat(3)}-8${digit.repeat(3)}-${digit.repeat(12)}`
)
type Listed = { id: string; provider: string; status: string; authorizationUrl?: string }

t.test('connections are listed in our words, and filtered by the words of Maton', async t => {
  const board = await startBoard(t)
  const all = (await board.call('GET', '/connections')).body
  t.equal(all.nextCursor, null)
  t.match(all.items, [
    { id: watiOne, provider: 'wati', status: 'active', method: 'api_key', createdAt: '2025-12-08T07:20:53.488Z' },
    { id: cloudOne, provider: 'whatsapp-cloud', status: 'active', method: 'oauth2', channels: [] },
    { id: pending, provider: 'wati', status: 'pending' },
    { id: failed, provider: 'whatsapp-cloud', status: 'failed' }
  ])
  const ids = async (query: string) =>
    (await board.call('GET', `/connections?${query}`)).body.items.map((each: Listed) => each.id)
  t.strictSame(await ids('provider=wati'), [watiOne, pending])
  t.strictSame(await ids('status=failed'), [failed])
  t.strictSame(await ids('provider=whatsapp-cloud&status=active'), [cloudOne])
  const entry = board.sandbox.ledger.entries.at(-1)!
  t.match(entry, { operation: 'maton.listConnections', method: 'GET', path: '/connections', body: null })
  t.strictSame({ ...entry.query }, { app: 'whatsapp-business', status: 'ACTIVE' })
  t.strictSame(
    Object.keys(entry.headers).sort(),
    ['accept', 'accept-encoding', 'authorization', 'connection', 'host', 'user-agent'],
    'no header of the caller, and no connection'
  )
  t.equal(entry.headers.authorization, `Bearer ${matonKey}`)
  t.match(await board.call('GET', '/connections?status=ACTIVE'), {
    status: 400,
    body: { errors: [{ path: 'query/status' }] }
  })
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('one is begun, completed by its link, used by a channel, and deleted', async t => {
  const board = await startBoard(t)
  const headers = { 'idempotency-key': 'one' }
  const body = { provider: 'whatsapp-cloud' }
  const made = await board.call('POST', '/connections', { body, headers })
  const { id } = made.body
  t.match(made, {
    status: 201,
    headers: { location: `/connections/${id}`, 'cache-control': 'no-store' },
    body: { provider: 'whatsapp-cloud', status: 'pending', method: 'oauth2', channels: [] }
  })
  t.match(made.body.authorizationUrl, /^https:\/\/connect\.maton\.ai\/\?session_token=/)
  t.match(board.sandbox.ledger.entries.at(-1), {
    operation: 'maton.createConnection',
    path: '/connections',
    body: { app: 'whatsapp-business' },
    headers: { 'content-type': 'application/json' }
  })
  const again = await board.call('POST', '/connections', { body, headers })
  t.equal(again.text, made.text)
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.match(await board.call('POST', '/connections', { body: { provider: 'wati' }, headers }), {
    status: 422,
    body: { code: 'idempotency_key_reused' }
  })
  t.equal(board.sandbox.ledger.entries.filter(each => each.operation === 'maton.createConnection').length, 1)

  await board.call('PATCH', '/channels/cloud', { body: { connectionId: id } })
  t.match((await board.call('GET', `/connections/${id}`)).body, { id, channels: ['cloud'] })
  const calls = () => board.sandbox.ledger.entries.filter(each => each.operation === 'maton.deleteConnection').length
  t.match(await board.call('DELETE', `/connections/${id}`), {
    status: 409,
    body: { code: 'conflict', detail: /cloud/ }
  })
  t.match(await board.call('DELETE', `/connections/${id}?force=perhaps`), { status: 400 })
  t.equal(calls(), 0)
  const elsewhere = await board.key({ scopes: ['connections:write'], channels: ['wati'] })
  t.match(await board.call('DELETE', `/connections/${id}?force=true`, { key: elsewhere }), { status: 403 })
  t.equal(calls(), 0, 'a key without the channel does not take its connection away')
  t.equal((await board.call('DELETE', `/connections/${id}?force=true`)).status, 204)
  t.equal(calls(), 1)
  t.match(board.sandbox.ledger.entries.at(-1), { method: 'DELETE', path: `/connections/${id}`, body: null })
  t.match(await board.call('GET', `/connections/${id}`), { status: 404, body: { code: 'not_found' } })
  t.match(await board.call('DELETE', `/connections/${id}`), { status: 404 })
  const { items } = (await board.call('GET', `/audit?target=${id}`)).body
  t.match(items, [
    { action: 'connection.deleted', actor: 'admin', detail: { channels: ['cloud'] } },
    { action: 'connection.created', detail: { provider: 'whatsapp-cloud' } }
  ])
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('the link is given to connections:write alone, and stands in no log and no audit', async t => {
  const board = await startBoard(t)
  const reader = await board.key({ scopes: ['connections:read'] })
  const both = await board.key({ scopes: ['connections:read', 'connections:write'], channels: ['wati'] })
  const made = (await board.call('POST', '/connections', { key: both, body: { provider: 'wati' } })).body
  const seen = await board.call('GET', `/connections/${made.id}`, { key: reader })
  t.match(seen, { status: 200, headers: { 'cache-control': 'no-store' }, body: { status: 'pending' } })
  const list = await board.call('GET', '/connections', { key: reader })
  t.equal(list.body.items.length, 5)
  t.notMatch(seen.text + list.text, /connect\.maton|session_token|authorizationUrl/)
  const token = new URL(made.authorizationUrl).searchParams.get('session_token')!
  t.match((await board.call('GET', `/connections/${made.id}`, { key: both })).text, token, 'CONTROL: it is the secret')
  await board.board.app.close()
  const written = board.log.join('\n')
  t.ok(written.includes('createConnection'))
  for (const secret of [token, 'session_token', matonKey]) t.notOk(written.includes(secret), secret)
})

t.test('a test key sees the connections of the sandbox, and those of the account stay as they are', async t => {
  const account = await startSandbox({ apiKey: matonKey })
  t.teardown(() => account.close())
  const board = await startBoard(t, { env: { MATON_CONTROL_URL: `${account.url}` } })
  const key = await board.key({ mode: 'test', scopes: ['connections:read', 'connections:write'] })
  t.equal((await board.call('GET', '/connections', { key })).body.items.length, 4)
  t.equal((await board.call('DELETE', `/connections/${pending}`, { key })).status, 204)
  t.equal(account.ledger.entries.length, 0, 'nothing of that reached the account')
  t.equal((await board.call('GET', '/connections')).body.items.length, 4)
  t.equal(account.ledger.entries.length, 1, 'CONTROL: a live key does, at MATON_CONTROL_URL')
  t.equal(board.sandbox.ledger.entries.length, 0)
})

t.test('ids that are none never leave', async t => {
  const board = await startBoard(t)
  const hostile = [
    '..',
    '%2e%2e',
    'a%2Fb',
    '%2e%2e%2fconnections',
    'a%00',
    'a%0d%0ab',
    'a%20b',
    '%C3%A9',
    'a%3Fb',
    'a;b'
  ]
  const headers = { authorization: `Bearer ${adminKey}` }
  for (const id of [...hostile, 'a'.repeat(129), 'a'.repeat(10_000), '%25', '~', 'a.b', '*', '@'])
    for (const method of ['GET', 'DELETE']) {
      const { status, bytes } = await raw(board.url, method, `/connections/${id}`, { headers })
      t.equal(status, 400, `${method} ${id.slice(0, 40)}`)
      t.match(JSON.parse(bytes.toString()), { code: 'invalid_request', errors: [{ path: 'path/id' }] })
    }
  t.equal(board.sandbox.ledger.entries.length, 0)
  t.equal((await board.call('GET', '/connections/conn-1')).status, 404)
  t.equal(board.sandbox.ledger.entries.length, 1, 'CONTROL: an id of the right form is asked for')
})

t.test('what Maton cannot do or say is told by its code, once asked and never again', async t => {
  const url = 'https://connect.maton.ai/?session_token=canary-0123456789'
  const cases: [play: Play, read: [number, string], write: [number, string, string]][] = [
    [{ status: 401 }, [502, 'channel_rejected'], [502, 'channel_rejected', 'not_sent']],
    [{ status: 403, body: { message: url } }, [502, 'channel_rejected'], [502, 'channel_rejected', 'not_sent']],
    [{ status: 404 }, [502, 'provider_protocol'], [422, 'message_rejected', 'not_sent']],
    [{ status: 400, body: { url } }, [422, 'message_rejected'], [422, 'message_rejected', 'not_sent']],
    [{ status: 429 }, [429, 'rate_limited'], [429, 'rate_limited', 'not_sent']],
    [{ status: 500, body: url }, [503, 'provider_unavailable'], [504, 'outcome_unknown', 'unknown']],
    [
      { status: 302, headers: { location: 'https://evil.example/' } },
      [502, 'provider_protocol'],
      [504, 'outcome_unknown', 'unknown']
    ],
    [{ status: 200, body: '<html>' }, [502, 'provider_protocol'], [502, 'provider_protocol', 'unknown']],
    [{ status: 200, body: { connection: null } }, [502, 'provider_protocol'], [502, 'provider_protocol', 'unknown']],
    ['reset', [503, 'provider_unavailable'], [504, 'outcome_unknown', 'unknown']],
    ['cut', [503, 'provider_unavailable'], [504, 'outcome_unknown', 'unknown']],
    ['silence', [503, 'provider_unavailable'], [504, 'outcome_unknown', 'unknown']]
  ]
  let play: Play = 'reset'
  const stub = await openStub(() => play, { connection: { url } })
  t.teardown(() => stub.close())
  const env = { MATON_CONTROL_URL: stub.url }
  const patiently = await startBoard(t, { env: { ...env, ...patient } })
  const hastily = await startBoard(t, { env: { ...env, UPSTREAM_TIMEOUT_MS: '400' } })
  let board = patiently
  for (const [now, [readStatus, readCode], [status, code, outcome]] of cases) {
    play = now
    // Only what never answers meets a deadline that a busy machine may miss.
    board = now === 'silence' ? hastily : patiently
    const asked = stub.seen.length
    const name = JSON.stringify(now)
    t.match(await board.call('GET', '/connections'), { status: readStatus, body: { code: readCode } }, name)
    const wrote = await board.call('POST', '/connections', { body: { provider: 'wati' } })
    t.match(wrote, { status, body: { code, outcome } }, name)
    t.ok(stub.seen.length - asked <= 2, 'no hidden retry')
    t.notMatch(wrote.text, /canary/)
  }
  board = patiently
  play = { status: 404 }
  t.match(await board.call('GET', '/connections/abc'), { status: 404 })
  play = { status: 200, body: { connection: { connection_id: 'abc', app: 'google-mail', status: 'ACTIVE', url } } }
  t.match(
    await board.call('DELETE', '/connections/abc'),
    { status: 404 },
    'a connection of another app is none of ours'
  )
  t.notOk(stub.seen.some(({ method }) => method === 'DELETE'))
  play = { status: 200, body: { connection: { connection_id: 'abc', app: 'wati', status: 'RESTING' } } }
  t.match((await board.call('GET', '/connections/abc')).body, { status: 'unknown', createdAt: null, updatedAt: null })
  play = { status: 200, body: { connections: [null, 1, { connection_id: '../x', app: 'wati' }, { app: 'wati' }] } }
  t.strictSame((await board.call('GET', '/connections')).body.items, [], 'what is no connection is left out')
  t.notMatch(board.log.join(''), /canary|session_token/)
  const nobody = await startBoard(t, { env: { MATON_CONTROL_URL: `http://127.0.0.1:${await closedPort()}` } })
  t.match(await nobody.call('POST', '/connections', { body: { provider: 'wati' } }), {
    status: 503,
    body: { code: 'provider_unavailable', outcome: 'not_sent' }
  })
})

t.test('a deletion is believed by its status, whatever its body', async t => {
  const one = { connection: { connection_id: 'abc', app: 'wati', status: 'ACTIVE' } }
  for (const answer of [{ status: 200 }, { status: 204 }, { status: 200, body: 'OK' }] as const) {
    const stub = await openStub(({ method }) => (method === 'DELETE' ? answer : { status: 200, body: one }))
    t.teardown(() => stub.close())
    const board = await startBoard(t, { env: { MATON_CONTROL_URL: stub.url } })
    t.equal((await board.call('DELETE', '/connections/abc')).status, 204)
  }
})
