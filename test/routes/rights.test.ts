import { pino } from 'pino'
import t from 'tap'
import { toServiceError } from '../../src/http/problems.ts'
import { isWellFormed, mint } from '../../src/keys/secret.ts'
import { heldSandbox, passed, patient } from '../held.ts'
import { startBoard } from '../helper.ts'
import { until } from '../until.ts'

// Who may do what, where it is easily forgotten: test keys, replays, deletions, other spellings of a path (docs/api.md 2, 11).

const text = (to = '+14155550000') => ({ channel: 'cloud', to, type: 'text', text: { body: 'Hello' } })
const once = (key: string) => ({ 'idempotency-key': key })

t.test('a test key cannot be an administrator, whether it is made or changed', async t => {
  const board = await startBoard(t)
  const made = await board.call('POST', '/keys', {
    body: { service: 's', mode: 'test', scopes: ['messages:send', 'admin'] }
  })
  t.equal(made.status, 400)
  t.match(made.body.errors, [{ path: '/scopes/1', message: /live keys alone/ }])
  const { body } = await board.call('POST', '/keys', {
    body: { service: 's', mode: 'test', scopes: ['messages:send'] }
  })
  t.equal((await board.call('PATCH', `/keys/${body.id}`, { body: { scopes: ['admin'] } })).status, 400)
})

t.test('a replay passes the rights of the key that asks now', async t => {
  const board = await startBoard(t)
  const key = (more: object) =>
    board.key({ service: 'shop', scopes: ['messages:send', 'broadcasts:write', 'contacts:write'], ...more })
  const first = await key({})
  const bodies: [string, object][] = [
    ['/messages', text()],
    [
      '/broadcasts',
      {
        channel: 'cloud',
        name: 'x',
        template: { name: 'order_update', language: 'en_US' },
        recipients: [{ to: '+14155550000', variables: { name: 'Ada', ordernumber: '1' } }]
      }
    ],
    ['/contacts', { channel: 'cloud', phone: '+14155550000', name: 'Ada' }]
  ]
  const elsewhere = await key({ channels: ['wati'] })
  const abroad = await key({ recipientPrefixes: ['49'] })
  const worded = await key({ templates: ['hello_world'] })
  for (const [path, body] of bodies) {
    const made = await board.call('POST', path, { body, key: first, headers: once(path) })
    t.ok(made.status < 300, `${path} ${made.text}`)
    const replay = (by: string) => board.call('POST', path, { body, key: by, headers: once(path) })
    t.equal((await replay(first)).headers['idempotency-replayed'], 'true', `CONTROL: ${path} again`)
    t.equal((await replay(elsewhere)).status, 403, `${path} through a channel that the key may not use`)
    t.equal((await replay(abroad)).status, 403, `${path} to a person that the key may not message`)
    if (path === '/broadcasts') t.equal((await replay(worded)).status, 403, 'with a template that the key may not send')
  }
  // A refusal of the provider's is kept as well, and names no channel.
  const refused = { ...text('15550100001') }
  t.equal((await board.call('POST', '/messages', { body: refused, key: first, headers: once('r') })).status, 422)
  t.equal((await board.call('POST', '/messages', { body: refused, key: elsewhere, headers: once('r') })).status, 403)
  const { channel: _, ...unnamed } = refused
  const fixed = await key({ defaultChannel: 'cloud' })
  t.equal((await board.call('POST', '/messages', { body: unnamed, key: fixed, headers: once('u') })).status, 422)
  t.equal((await board.call('POST', '/messages', { body: unnamed, key: fixed, headers: once('u') })).status, 422)
  t.equal((await board.call('POST', '/messages', { body: unnamed, key: elsewhere, headers: once('u') })).status, 403)
  const table = (by: string) =>
    board.call('POST', '/contacts.csv?channel=cloud', {
      body: 'phone,name\n14155550000,Ada\n',
      key: by,
      headers: { ...once('t'), 'content-type': 'text/csv' }
    })
  t.equal((await table(first)).status, 200)
  t.equal((await table(first)).headers['idempotency-replayed'], 'true', 'CONTROL: a table again')
  t.equal((await table(elsewhere)).status, 403)
  t.equal((await table(abroad)).status, 403)
})

t.test('a broadcast is set going again only by a key that may send all of it', async t => {
  const board = await startBoard(t)
  const scopes = ['broadcasts:write', 'broadcasts:read']
  const key = (more: object) => board.key({ service: 'shop', scopes, ...more })
  const made = await board.call('POST', '/broadcasts', {
    key: await key({}),
    body: {
      channel: 'cloud',
      name: 'x',
      template: { name: 'order_update', language: 'en_US' },
      recipients: [
        { to: '+4915100000001', variables: { name: 'Ada', ordernumber: '1' } },
        { to: '15550100001', variables: { name: 'Bob', ordernumber: '2' } }
      ]
    }
  })
  const at = `/broadcasts/${made.body.id}`
  await until(
    async () => (await board.call('GET', at)).body.status,
    status => status === 'finished'
  )
  for (const act of ['resume', 'retry-failed']) {
    for (const more of [{ recipientPrefixes: ['49'] }, { templates: ['hello_world'] }])
      t.equal((await board.call('POST', `${at}/${act}`, { key: await key(more) })).status, 403, act)
  }
  const right = await key({ recipientPrefixes: ['49', '1555'], templates: ['order_update'] })
  t.equal((await board.call('POST', `${at}/resume`, { key: right })).status, 409, 'CONTROL: only its state forbids it')
  t.equal((await board.call('POST', `${at}/retry-failed`, { key: right })).status, 200, 'CONTROL')
})

t.test('one path is one scope of an Idempotency-Key, however it is spelt; two paths are two', async t => {
  const board = await startBoard(t)
  const body = { channel: 'cloud', phone: '+14155550000', name: 'Ada' }
  const post = (path: string) => board.call('POST', path, { body, headers: once('k') })
  t.equal((await post('/contacts')).headers['idempotency-replayed'], undefined)
  t.equal((await post('/%63ontacts')).headers['idempotency-replayed'], 'true')
  t.equal((await post('/contacts?')).headers['idempotency-replayed'], 'true')
  const refused = async () => (await board.call('POST', '/messages', { body: text('15550100001') })).body.messageId
  const [one, other] = [await refused(), await refused()]
  const resend = (id: string) => board.call('POST', `/messages/${id}/resend`, { body: {}, headers: once('k') })
  const first = (await resend(one)).body.messageId
  t.equal((await resend(one)).body.messageId, first, 'CONTROL: the same path again')
  t.not((await resend(other)).body.messageId, first, 'another path with the same key is another act')
  const replay = (id: string) =>
    board.call('POST', `/channels/${id}/webhooks/replay`, {
      body: { since: '2026-01-01T00:00:00Z' },
      headers: once('k')
    })
  await replay('cloud')
  t.equal((await replay('cloud')).headers['idempotency-replayed'], 'true', 'CONTROL')
  t.equal((await replay('wati')).headers['idempotency-replayed'], undefined)
})

t.test('a contact can be deleted only by a key that may message the person', async t => {
  const board = await startBoard(t)
  await board.call('POST', '/contacts', { body: { channel: 'cloud', phone: '+14155550000' } })
  const key = await board.key({ scopes: ['contacts:write'], recipientPrefixes: ['49'] })
  t.equal((await board.call('DELETE', '/contacts/14155550000?channel=cloud', { key })).status, 403)
  t.equal((await board.call('DELETE', '/contacts/14155550000?channel=cloud')).status, 204)
})

t.test('an act without a body is taken with a JSON content type and no byte', async t => {
  const board = await startBoard(t)
  const json = { 'content-type': 'application/json' }
  const later = await board.call('POST', '/messages', {
    body: { ...text(), sendAt: new Date(Date.now() + 3600_000).toISOString() }
  })
  t.equal((await board.call('POST', `/messages/${later.body.id}/cancel`, { headers: json, body: '' })).status, 200)
  for (const act of ['pause', 'resume'])
    t.equal((await board.call('POST', `/channels/cloud/${act}`, { headers: json, body: '' })).status, 200)
  await board.call('POST', '/contacts', { body: { channel: 'cloud', phone: '+14155550000' } })
  t.equal((await board.call('DELETE', '/contacts/14155550000?channel=cloud', { headers: json, body: '' })).status, 204)
  const missing = await board.call('POST', '/messages', { headers: json, body: '' })
  t.match([missing.status, missing.body.detail], [400, /is empty/], 'CONTROL: a body that is needed')
})

t.test('a wait that is asked for is waited out, whatever put the message off', async t => {
  const board = await startBoard(t)
  const send = (to: string, prefer?: string) =>
    board.call('POST', '/messages', { body: text(to), headers: prefer ? { prefer } : {} })
  const without = await send('15550100023')
  t.match([without.status, without.body.status], [202, 'queued'], 'what the provider puts off is told at once')
  board.sandbox.force({ recipient: '14155550001', fault: 'throttled_once' })
  const patient = await send('14155550001', 'wait=20')
  t.match([patient.status, patient.headers['preference-applied']], [201, 'wait=20'])
  await board.call('POST', '/channels/cloud/pause')
  const paused = send('14155550002', 'wait=30')
  await until(
    async () => (await board.call('GET', '/messages?contact=14155550002')).body.items.length,
    n => n === 1
  )
  await board.call('POST', '/channels/cloud/resume')
  t.equal((await paused).status, 201)
})

t.test('every call to a provider is in Server-Timing and in the log, and a send’s line names its message', async t => {
  const board = await startBoard(t)
  const upstream = (headers: Record<string, unknown>) =>
    Number(/upstream;dur=([\d.]+)/.exec(String(headers['server-timing']))![1])
  for (const path of [
    '/templates?channel=cloud',
    '/contacts?channel=wati',
    '/connections',
    '/channels/wati/native/api/v1/getContacts'
  ])
    t.ok(upstream((await board.call('GET', path)).headers) > 0, path)
  t.equal(upstream((await board.call('GET', '/keys')).headers), 0, 'CONTROL: no provider is asked')
  const sent = await board.call('POST', '/messages', { body: text(), headers: { 'x-request-id': 'req-of-mine' } })
  t.ok(upstream(sent.headers) > 0)
  const lines = board.log.map(line => JSON.parse(line))
  t.match(
    lines.find(line => line.requestId === 'req-of-mine' && 'upstreamMs' in line),
    { message: sent.body.id, upstreamMs: Number }
  )
  t.equal((await board.call('GET', `/messages/${sent.body.id}/timeline`)).body.requestId, 'req-of-mine')
  await board.call('POST', '/messages', { body: text('15550100001') })
  t.ok(board.log.some(line => line.includes('provider call failed') && /"message":"msg_/.test(line)))
  board.sandbox.force({ operation: 'cloud.getProfile', fault: 'unavailable' })
  await board.call('GET', '/channels/cloud/profile', { headers: { 'x-request-id': 'req-of-a-read' } })
  t.ok(board.log.some(line => line.includes('provider call failed') && line.includes('"requestId":"req-of-a-read"')))
})

t.test('what a send waited for is told, whichever call it was and whether it has ended', async t => {
  const { sandbox, letGo } = await heldSandbox(t)
  const board = await startBoard(t, { sandbox, env: patient })
  const times = (headers: Record<string, unknown>) =>
    Object.fromEntries(
      String(headers['server-timing'])
        .split(', ')
        .map(part => part.split(';dur='))
        .map(([name, ms]) => [name, Number(ms)])
    )
  // Its definition is fetched first, and takes its time; the send itself is quick.
  board.sandbox.force({ operation: 'cloud.listTemplates', fault: 'slow' })
  const body = { ...text(), type: 'template', text: undefined, template: { name: 'hello_world', language: 'en_US' } }
  const fetching = board.call('POST', '/messages', { body })
  await until(
    () => sandbox.ledger.entries.length,
    count => count === 1
  )
  const fetch = await passed(200)
  await letGo()
  const fetched = await fetching
  t.equal(fetched.status, 201)
  t.ok(times(fetched.headers).upstream >= Math.floor(fetch), 'the fetch of a definition')
  const given = await board.call('POST', '/messages', { body: text('15550100007'), headers: { prefer: 'wait=1' } })
  const { upstream, own } = times(given.headers)
  t.match([given.status, given.body.status], [202, 'sending'])
  t.ok(upstream > 0 && upstream + own >= 900, `the provider has not answered, and took the time: ${upstream}, ${own}`)
  await letGo()
  await board.call('POST', '/channels/cloud/pause')
  const asked = board.call('POST', '/messages', { body: text('+14155550099'), headers: { prefer: 'wait=30' } })
  await until(
    async () => (await board.call('GET', '/messages?contact=14155550099')).body.items.length,
    n => n === 1
  )
  // Its row is seen before it is on disk; it waits once a later write is answered.
  await board.call('POST', '/messages', { body: text('+14155550098'), headers: { prefer: 'respond-async' } })
  const held = await passed(200)
  await board.call('POST', '/channels/cloud/resume')
  const { status, headers } = await asked
  t.equal(status, 201)
  const { queue } = times(headers)
  t.ok(queue >= Math.floor(held), `a wait for the queue is the queue’s: ${queue} of ${held}`)
})

t.test('behind a path of PUBLIC_URL, Location, redirects and instance carry it', async t => {
  const board = await startBoard(t, { env: { PUBLIC_URL: 'https://h.example/switchboard' } })
  const sent = await board.call('POST', '/messages', { body: text(), headers: once('k') })
  t.equal(sent.headers.location, `/switchboard/messages/${sent.body.id}`)
  const again = await board.call('POST', '/messages', { body: text(), headers: once('k') })
  t.equal(again.headers.location, sent.headers.location)
  t.equal((await board.call('GET', '/docs')).headers.location, '/switchboard/docs/')
  t.equal((await board.call('GET', '/nowhere')).body.instance, '/switchboard/nowhere')
  t.equal((await board.call('POST', '/messages', { body: text('15550100001') })).body.instance, '/switchboard/messages')
})

t.test('the wait that a dry run tells knows the provider’s own windows', async t => {
  const board = await startBoard(t, { env: { MATON_RATE_PER_SECOND: '100' } })
  const dry = async () =>
    (await board.call('POST', '/messages/validate', { body: text('+14155550077') })).body.expectedWaitSeconds
  t.equal(await dry(), 0)
  // Meta's limit of one pair: after a burst there is a wait, though the account has slots.
  await Promise.all(
    Array.from({ length: 46 }, () =>
      board.call('POST', '/messages', { body: text('+14155550077'), headers: { prefer: 'respond-async' } })
    )
  )
  await until(dry, wait => wait > 0)
})

t.test('a mistyped key is known by its check sum, before anything is looked up', async t => {
  for (const mode of ['live', 'test'] as const) {
    const secret = mint(mode)
    t.ok(isWellFormed(secret))
    const typed = [...secret].map(
      (letter, at) => secret.slice(0, at) + (letter === 'a' ? 'b' : 'a') + secret.slice(at + 1)
    )
    t.equal(typed.slice(8).filter(isWellFormed).length, 0, 'no single wrong letter passes')
  }
})

t.test('an error that nobody expected tells nothing of its text', async t => {
  const lines: string[] = []
  const log = pino({}, { write: line => void lines.push(line) })
  const secret = 'postgres://user:hunter2@db/x'
  const told = toServiceError(new Error(secret), { id: 'req_1', log } as never)
  t.equal(told.code, 'internal')
  t.notOk(JSON.stringify({ ...told, message: told.message }).includes('hunter2'))
  t.match(lines.join(''), /an error that nobody expected/, 'it stands in the log')
})

t.test('bytes that are no UTF-8 are refused, and nothing is sent', async t => {
  const board = await startBoard(t)
  const body = Buffer.concat([
    Buffer.from('{"channel":"cloud","to":"+14155550000","type":"text","text":{"body":"caf'),
    Buffer.from([0xe9]),
    Buffer.from('"}}')
  ])
  const answer = await board.call('POST', '/messages', { body, headers: { 'content-type': 'application/json' } })
  t.match([answer.status, answer.body.detail], [400, /UTF-8/])
  t.equal(board.sandbox.ledger.entries.length, 0)
})
