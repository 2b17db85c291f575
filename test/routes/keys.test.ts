import t from 'tap'
import { adminKey, type Board, startBoard, until } from '../helper.ts'

const text = (more: object = {}) => ({
  channel: 'cloud',
  to: '14155551234',
  type: 'text',
  text: { body: 'Hello' },
  ...more
})
const make = (board: Board, input: object = {}) =>
  board.call('POST', '/keys', {
    body: { service: 'billing', mode: 'live', scopes: ['messages:send', 'messages:read'], ...input }
  })
const self = async (board: Board, key: string) => (await board.call('GET', '/keys/self', { key })).status
const send = (board: Board, key: string, more: object = {}) =>
  board.call('POST', '/messages', { key, body: text(more) })

t.test('a secret is shown once, and never again', async t => {
  const board = await startBoard(t)
  const made = await make(board, { name: 'prod' })
  const { secret, id, prefix, lastFour } = made.body
  t.equal(made.status, 201)
  t.equal(made.headers.location, `/keys/${id}`)
  t.equal(made.headers['cache-control'], 'no-store')
  t.match(secret, /^sk_live_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/)
  t.ok(secret.startsWith(prefix) && secret.endsWith(lastFour) && prefix.length <= 12 && lastFour.length === 4)
  t.match((await make(board, { mode: 'test' })).body.secret, /^sk_test_/)
  const seen = [
    await board.call('GET', '/keys'),
    await board.call('GET', `/keys/${id}`),
    await board.call('GET', '/keys/self', { key: secret }),
    await board.call('PATCH', `/keys/${id}`, { body: { name: 'x' } })
  ]
  for (const { text } of seen) t.notMatch(text, secret.slice(13, 40), 'not a piece of it')
  t.notMatch(board.log.join('\n'), secret.slice(13, 40), 'nor in the log')
  t.match((await board.call('GET', '/keys/self')).body, {
    id: 'key_admin',
    service: 'admin',
    mode: 'live',
    scopes: ['admin']
  })
})

t.test('a key is revoked on the next request, and expires to the second', async t => {
  const board = await startBoard(t)
  const { secret, id } = (await make(board)).body
  t.equal(await self(board, secret), 200)
  t.equal((await board.call('DELETE', `/keys/${id}`)).status, 204)
  t.equal(await self(board, secret), 401, 'on the next request')
  t.equal((await board.call('DELETE', `/keys/${id}`)).status, 204, 'again changes nothing')
  t.ok((await board.call('GET', `/keys/${id}`)).body.revokedAt, 'it is still told of')
  t.match(await board.call('PATCH', `/keys/${id}`, { body: { name: 'x' } }), {
    status: 409,
    body: { code: 'conflict' }
  })
  t.equal((await board.call('DELETE', '/keys/key_0')).status, 404)
  t.equal((await board.call('DELETE', '/keys/key_admin')).status, 404, 'the settings’ key is no row')

  const far = new Date(Date.now() + 3600_000).toISOString()
  const short = (await make(board, { expiresAt: far })).body
  t.equal(short.expiresAt, far)
  t.equal(await self(board, short.secret), 200, 'CONTROL: before it it works')
  let end = 0
  await until(
    () => {
      end = Date.now() + 1000
      return board.call('PATCH', `/keys/${short.id}`, { body: { expiresAt: new Date(end).toISOString() } })
    },
    ({ status }) => status === 200
  )
  await until(
    () => self(board, short.secret),
    status => status === 401
  )
  t.ok(Date.now() >= end - 5, 'refused after it')
  const longer = await board.call('PATCH', `/keys/${short.id}`, { body: { expiresAt: null } })
  t.equal(longer.body.expiresAt, null)
  t.equal(await self(board, short.secret), 200, 'PATCH null takes the end away, at once')
})

t.test('what a key may do is changed on the next request, and null takes a limit away', async t => {
  const board = await startBoard(t)
  const { secret, id } = (await make(board)).body
  const patch = async (body: object) => {
    const answer = await board.call('PATCH', `/keys/${id}`, { body })
    t.equal(answer.status, 200)
    t.match(answer.body, body)
  }
  const refused = async (name: string, more: object, word: RegExp) =>
    t.match(
      await send(board, secret, more),
      { status: 403, body: { code: 'forbidden', outcome: 'not_sent', detail: word } },
      name
    )
  t.equal((await send(board, secret)).status, 201)
  await patch({ channels: ['wati'] })
  await refused('the channel', {}, /channel cloud/)
  await refused('one that does not exist looks alike', { channel: 'nowhere' }, /channel nowhere/)
  await patch({ channels: null, recipientPrefixes: ['49', '4420'] })
  await refused('the recipient', {}, /begin with 49, 4420/)
  await refused('a prefix is no part of a number', { to: '44199555123' }, /begin with/)
  t.equal((await send(board, secret, { to: '+49 30 901820' })).status, 201)
  await patch({ recipientPrefixes: null, templates: ['hello_world'] })
  const template = (name: string) => ({ type: 'template', text: undefined, template: { name, language: 'en_US' } })
  await refused('the template', template('order_update'), /template order_update/)
  t.equal((await send(board, secret, template('hello_world'))).status, 201)
  t.equal((await send(board, secret)).status, 201, 'what is no template is not limited')
  await patch({ templates: null, cidrs: ['10.0.0.0/8', '2001:db8::/32'] })
  t.match(await board.call('GET', '/keys/self', { key: secret }), { status: 403, body: { detail: /address/ } })
  await patch({ cidrs: ['127.0.0.0/8'] })
  t.equal((await send(board, secret)).status, 201)
  await patch({ cidrs: null, scopes: ['messages:read'] })
  await refused('the scope', {}, /scope messages:send/)
  await patch({ scopes: ['admin'], name: null })
  t.equal((await send(board, secret)).status, 201, 'admin implies every scope')
  const before = (await board.call('GET', `/keys/${id}`)).body
  for (const [body, path] of [
    [{}, '/'],
    [{ service: 'other' }, '/service'],
    [{ mode: 'test' }, '/mode'],
    [{ secret: 'x' }, '/secret'],
    [{ scopes: [] }, '/scopes'],
    [{ scopes: null }, '/scopes'],
    [{ scopes: ['root'] }, '/scopes/0'],
    [{ channels: [] }, '/channels'],
    [{ cidrs: ['10.0.0.0/33'] }, '/cidrs/0'],
    [{ cidrs: ['999.1.1.1'] }, '/cidrs/0'],
    [{ recipientPrefixes: ['049'] }, '/recipientPrefixes/0'],
    [{ expiresAt: '2020-01-01T00:00:00Z' }, '/expiresAt'],
    [{ expiresAt: '2099-12-31T23:59:60Z' }, '/expiresAt']
  ] as const)
    t.match(
      await board.call('PATCH', `/keys/${id}`, { body }),
      { status: 400, body: { errors: [{ path }] } },
      JSON.stringify(body)
    )
  t.strictSame((await board.call('GET', `/keys/${id}`)).body, before, 'none of these changed a thing')
})

t.test('a channel that is not named: the key’s default, its only one, the marked one, else a 400', async t => {
  const board = await startBoard(t)
  const key = async (input: object = {}) => (await make(board, input)).body.secret as string
  const chosen = async (secret: string) => (await send(board, secret, { channel: undefined })).body.channel
  const free = await key()
  const none = await send(board, free, { channel: undefined })
  t.match(none, { status: 400, body: { errors: [{ path: '/channel', message: /cloud, wati/ }] } })
  t.equal(await chosen(await key({ channels: ['wati'] })), 'wati', 'the only one it allows')
  t.equal(await chosen(await key({ defaultChannel: 'wati' })), 'wati', 'its default')
  t.equal(await chosen(await key({ channels: ['cloud', 'wati'], defaultChannel: 'cloud' })), 'cloud')
  await board.call('PATCH', '/channels/wati', { body: { default: true } })
  t.equal(await chosen(free), 'wati', 'the marked one')
  t.equal(await chosen(await key({ defaultChannel: 'cloud' })), 'cloud', 'the key’s before the server’s')
  t.equal(await chosen(await key({ channels: ['cloud'] })), 'cloud', 'and so its only one')
  await board.call('PATCH', '/channels/cloud', { body: { default: true } })
  const { items } = (await board.call('GET', '/channels')).body
  t.strictSame(
    items.filter((each: { default: boolean }) => each.default).map((each: { id: string }) => each.id),
    ['cloud'],
    'one default at a time'
  )
  t.equal((await send(board, free, { channel: 'wati' })).body.channel, 'wati', 'a named one before all')
  t.equal((await send(board, free, { channel: 'nowhere' })).status, 404)
})

t.test('a test key reaches the built-in sandbox only, and sees its own mode only', async t => {
  const board = await startBoard(t)
  const [live, test] = [(await make(board)).body.secret, (await make(board, { mode: 'test' })).body.secret]
  for (const channel of ['cloud', 'wati'])
    for (const to of ['14155551234', '15550100002'])
      t.match((await send(board, test, { channel, to })).status, to.endsWith('2') ? 409 : 201, 'as the sandbox answers')
  t.equal(board.sandbox.ledger.entries.length, 0, 'not a byte to the live upstream')
  const sent = await send(board, live)
  t.equal(board.sandbox.ledger.entries.length, 1, 'CONTROL: a live key reaches it')
  t.match([sent.body.mode, (await send(board, test)).body.mode], ['live', 'test'])
  const modes = async (key: string) =>
    new Set((await board.call('GET', '/messages', { key })).body.items.map((each: { mode: string }) => each.mode))
  t.strictSame(await modes(live), new Set(['live']))
  t.strictSame(await modes(test), new Set(['test']))
  const replay = { 'idempotency-key': 'same' }
  const one = await board.call('POST', '/messages', { key: live, body: text(), headers: replay })
  const two = await board.call('POST', '/messages', { key: test, body: text(), headers: replay })
  t.not(one.body.id, two.body.id, 'an Idempotency-Key belongs to the mode')
})

t.test('keys are listed newest first, by page and by service', async t => {
  const board = await startBoard(t)
  const made: string[] = []
  for (let i = 0; i < 5; i++)
    made.unshift((await make(board, { service: i % 2 ? 'a' : 'b', name: 'same name' })).body.id)
  const list = async (query: string) => (await board.call('GET', `/keys${query}`)).body
  const first = await list('?limit=2')
  await make(board, { service: 'c' })
  const second = await list(`?limit=3&cursor=${first.nextCursor}`)
  t.strictSame(
    [...first.items, ...second.items].map((each: { id: string }) => each.id),
    made
  )
  t.equal(second.nextCursor, null)
  t.equal((await list('?service=a')).items.length, 2)
  for (const [body, path] of [
    [{ service: 'Not one' }, '/service'],
    [{ mode: 'prod' }, '/mode'],
    [{ scopes: ['messages:send', 'messages:send'] }, '/scopes'],
    [{ rateLimit: { perSecond: 1 } }, '/rateLimit'],
    [{ id: 'key_x' }, '/id']
  ] as const)
    t.match(await make(board, body), { status: 400, body: { errors: [{ path }] } }, `${path} is not taken in silence`)
})

t.test('the key of the settings is any long string, and not one character less', async t => {
  const board = await startBoard(t, { env: { ADMIN_KEY: '~'.repeat(40) } })
  t.pass('made its channels with the other one')
  t.equal(await self(board, '~'.repeat(40)), 200)
  for (const key of ['~'.repeat(39), '~'.repeat(41), adminKey, '~'.repeat(512)]) t.equal(await self(board, key), 401)
})
