import t from 'tap'
import { eventTypes } from '../../schemas/events.ts'
import { messageExamples } from '../../schemas/examples.ts'
import { startBoard, until } from '../helper.ts'
import { receive, verify } from '../subscriptions/receiver.ts'

const scopes = ['webhooks:write', 'messages:send', 'messages:read', 'events:read']
const text = { ...messageExamples.text, channel: 'cloud', to: '+1 415 555 1234' }

t.test('from a message to its event, through the whole house; each example of a type', async t => {
  const receiver = await receive(t)
  const board = await startBoard(t, { env: { EGRESS_ALLOW: `127.0.0.1:${receiver.port}` } })
  const key = await board.key({ scopes })
  const made = await board.call('POST', '/subscriptions', {
    key,
    body: { url: receiver.url, events: ['message.accepted', 'message.failed'] }
  })
  t.equal(made.status, 201)
  t.equal(made.headers.location, `/subscriptions/${made.body.id}`)
  const sent = await board.call('POST', '/messages', { key, body: text })
  await until(
    () => receiver.posted.length,
    count => count === 1
  )
  const [posted] = receiver.posted
  verify(made.body.secret, posted!)
  t.match(posted!.body, { type: 'message.accepted', channel: 'cloud', service: 'billing', data: { id: sent.body.id } })
  const events = await board.call('GET', '/events?type=message.accepted', { key })
  t.strictSame(posted!.body, events.body.items[0], 'as GET /events tells it')
  const path = `/subscriptions/${made.body.id}`
  t.notOk('secret' in (await board.call('GET', path, { key })).body, 'the secret is shown once')
  for (const type of eventTypes) {
    const tried = await board.call('POST', `${path}/test`, { key, body: { type } })
    t.match(tried.body, { kind: 'test', type, status: 'delivered', attempts: [{ status: 204 }] }, type)
    t.match(receiver.posted.at(-1), { headers: { 'switchboard-test': '1' }, body: { type, mode: 'live' } })
    verify(made.body.secret, receiver.posted.at(-1)!)
  }
  receiver.answer = (_, response) => void response.writeHead(500).end('broken')
  const broken = await board.call('POST', `${path}/test`, { key, body: { type: 'message.sent' } })
  t.match(broken.body, { status: 'failed', attempts: [{ status: 500, body: 'broken' }] })
  t.equal((await board.call('GET', path, { key })).body.status, 'active', 'a test says nothing about it')
  const listed = await board.call('GET', `${path}/deliveries?status=delivered&limit=100`, { key })
  t.equal(listed.body.items.length, eventTypes.length + 1)
  t.notMatch(board.log.join(''), new RegExp(`whsec_|${text.to.replace(/\D/g, '')}`))
  t.match((await board.call('GET', '/metrics', { key: '' })).text, /switchboard_subscriptions\{state="active"\} 1/)
})

t.test('what cannot be is refused, field by field', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes })
  const make = (body: Record<string, unknown>, of = key) =>
    board.call('POST', '/subscriptions', {
      key: of,
      body: { url: 'https://hooks.example.com/x', events: ['message.sent'], ...body }
    })
  for (const [body, path] of [
    [{ url: 'http://hooks.example.com/x' }, '/url'],
    [{ url: 'https://10.0.0.1/x' }, '/url'],
    [{ url: 'https://169.254.169.254/x' }, '/url'],
    [{ url: 'https://[::ffff:127.0.0.1]/x' }, '/url'],
    [{ url: 'https://user:pass@hooks.example.com/x' }, '/url'],
    [{ url: 'ftp://hooks.example.com/x' }, '/url'],
    [{ url: 'nonsense' }, '/url'],
    [{ channels: ['nowhere'] }, '/channels/0'],
    [{ events: ['message.sint'] }, '/events/0'],
    [{ events: [] }, '/events'],
    [{ payload: 'fat' }, '/payload'],
    [{ urll: 'x' }, '/urll']
  ] as const) {
    const { status, body: problem } = await make(body)
    t.strictSame([status, problem.errors?.[0]?.path], [400, path], JSON.stringify(body))
  }
  const made = await make({})
  t.equal(made.status, 201, 'CONTROL')
  const patched = await board.call('PATCH', `/subscriptions/${made.body.id}`, {
    key,
    body: { url: 'http://10.0.0.1/' }
  })
  t.equal(patched.status, 400)
  const replay = (body: object) => board.call('POST', `/subscriptions/${made.body.id}/replay`, { key, body })
  t.equal(
    (await replay({ eventId: 'evt_0645d0f2c1a8e03f1c9a52b7d04e6f8a', since: '2026-11-20T00:00:00Z' })).status,
    400
  )
  t.equal((await replay({ eventId: 'evt_0645d0f2c1a8e03f1c9a52b7d04e6f8a' })).status, 404)
  t.equal((await replay({ since: '2026-11-20T00:00:00Z', until: '2026-11-19T00:00:00Z' })).status, 400)
})

t.test(
  'rights: whoever has less than a subscription carries cannot turn it; it ends with its key, which tells so',
  async t => {
    const board = await startBoard(t)
    const body = { url: 'https://hooks.example.com/x', events: ['message.received'] }
    const wide = await board.key({ scopes: [...scopes, 'inbound:read'] })
    const [{ id: wideId }] = (await board.call('GET', '/keys?limit=1')).body.items
    const narrow = await board.key({ scopes })
    const some = await board.key({ scopes, channels: ['cloud'] })
    const made = await board.call('POST', '/subscriptions', { key: wide, body })
    const path = `/subscriptions/${made.body.id}`
    const turned = await board.call('PATCH', path, { key: narrow, body: { url: 'https://evil.example.com/x' } })
    t.match([turned.status, turned.body.detail], [403, /inbound:read/])
    t.equal((await board.call('POST', `${path}/rotate`, { key: narrow, body: {} })).status, 403)
    t.equal((await board.call('GET', path, { key: narrow })).status, 200, 'CONTROL: it sees it')
    t.equal((await board.call('GET', path, { key: some })).status, 404, 'for some channels: it tells of others')
    const own = await board.call('POST', '/subscriptions', { key: some, body })
    t.strictSame(own.body.channels, ['cloud'], 'what it makes is for these')
    t.equal(
      (await board.call('PATCH', `/subscriptions/${own.body.id}`, { key: some, body: { channels: null } })).status,
      403
    )
    const test = await board.key({ scopes, mode: 'test' })
    t.equal((await board.call('POST', '/subscriptions', { key: test, body })).body.mode, 'test')
    const once = { 'Idempotency-Key': 'once' }
    const first = await board.call('POST', '/subscriptions', { key: narrow, body, headers: once })
    const again = await board.call('POST', '/subscriptions', { key: narrow, body, headers: once })
    t.strictSame([again.text, again.headers['idempotency-replayed']], [first.text, 'true'])
    const revoked = await board.call('DELETE', `/keys/${wideId}`)
    t.strictSame([revoked.status, revoked.body], [200, { subscriptions: [made.body.id] }])
    t.equal((await board.call('DELETE', `/keys/${wideId}`)).status, 204)
    t.match((await board.call('GET', path, { key: narrow })).body, { status: 'disabled', disabledReason: 'key_ended' })
    t.equal((await board.call('POST', `${path}/enable`, { key: narrow })).status, 409)
    t.equal((await board.call('DELETE', path, { key: narrow })).status, 204)
    t.equal((await board.call('GET', path, { key: narrow })).status, 404)
    const audit = (await board.call('GET', `/audit?target=${made.body.id}`)).body.items
    t.strictSame(
      audit.map(({ action }: { action: string }) => action),
      ['subscription.deleted', 'subscription.created']
    )
  }
)
