import t, { type Test } from 'tap'
import { freePort } from '../free-port.ts'
import { adminKey, type Board, startBoard } from '../helper.ts'
import { until } from '../until.ts'

// Where a channel's webhooks go: registered through Maton at the stand-in, which calls the door at once (docs/api.md 12).

const open = async (t: Test, env: Record<string, string> = {}) => {
  // a name of the outside that leads to the board, once that listens
  const port = await freePort()
  const board = await startBoard(t, { port, env: { PUBLIC_URL: `http://127.0.0.1:${port}`, ...env } })
  return { ...board, url: `http://127.0.0.1:${port}` }
}

const path = (channel: string) => `/channels/${channel}/webhooks`
const read = async ({ call }: Pick<Board, 'call'>, channel: string, key = adminKey) =>
  (await call('GET', path(channel), { key })).body

t.test('nothing is registered and nothing was heard: none, and the address for whoever may see it', async t => {
  const board = await open(t)
  const seen = await read(board, 'cloud')
  t.match(seen, {
    mode: 'none',
    registered: { atProvider: 'unknown', checkedAt: null },
    lastHeardAt: null,
    unmatched: 0
  })
  t.match(seen.url, new RegExp(`^${board.url}/webhooks/cloud/`))
  t.match(seen.verifyToken, /^[A-Za-z0-9_-]{24}$/)
  const key = await board.key({ scopes: ['channels:read'] })
  const shown = await read(board, 'cloud', key)
  t.equal(shown.url, undefined)
  t.equal(shown.verifyToken, undefined)
})

for (const channel of ['cloud', 'wati'] as const)
  t.test(`${channel}: registered, read back, told to, rotated and taken away`, async t => {
    const board = await open(t)
    const { body, status } = await board.call('POST', path(channel))
    t.equal(status, 200)
    t.match(body, { mode: 'token', registered: { atProvider: true } })
    const hooks = () => [...board.sandbox.hooks().values()].flat().map(({ url }) => url)
    t.strictSame(hooks(), [body.url])
    t.equal((await board.call('POST', path(channel))).status, 200, 'once more is no refusal')
    t.strictSame(hooks(), [body.url])

    await board.call('POST', '/messages', {
      body: { channel, to: '+1 415 555 0000', type: 'text', text: { body: 'Hello' } }
    })
    await board.sandbox.told()
    await until(
      async () => (await board.call('GET', '/metrics')).text,
      text => /webhooks_total\{[^}]*kept[^}]*\} [1-9]/.test(text)
    )

    const rotated = (await board.call('POST', `${path(channel)}/rotate`, { body: { overlapSeconds: 60 } })).body
    t.not(rotated.url, body.url)
    t.strictSame(hooks(), [rotated.url], 'the provider was told the new address')
    t.match(rotated.registered, { atProvider: true })

    t.equal((await board.call('DELETE', path(channel))).status, 204)
    t.strictSame(hooks(), [])
    t.match(await read(board, channel), { registered: { atProvider: 'unknown' } })
    const log = board.log.join('')
    for (const url of [body.url, rotated.url]) t.notOk(log.includes(url.split('/').at(-1)), 'no token in the log')
    const { items } = (await board.call('GET', '/audit')).body
    for (const action of ['webhooks.registered', 'webhooks.rotated', 'webhooks.removed'])
      t.ok(
        items.some((entry: { action: string }) => entry.action === action),
        action
      )
  })

t.test('two numbers of one account do not silence each other', async t => {
  const board = await open(t)
  const settings = { phoneNumberId: '106540352242923', businessAccountId: '102290129340398' }
  await board.call('POST', '/channels', {
    body: { id: 'second', provider: 'whatsapp-cloud', connectionId: 'cloud-connection', settings }
  })
  await board.call('POST', path('cloud'))
  await board.call('POST', path('second'))
  t.match((await read(board, 'cloud')).registered, { atProvider: true })
  t.equal([...board.sandbox.hooks().values()].flat().length, 2)
})

t.test('a provider that refuses is told in its own words, with the way by hand', async t => {
  // nobody listens there, so the handshake fails
  const board = await startBoard(t, { env: { PUBLIC_URL: 'http://127.0.0.1:9' } })
  const { status, body } = await board.call('POST', path('cloud'))
  t.equal(status, 422)
  t.match(body, { code: 'message_rejected', detail: /By hand: in Meta’s App Dashboard/, provider: { code: '2200' } })
  t.match(await read(board, 'cloud'), { registered: { atProvider: 'unknown' } })
})

t.test('without PUBLIC_URL nobody can be told where to call', async t => {
  const board = await startBoard(t)
  t.match((await board.call('POST', path('cloud'))).body, { code: 'conflict', detail: /PUBLIC_URL/ })
  t.match((await read(board, 'cloud')).warnings[0], /PUBLIC_URL/)
})
