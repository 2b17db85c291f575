import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import { acts } from '../../src/console/acts/index.ts'
import { order } from '../broadcasts/order.ts'
import { fieldValue, formOf, signedIn, walk } from '../console.ts'
import { freePort } from '../free-port.ts'
import { adminKey, type Board, startBoard, until } from '../helper.ts'
import { receive } from '../subscriptions/receiver.ts'
import { listen } from '../upstream/site.ts'
import { future, identityOrder, unreadable } from './access-rows.ts'

// Every act of the operator's page, by the form as it is rendered: the API says what came of it, and a key that only shows
// gets nowhere. The last test holds that none was left out.

const looker = { service: 'night', scopes: ['read_all', 'channels:read', 'messages:read'] }
const text = (to = '14155550001') => ({ channel: 'cloud', to, type: 'text', text: { body: 'Hello' } })
const pressed = new Set<string>()

/** A board whose own address is known outside, so that webhooks can be registered, and an operator before it. */
async function open(t: Test, env: Record<string, string> = {}) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const started = await startBoard(t, { port, env: { PUBLIC_URL: url, ...env } })
  const board: Board = { ...started, url }
  const one = await signedIn(board)
  const only = await signedIn(board, await board.key(looker))
  const audited = async () => (await board.call('GET', '/audit?limit=100')).body.items.length
  /** Presses an act: first as somebody who only sees, which changes nothing, then as an operator. Gives the page it leads to. */
  const press = async (path: string, changes: Record<string, string | undefined> = {}): Promise<string> => {
    const fits = acts.find(act => new RegExp(`^${act.path.replace(/:\w+/g, '[^/]+')}$`).test(path.split('?')[0]!))
    pressed.add(fits!.path)
    const before = await audited()
    const shown = await only.get(`/console${path}`)
    t.notMatch(shown.text, `${fits!.button}</button>`, `${path}: no button for who only sees`)
    const refused = await only.post(`/console${path}`, {
      token: fieldValue(shown.text, 'token'),
      once: 'x',
      ...(changes as Record<string, string>)
    })
    t.equal(refused.status, 403, `${path}: refused to who only sees`)
    t.equal(await audited(), before, `${path}: and nothing was done`)
    const way = walk(one)
    const page = await way.open(`/console${path}`)
    t.equal(formOf(page).button, fits!.button)
    t.match(page, 'curl -H &quot;Authorization: Bearer $KEY&quot;', `${path}: the same by the API`)
    return way.press(changes)
  }
  const read = async (path: string, key = adminKey) => (await board.call('GET', path, { key })).body
  const send = async (to?: string, more: object = {}) =>
    (await board.call('POST', '/messages', { body: { ...text(to), ...more } })).body
  return { ...board, one, press, read, send }
}

const secretOn = (page: string): string => /<pre tabindex="0"><code>([^<]*)<\/code>/.exec(page)![1]!

t.test('keys: made, rotated with its old secret ended, and revoked; each secret is shown once', async t => {
  const { press, read, call, one } = await open(t)
  const made = await press('/keys/new', { service: 'shop', name: 'till', mode: 'live', scopes: 'messages:read' })
  const first = secretOn(made)
  const { id } = await read('/keys/self', first)
  t.match(await read(`/keys/${id}`), { service: 'shop', name: 'till', mode: 'live', scopes: ['messages:read'] })
  const second = secretOn(await press(`/keys/${id}/rotate`, { overlapHours: '1' }))
  t.not(second, first)
  t.equal((await read('/keys/self', second)).id, id)
  t.equal((await read('/keys/self', first)).id, id, 'both while they overlap')
  for (const page of [`/keys/${id}`, '/keys', `/keys/${id}/rotate`, `/audit?target=${id}`])
    for (const secret of [first, second])
      t.notMatch((await one.get(`/console${page}`)).text, secret, `${page}: never again`)
  const { secrets } = await read(`/keys/${id}`)
  const old = secrets.find(({ lastFour }: { lastFour: string }) => lastFour === first.slice(-4))
  t.match((await one.get(`/console/keys/${id}`)).text, `/secrets/${old.id}/end"`, 'the page leads there')
  const search = async (query: object) =>
    (await one.get(`/console/keys?${new URLSearchParams(query as Record<string, string>)}`)).text.includes(
      `/keys/${id}"`
    )
  for (const query of [
    { name: 'TIL' },
    { lastFour: second.slice(-4) },
    { lastFour: first.slice(-4) },
    { service: 'shop' }
  ])
    t.ok(await search(query), `found by ${JSON.stringify(query)}`)
  for (const query of [{ name: 'lit' }, { lastFour: 'zz-z' }, { service: 'till' }])
    t.notOk(await search(query), `CONTROL: not found by ${JSON.stringify(query)}`)
  await press(`/keys/${id}/secrets/${old.id}/end`)
  t.equal((await call('GET', '/keys/self', { key: first })).status, 401)
  const third = secretOn(await press(`/keys/${id}/rotate`, { overlapHours: '0' }))
  t.equal((await call('GET', '/keys/self', { key: second })).status, 401, 'no overlap: it ends at once')
  t.match(await press(`/keys/${id}/revoke`), 'The key is revoked')
  t.equal((await call('GET', '/keys/self', { key: third })).status, 401)
  t.ok((await read(`/keys/${id}`)).revokedAt)
})

t.test('an identity is revoked', async t => {
  const { press, read, call } = await open(t)
  const { id } = (await call('POST', '/identities', { body: identityOrder('shop') })).body
  t.match(await press(`/identities/${id}/revoke`), 'The identity is revoked')
  t.ok((await read(`/identities/${id}`)).revokedAt)
})

t.test('webhooks are registered, get a new address, are read again and taken away', async t => {
  const { press, read, sandbox, send } = await open(t)
  const webhooks = () => read('/channels/cloud/webhooks')
  t.match(await press('/channels/cloud/webhooks/register'), /The provider was told[\s\S]*registered, looked/)
  const { url, registered } = await webhooks()
  t.equal(registered.atProvider, true)
  t.strictSame(
    [...sandbox.hooks().values()].flat().map(hook => hook.url),
    [url]
  )
  const { id } = await send()
  // a body that was kept and not yet read is not read again
  await until(
    () => read(`/messages/${id}`),
    message => message.status === 'read'
  )
  t.match(await press('/channels/cloud/webhooks/rotate', { overlapHours: '1' }), 'new address')
  t.not((await webhooks()).url, url)
  t.match(await press('/channels/cloud/webhooks/replay'), 'They are being read again')
  const [noted] = (await read('/audit?target=cloud')).items
  t.equal(noted.action, 'channel.webhooks_replayed')
  t.ok(noted.detail.bodies > 0, 'what was heard')
  t.match(await press('/channels/cloud/webhooks/remove'), 'The webhooks are taken away')
  t.strictSame([...sandbox.hooks().values()].flat(), [])
})

/** Maton, at which somebody can finish an authorisation. */
async function openMaton(t: Test, sandbox: () => string) {
  let finished = false
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const { authorization = '', 'content-type': type } = request.headers
    const answer = await fetch(sandbox() + request.url, {
      method: request.method!,
      headers: { authorization, ...(type && { 'content-type': type }) },
      ...(parts.length > 0 && { body: Buffer.concat(parts) })
    })
    const said = await answer.text()
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' })
    response.end(finished ? said.replaceAll('"PENDING"', '"ACTIVE"') : said)
  })
  const url = `http://127.0.0.1:${await listen(t, server)}`
  return { url, finish: () => void (finished = true) }
}

t.test('an account is connected: the page has the link, waits for ACTIVE, and leads to its channel', async t => {
  let sandboxUrl = ''
  const maton = await openMaton(t, () => sandboxUrl)
  const { press, read, sandbox, one, call } = await open(t, { MATON_CONTROL_URL: maton.url })
  sandboxUrl = sandbox.url
  const waiting = await press('/connections/new', { provider: 'whatsapp-cloud' })
  t.match(
    waiting,
    /<a href="https:\/\/connect\.maton\.ai\/\?session_token=[^"]+" target="_blank" rel="noopener noreferrer">/
  )
  t.match(waiting, /hx-get="(\/console\/connections\/[^"]+)" hx-trigger="live from:body"/, 'it looks by itself')
  const id = /\/console\/connections\/([^/"?]+)/.exec(waiting)![1]!
  t.equal((await read(`/connections/${id}`)).status, 'pending')
  t.notMatch((await one.get(`/console/connections/${id}`)).text, 'It is active')
  maton.finish()
  const way = walk(one)
  t.match(await way.open(`/console/connections/${id}`), 'It is active')
  t.notMatch(way.page(), 'connect.maton.ai')
  await way.follow(/Make a channel with it/)
  t.match(formOf(way.page()).fields, { provider: 'whatsapp-cloud', connectionId: id })
  const settings = (await read('/channels/cloud')).settings
  await press('/channels/new', {
    ...{ id: 'second', provider: 'whatsapp-cloud', connectionId: id },
    settings: JSON.stringify({ ...settings, phoneNumberId: '106540352242923' })
  })
  t.equal((await read('/channels/second')).connectionId, id)
  t.match(await press('/channels/second/delete'), 'The channel is deleted')
  t.equal((await call('GET', '/channels/second')).status, 404)
  t.match(await press(`/connections/${id}/delete`), 'The connection is deleted')
  t.equal((await call('GET', `/connections/${id}`)).status, 404)
})

t.test('a subscription is tested, enabled, replayed, given a new secret and deleted', async t => {
  const receiver = await receive(t)
  const { press, read, call, send } = await open(t, { EGRESS_ALLOW: `127.0.0.1:${receiver.port}` })
  const body = { url: receiver.url, events: ['message.accepted'] }
  const { id, secret } = (await call('POST', '/subscriptions', { body })).body
  const at = `/subscriptions/${id}`
  t.match(await press(`${at}/test`, { type: 'message.failed' }), 'The test event is on its way')
  t.match(receiver.posted.at(-1), { headers: { 'switchboard-test': '1' }, body: { type: 'message.failed' } })
  receiver.answer = (_, response) => void response.writeHead(410).end('gone')
  await send()
  await until(
    () => read(at),
    ({ status }) => status === 'disabled'
  )
  receiver.answer = (_, response) => void response.writeHead(204).end()
  const before = receiver.posted.length
  t.match(await press(`${at}/enable`), 'The subscription is enabled')
  t.equal((await read(at)).status, 'active')
  t.match(await press(`${at}/replay`), 'They are being sent again')
  await until(
    () => receiver.posted.length,
    count => count > before
  )
  t.equal(receiver.posted.at(-1)!.headers['webhook-id'], receiver.posted[before - 1]!.headers['webhook-id'])
  const eventId = receiver.posted.at(-1)!.body.id
  await press(`${at}/replay`, { eventId })
  await until(
    () => receiver.posted.length,
    count => count > before + 1
  )
  t.equal(receiver.posted.at(-1)!.body.id, eventId)
  const fresh = secretOn(await press(`${at}/rotate`, { overlapHours: '1' }))
  t.match(fresh, /^whsec_/)
  t.not(fresh, secret)
  t.match(await press(`${at}/delete`), 'The subscription is deleted')
  t.equal((await call('GET', at)).status, 404)
})

t.test('messages: canceled, looked up, settled one by one and all at once, sent anew', async t => {
  const { press, read, send } = await open(t)
  const later = (await send(undefined, { sendAt: future() })).id
  t.match(await press(`/messages/${later}/cancel`), 'The message is canceled')
  t.equal((await read(`/messages/${later}`)).status, 'canceled')
  const again = await press(`/messages/${later}/resend`)
  const copy = /(msg_[0-9a-f]{32})/.exec(again)![1]!
  t.match(await read(`/messages/${copy}`), { resendOf: later })
  const unknown = async () => (await send(unreadable)).id
  const [one, two] = [await unknown(), await unknown()]
  t.match(await press(`/messages/${one}/reconcile`), 'It was looked up')
  t.match(await press(`/messages/${one}/resolve`, { verdict: 'confirm_sent' }), 'The message is settled')
  t.equal((await read(`/messages/${one}`)).status, 'accepted')
  const anew = await press(`/messages/${two}/resolve`, { verdict: 'resend', acceptDuplicateRisk: 'yes' })
  t.match(anew, 'The message is settled')
  for (const each of (await read('/messages?status=unknown&final=false')).items)
    await press(`/messages/${each.id}/resolve`, { verdict: 'abandon' })
  const left = [await unknown(), await unknown()]
  t.match(await press('/unknown/resolve?channel=cloud', { verdict: 'abandon' }), 'They are settled')
  for (const id of left) t.match(await read(`/messages/${id}`), { status: 'unknown', final: true })
  const tried = await press('/test', { channel: 'cloud', to: '14155550009', text: 'Is anybody there?' })
  t.match(await read(`/messages/${/(msg_[0-9a-f]{32})/.exec(tried)![1]}`), { to: '14155550009', status: 'accepted' })
})

t.test('channels and broadcasts: paused, resumed, canceled, and what failed sent again', async t => {
  const { press, read, call, sandbox } = await open(t)
  await press('/channels/cloud/pause')
  t.equal((await read('/channels/cloud')).paused, true)
  await press('/channels/cloud/resume')
  t.equal((await read('/channels/cloud')).paused, false)
  const made = await call('POST', '/broadcasts', { body: order(3, { startAt: future() }) })
  const at = `/broadcasts/${made.body.id}`
  await press(`${at}/pause`)
  t.equal((await read(at)).status, 'paused')
  await press(`${at}/resume`)
  t.equal((await read(at)).status, 'scheduled')
  t.match(await press(`${at}/cancel`), 'The broadcast is canceled')
  t.equal((await read(at)).status, 'canceled')
  sandbox.force({ fault: 'content_refused', operation: 'cloud.sendMessage', times: 1 })
  const other = `/broadcasts/${(await call('POST', '/broadcasts', { body: order(2, { name: 'June' }) })).body.id}`
  await until(
    () => read(other),
    ({ status, counts }) => status === 'finished' && counts.failed === 1
  )
  t.match(await press(`${other}/retry-failed`), 'What failed is queued again')
  await until(
    () => read(other),
    ({ counts }) => counts.failed === 0 && counts.queued === 0 && counts.sending === 0
  )
})

t.test('the hold after a restore is released', async t => {
  const { press, read, one } = await open(t, { AFTER_RESTORE: '1' })
  t.match((await one.get('/console')).text, 'href="/console/hold/release"')
  t.match(await press('/hold/release'), 'The hold is released')
  t.equal((await read('/admin/hold')).held, false)
})

t.test('no act is left out', async t => {
  t.strictSame(
    acts.map(({ path }) => path).filter(path => !pressed.has(path)),
    []
  )
})
