import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as open } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { patient } from '../held.ts'
import { adminKey, matonKey, startBoard } from '../helper.ts'
import { raw } from '../raw.ts'
import { closedPort, openStub, type Play } from '../upstream/stub.ts'

const bearer = { authorization: `Bearer ${adminKey}` }
const json = { ...bearer, 'content-type': 'application/json' }

t.test('what the provider offers can be asked for in its own words, through the channel', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes: ['native'], channels: ['wati', 'cloud'] })
  const contacts = await board.call('GET', '/channels/wati/native/api/v1/getContacts?pageSize=2&pageNumber=1', { key })
  t.match(contacts, { status: 200, body: { result: 'success' } })
  t.equal(contacts.body.contact_list.length, 2)
  t.match(board.sandbox.ledger.entries.at(-1), {
    path: '/wati/api/v1/getContacts',
    query: { pageSize: '2', pageNumber: '1' },
    headers: { authorization: `Bearer ${matonKey}`, 'maton-connection': 'wati-connection' }
  })
  const body = { messaging_product: 'whatsapp', to: '14155551234', type: 'text', text: { body: 'Hello' } }
  const sent = await board.call('POST', '/channels/cloud/native/v24.0/106540352242922/messages', { key, body })
  t.match(sent, { status: 200, body: { messages: [{ id: /^wamid\./ }] } })
  t.match(board.sandbox.ledger.entries.at(-1), {
    operation: 'cloud.sendMessage',
    path: '/whatsapp-business/v24.0/106540352242922/messages',
    body,
    headers: { 'maton-connection': 'cloud-connection', 'content-type': 'application/json' }
  })
  t.strictSame(board.sandbox.ledger.violations(), [])
  const gone = await board.call('GET', '/channels/cloud/native/v24.0/1')
  t.match(gone, { status: 400, body: { error: { type: /./ } } }, 'a refusal comes as the provider said it')
  const { items } = (await board.call('GET', '/audit?target=cloud&limit=5')).body
  t.match(items[0], {
    action: 'native.called',
    detail: { method: 'POST', path: '/v24.0/…2922/messages', mode: 'live', requestId: /^req_/ }
  })
  t.equal(items.filter((each: { action: string }) => each.action === 'native.called').length, 1, 'reads leave none')
  const lines = board.log.filter(line => line.includes('"operation":"native"')).map(line => JSON.parse(line))
  t.match(lines[1], { channel: 'cloud', method: 'POST', path: '/v24.0/…2922/messages', code: 'ok', status: 200 })
  t.match(
    (await board.call('GET', '/metrics')).text,
    /upstream_calls_total\{provider="whatsapp-cloud",operation="native",result="ok"\}/
  )
  t.notMatch(board.log.join(''), matonKey)
})

t.test('of the headers only the named ones travel, in both directions', async t => {
  const stub = await openStub({
    status: 418,
    headers: {
      'content-type': 'text/csv',
      'content-disposition': 'attachment; filename="a.csv"',
      'set-cookie': 'a=b',
      'x-powered-by': 'WATI',
      'access-control-allow-origin': '*',
      'x-leak': matonKey
    },
    body: `a,b\n${matonKey}\n`
  })
  t.teardown(() => stub.close())
  const board = await startBoard(t, { env: { MATON_BASE_URL: `${stub.url}/base` } })
  const headers = {
    ...bearer,
    'content-type': 'application/x-anything',
    accept: 'text/csv',
    cookie: 'session=1',
    'maton-connection': 'another',
    'x-request-id': 'mine',
    'idempotency-key': 'k',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'x-forwarded-for': '10.0.0.1',
    prefer: 'wait=1',
    expect: '100-continue',
    'content-length': '3',
    te: 'trailers',
    origin: 'https://evil.example'
  }
  const target = '/channels/wati/native/api/v1/any%20thing?b=2&a=1&a=%0A+%2B&q={"x":[1]}'
  const answer = await raw(board.url, 'PUT', target, { headers, body: 'abc' })
  t.equal(answer.status, 418)
  t.match(answer.headers, {
    'content-type': 'text/csv',
    'content-disposition': 'attachment; filename="a.csv"',
    'x-content-type-options': 'nosniff',
    'x-request-id': 'mine'
  })
  for (const name of ['set-cookie', 'x-powered-by', 'access-control-allow-origin', 'x-leak'])
    t.notOk(answer.headers[name], name)
  t.equal(answer.bytes.toString(), `a,b\n${'*'.repeat(matonKey.length)}\n`, 'our key does not come back')
  const seen = stub.seen[0]!
  t.equal(seen.method, 'PUT')
  t.equal(seen.url, '/base/wati/api/v1/any%20thing?b=2&a=1&a=%0A+%2B&q=%7B%22x%22:%5B1%5D%7D', 'the query as it came')
  t.strictSame(Object.fromEntries(seen.headers), {
    host: new URL(stub.url).host,
    connection: 'keep-alive',
    accept: 'text/csv',
    'accept-encoding': 'identity',
    'content-type': 'application/x-anything',
    'content-length': '3',
    authorization: `Bearer ${matonKey}`,
    'user-agent': 'switchboard',
    'maton-connection': 'wati-connection'
  })
  t.equal(seen.body.toString(), 'abc')
  await raw(board.url, 'PUT', target, { headers, body: 'abc' })
  t.equal(stub.seen.length, 2, 'Idempotency-Key has no meaning here')
})

t.test('bytes pass as they are, of every type and length', async t => {
  const file = randomBytes(3 * 1024 * 1024)
  let stubbed = 0
  const stub = await openStub(({ body }) => {
    stubbed++
    return {
      status: 201,
      headers: { 'content-type': 'application/octet-stream' },
      body: body.length ? body : undefined
    }
  })
  t.teardown(() => stub.close())
  const board = await startBoard(t, { env: { MATON_BASE_URL: stub.url } })
  const path = '/channels/cloud/native/v24.0/1/media'
  for (const type of ['application/json', 'multipart/form-data; boundary=x', 'text/plain', 'image/png', undefined]) {
    const headers: Record<string, string> = { ...bearer, ...(type && { 'content-type': type }) }
    const chunked = { ...headers, 'transfer-encoding': 'chunked' }
    for (const each of [{ ...headers, 'content-length': String(file.length) }, chunked]) {
      const answer = await raw(board.url, 'POST', path, { headers: each, body: file })
      t.equal(answer.status, 201, String(type))
      t.ok(answer.bytes.equals(file), 'the same bytes back')
      t.equal(answer.headers['content-length'], String(file.length))
    }
  }
  const broken = await raw(board.url, 'POST', path, { headers: json, body: '{"not": json' })
  t.equal(broken.bytes.toString(), '{"not": json', 'it is not ours to judge')
  t.equal((await raw(board.url, 'DELETE', path, { headers: bearer })).bytes.length, 0)
  t.equal((await raw(board.url, 'POST', path, { headers: { ...json, 'content-length': '0' } })).status, 201)
  const calls = stubbed
  const over = { ...json, 'content-length': String(100 * 1024 * 1024 + 1) }
  const refused = await raw(board.url, 'POST', path, { headers: over, body: 'x' }).catch(() => undefined)
  if (refused) t.equal(refused.status, 413)
  t.equal(stubbed, calls, 'over 100 MB nothing leaves')
  t.match(await board.call('POST', '/messages', { headers: { 'content-type': 'text/plain' }, body: '{}' }), {
    status: 415
  })
})

t.test('nothing is gathered: the first bytes arrive while the last are still to come, in both directions', async t => {
  let respond: ((text: string) => void) | undefined
  const first: string[] = []
  const server = createServer((request, response) => {
    request.on('data', chunk => {
      first.push(chunk.toString())
      response.write(`got ${chunk}`)
    })
    request.on('end', () => {
      respond = text => response.end(text)
      response.write('waiting')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const board = await startBoard(t, {
    env: { MATON_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  })
  const outgoing = open(`${board.url}/channels/wati/native/api/v1/x`, { method: 'POST', headers: bearer })
  outgoing.write('one')
  const [answer] = await once(outgoing, 'response')
  const next = async (): Promise<string> => String((await once(answer, 'data'))[0])
  t.equal(await next(), 'got one')
  t.strictSame(first, ['one'], 'while the caller is still writing')
  const waiting = next()
  outgoing.end()
  t.equal(await waiting, 'waiting')
  const end = next()
  respond!('done')
  t.equal(await end, 'done')
})

t.test('an answer that must not pass, or none, is a problem that says what may have happened', async t => {
  const location = { location: 'https://evil.example/x' }
  const cases: [play: Play, read: [number, string, string], write: [number, string, string]][] = [
    [{ status: 401, body: { x: 1 } }, [502, 'channel_rejected', 'not_sent'], [502, 'channel_rejected', 'not_sent']],
    [{ status: 403 }, [502, 'channel_rejected', 'not_sent'], [502, 'channel_rejected', 'not_sent']],
    [{ status: 302, headers: location }, [502, 'provider_protocol', 'not_sent'], [502, 'provider_protocol', 'unknown']],
    [{ status: 307, headers: location }, [502, 'provider_protocol', 'not_sent'], [502, 'provider_protocol', 'unknown']],
    ['reset', [503, 'provider_unavailable', 'not_sent'], [504, 'outcome_unknown', 'unknown']],
    ['close', [503, 'provider_unavailable', 'not_sent'], [504, 'outcome_unknown', 'unknown']],
    ['silence', [503, 'provider_unavailable', 'not_sent'], [504, 'outcome_unknown', 'unknown']]
  ]
  let play: Play = 'reset'
  const stub = await openStub(() => play)
  t.teardown(() => stub.close())
  const patiently = await startBoard(t, { env: { MATON_BASE_URL: stub.url, ...patient } })
  const hastily = await startBoard(t, { env: { MATON_BASE_URL: stub.url, UPSTREAM_TIMEOUT_MS: '500' } })
  let board = patiently
  const path = '/channels/cloud/native/v24.0/1/messages'
  for (const [now, ...expected] of cases) {
    play = now
    // Only what never answers meets a deadline that a busy machine may miss.
    board = now === 'silence' ? hastily : patiently
    for (const [i, method] of ['GET', 'POST'].entries()) {
      const asked = stub.seen.length
      const [status, code, outcome] = expected[i]!
      const answer = await board.call(method, path, method === 'POST' ? { body: { a: 1 } } : {})
      t.match(answer, { status, body: { code, outcome } }, `${method} ${JSON.stringify(now)}`)
      t.equal(stub.seen.length, asked + 1, 'once, and no hidden retry')
    }
  }
  board = patiently
  play = 'cut'
  await t.rejects(raw(board.url, 'GET', path, { headers: bearer }), 'a body that breaks off breaks off here')
  play = 'stall'
  const stalled = await hastily.call('POST', path, { body: {} })
  t.match(stalled, { status: 504, body: { code: 'outcome_unknown' } }, 'one that never begins ends at the deadline')
  play = { status: 500, body: { error: 'theirs' } }
  t.match(
    await board.call('POST', path, { body: {} }),
    { status: 500, body: { error: 'theirs' } },
    'CONTROL: 500 passes'
  )
  play = { status: 204 }
  t.match(await board.call('DELETE', path), { status: 204, text: '' })
  const away = await startBoard(t, { env: { MATON_BASE_URL: `http://127.0.0.1:${await closedPort()}` } })
  const lost = { body: { code: 'provider_unavailable', outcome: 'not_sent' }, status: 503 }
  t.match(await away.call('POST', path, { body: { a: 'x'.repeat(100_000) } }), lost, 'nothing left')
})

t.test('HEAD asks as GET does; other methods are a 405, and keys need their rights', async t => {
  const board = await startBoard(t)
  const path = '/channels/wati/native/api/v1/getContacts'
  const stub = await openStub({ status: 200, body: { a: 1 } })
  t.teardown(() => stub.close())
  const other = await startBoard(t, { env: { MATON_BASE_URL: stub.url } })
  const head = await raw(other.url, 'HEAD', path, { headers: bearer })
  t.match(head, { status: 200, headers: { 'content-type': /json/ } })
  t.equal(head.bytes.length, 0)
  t.equal(stub.seen[0]!.method, 'HEAD')
  const wrong = await board.call('OPTIONS', path)
  t.match(wrong, { status: 405, body: { code: 'method_not_allowed' }, headers: { allow: /GET/ } })
  for (const [input, status] of [
    [{ scopes: ['messages:send', 'channels:read'] }, 403],
    [{ scopes: ['native'], channels: ['cloud'] }, 403],
    [{ scopes: ['native'], templates: ['x'] }, 403],
    [{ scopes: ['native'], recipientPrefixes: ['49'] }, 403],
    [{ scopes: ['native'] }, 200]
  ] as const)
    t.equal((await board.call('GET', path, { key: await board.key(input) })).status, status, JSON.stringify(input))
  t.equal(board.sandbox.ledger.entries.length, 1)
  t.equal((await board.call('GET', '/channels/nowhere/native/x')).status, 404)
  const test = await board.key({ mode: 'test', scopes: ['native'] })
  t.equal((await board.call('GET', path, { key: test })).status, 200)
  t.equal(board.sandbox.ledger.entries.length, 1, 'a test key goes to the built-in sandbox')
})

t.test('Swagger UI, which would encode the slashes of the path, is told not to', async t => {
  const board = await startBoard(t)
  const { text } = await board.call('GET', '/docs/static/swagger-initializer.js', { key: '' })
  const source = /"?requestInterceptor"?:\s*(function nativePath[\s\S]+?\n\})/.exec(text)?.[1]
  t.ok(source, 'it is part of the page')
  const intercept = new Function(`return (${source})`)() as (request: { url: string }) => { url: string }
  const url = `${board.url}/channels/wati/native/api%2Fv1%2FgetContacts?name=a%2Fb`
  const path = '/channels/wati/native/api/v1/getContacts?name=a%2Fb'
  t.strictSame(intercept({ url }), { url: board.url + path })
  t.strictSame(intercept({ url: '/media/a%2Fb' }), { url: '/media/a%2Fb' })
})
