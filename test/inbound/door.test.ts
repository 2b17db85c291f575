import { createHash, createHmac } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { type Board, type BoardOptions, cloudSettings, startBoard } from '../helper.ts'
import { createRandom } from '../torture/random.ts'
import { until } from '../until.ts'

// The door of the webhooks (docs/api.md 12; docs/reliability.md P36, P39, T35–T38), over real HTTP.

const appSecret = 'app-secret-for-tests'
const door = async (board: Board, channel = 'cloud', mode: 'live' | 'test' = 'live') =>
  (await board.board.app.door.pathOf(channel, mode))!
const post = (board: Board, path: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
  board.call('POST', path, { key: '', body, headers: { 'content-type': 'application/json', ...headers } })
const signed = (body: string | Uint8Array, secret = appSecret) => ({
  'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
})
const withSecret = async (t: Test, options: BoardOptions = {}): Promise<Board> => {
  const board = await startBoard(t, options)
  const settings = { ...cloudSettings, appSecret, verifyToken: 'a-word-of-our-own' }
  await board.call('PATCH', '/channels/cloud', { body: { settings } })
  return board
}
/** How many bodies were kept, as the metrics tell. */
const kept = async (board: Board): Promise<number> => {
  const { text } = await board.call('GET', '/metrics')
  return Number(/switchboard_webhooks_total\{provider="[a-z-]+",outcome="kept"\} (\d+)/.exec(text)?.[1] ?? 0)
}

t.test('what holds the token is answered 200, whatever it is, and kept once', async t => {
  const board = await startBoard(t)
  const path = await door(board)
  const bodies = ['{"object":"whatsapp_business_account","entry":[]}', 'no JSON', '', '[1', '{"field":"of tomorrow"}']
  for (const body of bodies) t.equal((await post(board, path, body)).status, 200, body)
  const bytes = Buffer.from([0x1f, 0x8b, 0, 0xff])
  const packed = { 'content-type': 'application/octet-stream', 'content-encoding': 'gzip' }
  t.equal((await post(board, `${path}?a=%zz`, bytes, packed)).status, 200, 'bytes of any kind')
  t.equal(await kept(board), bodies.length + 1)
  for (const body of bodies) t.equal((await post(board, path, body)).status, 200, 'told again')
  t.equal(await kept(board), bodies.length + 1, 'the same bytes again are known')
  t.equal((await post(board, path, 'x'.repeat(4 * 1024 * 1024))).status, 200, '4 MiB')
  t.equal((await post(board, path, 'x'.repeat(4 * 1024 * 1024 + 1))).status, 413)
})

t.test('a content type that is none, or none at all, stops nothing, and is kept as it came', async t => {
  const board = await startBoard(t)
  const path = await door(board)
  const types = ['garbage', '', ';', 'application/json, application/json', 'application/json; charset="utf-8']
  for (const [i, type] of types.entries())
    t.equal((await post(board, path, `{"number":${i}}`, { 'content-type': type })).status, 200, type)
  t.equal(await kept(board), types.length)
  const db = new DatabaseSync(join(board.directory, 'switchboard.db'), { readOnly: true })
  t.teardown(() => db.close())
  const rows = db.prepare('select headers from webhooks order by id').all()
  t.strictSame(
    rows.map(({ headers }) => JSON.parse(String(headers))['content-type']),
    types
  )
})

t.test('a wrong token is a 404, the same for every channel, and nothing is kept or told', async t => {
  const board = await startBoard(t)
  const path = await door(board)
  const token = path.split('/').at(-1)!
  const other = (await door(board, 'wati')).split('/').at(-1)!
  t.not(token, other)
  t.not(token, (await door(board, 'cloud', 'test')).split('/').at(-1), 'each mode has its own')
  t.match(token, /^[\w-]{22,}$/, '128 bits and more')
  const wrong = [
    `/webhooks/cloud/${other}`,
    `/webhooks/nobody/${token}`,
    `${path}x`,
    path.slice(0, -1),
    '/webhooks/cloud/x'
  ]
  const answers = await Promise.all(wrong.map(each => post(board, each, '{}')))
  for (const { status, body } of answers) {
    t.equal(status, 404)
    t.match(body, { detail: 'There is nothing here.', instance: '/webhooks/{channel}/{token}' })
  }
  t.equal(await kept(board), 0)
  for (const each of [`${path}/more`, `/api${path}`, path.replace('w', '%77'), `${path}%zz`, `/webhooks//${token}`])
    for (const method of ['POST', 'PUT', 'GET'])
      t.notMatch((await board.call(method, each, { key: '' })).text, token, `${method} ${each}`)
  await post(board, path, '{}', { 'x-original-uri': path, referer: `http://x${path}` })
  t.equal((await board.call('GET', `${path}?hub.mode=subscribe`, { key: '' })).status, 403)
  t.notMatch(board.log.join(''), token, 'no line of the log holds it')
  t.notMatch((await board.call('GET', '/metrics')).text, token)
  t.match(board.log.join(''), 'webhooks/:channel/:token', 'CONTROL: the route is logged')
})

t.test('where an app secret is set, the signature over the raw bytes is asked for', async t => {
  const board = await withSecret(t)
  const path = await door(board)
  // docs/upstream.md 7.
  const vectors: [body: string, hex: string][] = [
    [
      '{"object":"whatsapp_business_account","entry":[]}',
      '1ca363dab318df784e1963b29dca91e2098e6cf2fbf0d3c14e09580a90684a61'
    ],
    [
      '{"object":"whatsapp_business_account","entry":[{"id":"0","changes":[{"field":"messages","value":{"note":"caf\\u00e9 \\ud83d\\ude00"}}]}]}',
      '4fd7c3a20cfd673804c58a7ed1facde7d41a5e3aa298f5d019b35d2b38f8ad0b'
    ]
  ]
  for (const [body, hex] of vectors)
    t.equal((await post(board, path, body, { 'x-hub-signature-256': `sha256=${hex}` })).status, 200)
  t.equal(await kept(board), 2)
  const [[compact, hex], [escaped, escapedHex]] = vectors as [[string, string], [string, string]]
  const rewritten = JSON.stringify(JSON.parse(escaped))
  t.not(rewritten, escaped)
  t.equal((await post(board, path, rewritten, { 'x-hub-signature-256': `sha256=${escapedHex}` })).status, 401)
  t.equal((await post(board, path, compact.replace(':', ': '), { 'x-hub-signature-256': `sha256=${hex}` })).status, 401)
  t.equal((await post(board, path, compact)).status, 401, 'none at all')
  t.equal((await post(board, await door(board, 'wati'), compact)).status, 200, 'WATI signs nothing')
  const open = await startBoard(t)
  t.equal(
    (await post(open, await door(open), rewritten)).status,
    200,
    'CONTROL: without a secret the token alone vouches'
  )
  const shown = await board.call('GET', '/channels/cloud')
  t.notMatch(shown.text, appSecret)
  const rest = { phoneNumberId: '1065403522429', businessAccountId: cloudSettings.businessAccountId }
  await board.call('PATCH', '/channels/cloud', { body: { settings: rest } })
  t.equal((await post(board, path, compact)).status, 401, 'a secret that is not given anew stays')
  const without = await board.call('PATCH', '/channels/cloud', { body: { settings: { ...rest, appSecret: null } } })
  t.equal(without.status, 200)
  t.equal((await post(board, path, compact)).status, 200, 'until it is taken away')
  const required = await board.call('PATCH', '/channels/cloud', {
    body: { settings: { ...rest, phoneNumberId: null } }
  })
  t.match(required.body, { status: 400, errors: [{ path: '/settings/phoneNumberId' }] }, 'null is for secrets alone')
})

t.test('forged ones of every kind have no effect, and no genuine one is refused', async t => {
  const board = await withSecret(t)
  const admission = await board.board.app.door.admit('cloud', (await door(board)).split('/').at(-1)!)
  const { next: roll } = createRandom(7)
  const words = ['hi', 'caf\u00e9 \ud83d\ude00', '\\u00e9', '\ud83d\ude00'.repeat(3), '  ', '{}']
  let genuine = 0
  for (let i = 0; i < 10_000; i++) {
    const text = words[Math.floor(roll() * words.length)]!
    const body = Buffer.from(JSON.stringify({ i, text }))
    const { 'x-hub-signature-256': right } = signed(body)
    const altered = Buffer.from(body)
    altered[Math.floor(roll() * body.length)]! ^= 1
    const forged: [unknown, Buffer][] = [
      [undefined, body],
      ['', body],
      [right.slice(0, -1), body],
      [right.toUpperCase(), body],
      [`sha256=${right.slice(7).toUpperCase()}`, body],
      [right.slice(7), body],
      [`sha1=${createHmac('sha1', appSecret).update(body).digest('hex')}`, body],
      [`sha256=${createHash('sha256').update(body).digest('hex')}`, body],
      [signed(body, 'another-secret')['x-hub-signature-256'], body],
      [right, altered],
      [`${right}0`, body]
    ]
    const [header, bytes] = forged[i % forged.length]!
    await t.rejects(board.board.app.door.receive(admission, { 'x-hub-signature-256': header as string }, bytes))
    if (i % 10 !== 0) continue
    await board.board.app.door.receive(admission, { 'x-hub-signature-256': right }, body)
    genuine++
  }
  t.equal(await kept(board), genuine)
})

t.test('the handshake gives back digits to whoever knows the word, and nothing else', async t => {
  const board = await withSecret(t)
  const path = await door(board)
  const shake = (query: Record<string, string>) =>
    board.call('GET', `${path}?${new URLSearchParams(query)}`, { key: '' })
  const right = { 'hub.mode': 'subscribe', 'hub.verify_token': 'a-word-of-our-own', 'hub.challenge': '1158201444' }
  const answer = await shake(right)
  t.match(answer, { status: 200, text: '1158201444' })
  t.match(answer.headers['content-type'], /^text\/plain/)
  t.match(answer.headers, { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' })
  t.equal((await shake({ ...right, 'hub.verify_token': 'another' })).status, 403)
  t.equal((await shake({ ...right, 'hub.mode': 'unsubscribe' })).status, 403)
  t.equal((await shake({})).status, 403)
  for (const challenge of ['<script>alert(1)</script>', '', '1'.repeat(65), '12a', '١٢'])
    t.equal((await shake({ ...right, 'hub.challenge': challenge })).status, 400, challenge)
  t.equal((await board.call('GET', `/webhooks/cloud/wrong?${new URLSearchParams(right)}`, { key: '' })).status, 404)
})

t.test('on a listener of its own there are the doors and /livez, and nothing else', async t => {
  const board = await startBoard(t, { env: { WEBHOOK_PORT: '0' } })
  const url = await board.board.webhookApp!.listen({ host: '127.0.0.1', port: 0 })
  const there = {
    ...board,
    call: ((method, path, options) => fetchAt(url, method, path, options?.body)) as Board['call']
  }
  t.equal((await there.call('POST', await door(board), { body: '{}' })).status, 200)
  t.equal((await there.call('GET', '/livez')).status, 200)
  for (const path of ['/readyz', '/metrics', '/docs', '/openapi.yaml', '/errors', '/channels', '/messages', '/'])
    t.equal((await there.call('GET', path)).status, 404, path)
  await until(
    () => kept(board),
    count => count === 1
  )
  t.equal((await post(board, await door(board), '{"a":1}')).status, 200, 'the main listener has them too')
})

async function fetchAt(url: string, method: string, path: string, body?: unknown) {
  const answer = await fetch(url + path, { method, body: (body as string) ?? null })
  const text = await answer.text()
  return { status: answer.status, headers: {}, text, body: text }
}
