import t from 'tap'
import { createSessions, idleMs, longestMs } from '../../src/console/sessions.ts'
import { createSeal } from '../../src/keys/seal.ts'
import { fieldValue, operator, signedIn } from '../console.ts'
import { adminKey, startBoard } from '../helper.ts'

// The operator's page as a server: who gets in, what a form needs, and that what comes from outside is text.

const pepper = 'p'.repeat(32)
const only = ['read_all', 'channels:read', 'messages:read']
const looker = { service: 'night', scopes: only }

t.test('CONSOLE=0 leaves it out', async t => {
  const without = await startBoard(t, { env: { CONSOLE: '0' } })
  t.equal((await operator(without).get('/console')).status, 404)
})

t.test('nobody sees a view without signing in; a right key gets a cookie that hides it', async t => {
  const board = await startBoard(t)
  const one = operator(board)
  const first = await one.get('/console/backlog?service=shop')
  t.equal(first.status, 200)
  t.match(first.text, 'value="/console/backlog?service=shop"', 'and goes on where it was asked for')
  t.notMatch(first.text, 'waiting')
  const wrong = await one.post('/console/sign-in', { key: 'sk_live_no' })
  t.equal(wrong.status, 401)
  t.equal(one.cookie(), '')
  const asked = { key: adminKey, next: '/console/backlog?service=shop' }
  const { status, headers } = await one.post('/console/sign-in', asked)
  t.equal(status, 303)
  t.equal(headers.location, '/console/backlog?service=shop')
  const cookie = String(headers['set-cookie'])
  t.match(cookie, /^switchboard=\S+; Path=\/; HttpOnly; SameSite=Strict$/)
  t.notMatch(cookie, adminKey)
  t.notMatch(Buffer.from(cookie.split(/[=;]/)[1]!, 'base64').toString('latin1'), adminKey)
  const page = await one.get('/console')
  t.equal(page.status, 200)
  t.match(page.text, /Providers[\s\S]*cloud[\s\S]*wati/)
  t.match(String(page.headers['content-security-policy']), "default-src 'none'; script-src 'self'; style-src 'self'")
  t.notMatch(page.text, / style=|<script>| on[a-z]+="/, 'nothing inline')
  t.equal(page.headers['cache-control'], 'no-store')
  for (const next of ['https://evil.example/', '//evil.example', '/console/\\evil', '/docs'])
    t.equal(
      (await operator(board).post('/console/sign-in', { key: adminKey, next })).headers.location,
      '/console',
      next
    )
})

t.test('behind TLS the cookie is Secure and bound to the host', async t => {
  const board = await startBoard(t, { env: { PUBLIC_URL: 'https://board.example/whatsapp' } })
  const one = operator(board)
  const origin = { origin: 'https://board.example' }
  const { status, headers } = await one.post('/console/sign-in', { key: adminKey }, origin)
  t.equal(status, 303)
  t.match(String(headers['set-cookie']), /^__Host-switchboard=\S+; Path=\/; HttpOnly; SameSite=Strict; Secure$/)
  t.equal(headers.location, '/whatsapp/console')
  t.match((await one.get('/console')).text, 'href="/whatsapp/console/backlog"')
  const proxied = operator(await startBoard(t, { env: { TRUST_PROXY: '1' } }))
  const tls = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'a.example', origin: 'https://a.example' }
  t.match(String((await proxied.post('/console/sign-in', { key: adminKey }, tls)).headers['set-cookie']), '; Secure')
})

t.test('wrong keys here count as wrong keys anywhere', async t => {
  const board = await startBoard(t)
  const one = operator(board)
  for (let i = 0; i < 20; i++) t.equal((await one.post('/console/sign-in', { key: `wrong-${i}` })).status, 401)
  const { status, headers } = await one.post('/console/sign-in', { key: 'wrong-again' })
  t.equal(status, 429)
  t.ok(Number(headers['retry-after']) > 0)
  t.equal((await board.call('GET', '/keys/self', { key: 'wrong' })).status, 429)
  t.equal((await one.post('/console/sign-in', { key: adminKey })).status, 303, 'a right one is let in')
})

t.test('a key without admin only shows; one without read_all is not let in', async t => {
  const board = await startBoard(t)
  const one = await signedIn(board, await board.key(looker))
  const page = await one.get('/console/channels/cloud/pause')
  t.match(page.text, /only shows/)
  t.notMatch(page.text, 'Pause it</button>')
  const { status } = await one.post('/console/channels/cloud/pause')
  t.equal(status, 403)
  t.equal((await board.call('GET', '/channels/cloud')).body.paused, false)
  t.equal((await one.get('/console/keys')).status, 403, 'the API has the say')
  const other = await operator(board).post('/console/sign-in', { key: await board.key() })
  t.equal(other.status, 403)
  t.match(other.text, 'read_all')
})

t.test('a form needs our Origin and its token', async t => {
  const board = await startBoard(t)
  const one = await signedIn(board)
  const act = '/console/channels/cloud/pause'
  const paused = async () => (await board.call('GET', '/channels/cloud')).body.paused
  t.match((await one.get(act)).text, /0 messages waiting on the channel cloud/)
  for (const [name, fields, headers] of [
    ['another page', {}, { origin: 'https://evil.example' }],
    ['no page', {}, { origin: 'null' }],
    ['another site', {}, { 'sec-fetch-site': 'cross-site' }],
    ['no token', { token: '' }, {}],
    ['the token of another session', { token: fieldValue((await (await signedIn(board)).get(act)).text, 'token') }, {}]
  ] as const) {
    const { status, text } = await one.post(act, fields, headers)
    t.equal(status, 403, name)
    t.match(text, 'Nothing was done')
    t.equal(await paused(), false, name)
  }
  const { status, headers } = await one.post(act)
  t.equal(status, 303)
  t.match(String(headers.location), /^\/console\/channels\/cloud\?done=\d+$/)
  t.match((await one.get(String(headers.location))).text, 'The channel is paused')
  t.equal(await paused(), true)
})

t.test('a session ends with its key, with an act of its own, and after half an hour', async t => {
  const board = await startBoard(t)
  const key = await board.key({ ...looker, scopes: ['admin'] })
  const one = await signedIn(board, key)
  const copied = one.cookie()
  const before = await one.get('/console/channels/cloud/pause')
  t.equal(before.status, 200)
  const { body } = await board.call('GET', '/keys/self', { key })
  await board.call('DELETE', `/keys/${body.id}`)
  const over = await one.post('/console/channels/cloud/pause', { token: fieldValue(before.text, 'token') })
  t.equal(over.status, 401)
  t.match(over.text, /Your key has ended|Your session has ended/)
  t.match(over.text, 'value="/console/channels/cloud/pause"', 'the way back')
  t.equal((await board.call('GET', '/channels/cloud')).body.paused, false)

  const two = await signedIn(board)
  const kept = two.cookie()
  await two.post('/console/sign-out', { token: fieldValue((await two.get('/console')).text, 'token') })
  two.setCookie(kept)
  t.equal((await two.get('/console')).status, 401, 'a copy of its cookie is worth nothing')
  two.setCookie(copied.replace(/.{6}$/, 'AAAAAA'))
  t.equal((await two.get('/console')).status, 401, 'nor is a forged one')

  let now = Date.now()
  const sessions = createSessions({ seal: createSeal(`console ${pepper}`), pepper, clock: () => now })
  const cookieOf = (session: ReturnType<typeof sessions.begin>) => sessions.write(session, false).split(';')[0]!
  const session = sessions.begin(adminKey)
  const fresh = cookieOf(session)
  two.setCookie(fresh)
  t.equal((await two.get('/console')).status, 200, 'it is a session of this server')
  now -= idleMs + 1000
  two.setCookie(cookieOf(sessions.begin(adminKey)))
  t.equal((await two.get('/console')).status, 401, 'idle for half an hour')
  now += idleMs - longestMs
  const old = sessions.begin(adminKey)
  now = Date.now()
  two.setCookie(cookieOf(old))
  t.equal((await two.get('/console')).status, 401, 'busy for twelve hours')
})

t.test('what a page asks for by itself keeps no session alive; an act does', async t => {
  const board = await startBoard(t)
  let now = Date.now() - 10 * 60_000
  const sessions = createSessions({ seal: createSeal(`console ${pepper}`), pepper, clock: () => now })
  const one = operator(board)
  const cookie = sessions.write(sessions.begin(adminKey), false).split(';')[0]!
  now = Date.now()
  one.setCookie(cookie)
  const byItself = await one.get('/console', { 'hx-request': 'true' })
  t.equal(byItself.status, 200)
  t.equal(byItself.headers['set-cookie'], undefined)
  t.match(String((await one.get('/console')).headers['set-cookie']), /^switchboard=/)
})

t.test('what comes from outside is text, wherever it stands', async t => {
  const board = await startBoard(t)
  const evil = `"><img src=x onerror=alert(1)>'<script>`
  const message = { channel: 'cloud', to: '14155550001', type: 'text', text: { body: evil }, reference: evil }
  const { body } = await board.call('POST', '/messages', { body: message })
  await board.call('POST', '/keys', {
    body: { service: 'billing', name: evil, mode: 'live', scopes: ['messages:send'] }
  })
  const one = await signedIn(board)
  const search = `q=${encodeURIComponent(evil)}&channel=${encodeURIComponent('x"><script>')}`
  for (const path of [
    ...[
      '/messages',
      `/messages/${body.id}`,
      `/messages?${search}`,
      '/keys',
      `/audit?target=${encodeURIComponent('<script>')}`
    ],
    `/test?to=${encodeURIComponent(evil)}&text=${encodeURIComponent(evil)}`,
    ...[`/unknown/resolve?channel=${encodeURIComponent(evil)}`, `/${encodeURIComponent(evil)}`]
  ]) {
    const { text } = await one.get(`/console${path}`)
    t.notMatch(text, /<img|'<script>|x"><script>/, path)
  }
  t.match((await one.get(`/console/messages/${body.id}`)).text, '&lt;img src=x')
})

t.test('one is found by our id, the provider’s, a reference and a number', async t => {
  const board = await startBoard(t)
  const message = { channel: 'cloud', to: '14155550001', type: 'text', text: { body: 'Hello' }, reference: 'order-7' }
  const { body } = await board.call('POST', '/messages', { body: message })
  const one = await signedIn(board)
  for (const q of [body.id, body.providerMessageId, 'order-7', '+1 415 555-0001'])
    t.match((await one.get(`/console/messages?q=${encodeURIComponent(q)}`)).text, `/console/messages/${body.id}"`, q)
  t.match((await one.get('/console/messages?q=nothing')).text, 'No message fits')
  const page = (await one.get(`/console/messages/${body.id}`)).text
  t.match(page, /authorization: Bearer \[masked\]/)
  t.match(page, body.providerMessageId)
})

t.test('an act is one request of the API, shown as curl, and done once', async t => {
  const board = await startBoard(t)
  const one = await signedIn(board)
  const fields = { channel: 'cloud', to: '14155550001', text: 'Hello' }
  const asked = await one.get(`/console/test?${new URLSearchParams(fields)}`)
  t.match(asked.text, 'curl -H &quot;Authorization: Bearer $KEY&quot;')
  const once = fieldValue(asked.text, 'once')
  const first = await one.post('/console/test', { ...fields, once })
  const again = await one.post('/console/test', { ...fields, once })
  t.match(String(first.headers.location), /^\/console\/messages\/msg_[0-9a-f]{32}\?done=/)
  t.equal(again.headers.location, first.headers.location, 'a form that is sent twice sends once')
  t.equal((await board.call('GET', '/messages')).body.items.length, 1)
  const refused = await one.post('/console/test', { ...fields, to: 'nobody' })
  t.equal(refused.status, 400)
  t.match(refused.text, 'value="nobody"', 'what was filled in is still there')
})
