import t, { type Test } from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { freePort } from '../free-port.ts'
import { type Board, cloudSettings, matonKey, startBoard } from '../helper.ts'
import { until } from '../until.ts'

// Acts on where a channel's webhooks go, where the provider refuses, has been changed by somebody else, or is asked twice at
// once (docs/api.md 12, docs/webhooks.md C2, D2). What holds where all goes well: channel-webhooks.test.ts.

const path = (channel: string) => `/channels/${channel}/webhooks`
const open = async (t: Test) => {
  const port = await freePort()
  const board = await startBoard(t, { port, env: { PUBLIC_URL: `http://127.0.0.1:${port}` } })
  return {
    ...board,
    read: async (channel: string) => (await board.call('GET', path(channel))).body,
    urls: () => [...board.sandbox.hooks().values()].flat().map(({ url }) => url)
  }
}
const removal = { cloud: 'cloud.setNumberWebhook', wati: 'wati.deleteWebhookEndpoint' } as const
const channels = ['cloud', 'wati'] as const
const refusals = ['throttled', 'unavailable', 'maton_unauthorized', 'credential_expired', 'locked']
const ownFaults = (board: Board) => board.log.filter(line => /"level":[56]0/.test(line))

for (const channel of channels)
  t.test(
    `${channel}: a provider that refuses to take an address away is told in its words, and it can be asked again`,
    async t => {
      const board = await open(t)
      await board.call('POST', path(channel))
      const before = board.urls()
      for (const fault of refusals) {
        board.sandbox.force({ operation: removal[channel], fault, times: 1 })
        const { status, body } = await board.call('DELETE', path(channel))
        t.not(body.code, 'internal', fault)
        t.ok(status >= 400 && body.provider, `${fault}: ${status} ${body.code}`)
        t.match(body.detail, /By hand: /, fault)
        t.match(await board.read(channel), { registered: { atProvider: true } }, 'it is registered as before')
      }
      t.strictSame(board.urls(), before)
      t.equal((await board.call('DELETE', path(channel))).status, 204)
      t.strictSame(board.urls(), [])
      t.equal((await board.call('DELETE', path(channel))).status, 204, 'once more: it is gone')
      t.strictSame(ownFaults(board), [])
    }
  )

t.test('wati: what was deleted in its dashboard is gone, and does not stand in the way of anything', async t => {
  const board = await open(t)
  await board.call('POST', path('wati'))
  const emptied = () => {
    for (const list of board.sandbox.hooks().values()) list.length = 0
  }
  emptied()
  const rotated = await board.call('POST', `${path('wati')}/rotate`, { body: { overlapSeconds: 0 } })
  t.equal(rotated.status, 200)
  t.match(rotated.body, { registered: { atProvider: true } })
  t.strictSame(board.urls(), [rotated.body.url])
  emptied()
  t.equal((await board.call('DELETE', path('wati'))).status, 204)
  t.match(await board.read('wati'), { registered: { atProvider: 'unknown' } })
})

t.test('wati: where its list cannot be read our address is told of once', async t => {
  const board = await open(t)
  board.sandbox.force({ operation: 'wati.listWebhookEndpoints', fault: 'bad_gateway_html', times: 99 })
  const { body } = await board.call('POST', path('wati'))
  t.match(body.registered, { atProvider: 'unknown', problem: /cannot be read back/ })
  t.equal((await board.call('POST', path('wati'))).status, 200, 'it has it')
  t.strictSame(board.urls(), [body.url])
})

t.test('wati: a refusal that repeats our address is told and logged without its secret', async t => {
  const board = await open(t)
  const { url } = await board.read('wati')
  const byHand = [{ url, status: 1, eventTypes: ['message'] }]
  await board.call('POST', '/channels/wati/native/api/v2/webhookEndpoints', { body: byHand })
  board.sandbox.force({ operation: 'wati.listWebhookEndpoints', fault: 'bad_gateway_html', times: 99 })
  const { status, body, text } = await board.call('POST', path('wati'))
  t.equal(status, 422)
  t.match(body.provider.message, /webhooks\/wati\/…/, 'CONTROL: WATI repeats it')
  const secret = url.split('/').at(-1)
  t.notOk(text.includes(secret))
  const log = board.log.join('')
  t.match(log, /"operation":"registerWebhook"/, 'CONTROL')
  t.notOk(log.includes(secret))
})

t.test(
  'wati: a webhook made by hand that tells of messages alone is said to leave out what becomes of ours',
  async t => {
    const board = await open(t)
    const { url } = await board.read('wati')
    const byHand = [{ url, status: 1, eventTypes: ['message', 'sentMessageREAD_v2'] }]
    await board.call('POST', '/channels/wati/native/api/v2/webhookEndpoints', { body: byHand })
    t.match((await board.call('POST', path('wati'))).body.registered, {
      atProvider: true,
      problem: /does not tell of sentMessageDELIVERED, templateMessageFailed, sessionMessageFailed: choose/
    })
    t.equal((await board.call('DELETE', path('wati'))).status, 204, 'its id is found in the list')
    t.strictSame(board.urls(), [])
    t.equal((await board.call('POST', path('wati'))).body.registered.problem, undefined, 'CONTROL: ours tells of all')
  }
)

t.test('cloud: only our own address is taken away', async t => {
  const board = await open(t)
  await board.call('POST', path('cloud'))
  const [hook] = [...board.sandbox.hooks().values()].flat()
  hook!.url = 'https://other.example/hook'
  t.equal((await board.call('DELETE', path('cloud'))).status, 204)
  t.strictSame(board.urls(), ['https://other.example/hook'], 'somebody else’s stays')

  const twin = { id: 'twin', provider: 'whatsapp-cloud', connectionId: 'cloud-connection', settings: cloudSettings }
  await board.call('POST', '/channels', { body: twin })
  await board.call('POST', path('cloud'))
  const { url } = (await board.call('POST', path('twin'))).body
  t.equal((await board.call('DELETE', path('cloud'))).status, 204)
  t.strictSame(board.urls(), [url], 'as does that of another channel of the number')
})

t.test('cloud: registering again makes sure of the subscription as well', async t => {
  const board = await open(t)
  await board.call('POST', path('cloud'))
  const apps = `/channels/cloud/native/v24.0/${cloudSettings.businessAccountId}/subscribed_apps`
  await board.call('DELETE', apps)
  t.equal((await board.call('GET', apps)).body.data.length, 0, 'CONTROL')
  t.equal((await board.call('POST', path('cloud'))).status, 200)
  t.equal((await board.call('GET', apps)).body.data.length, 1)
})

for (const channel of channels)
  t.test(`${channel}: acts on one channel at once leave it as the last of them says`, async t => {
    const board = await open(t)
    const acts = () => [
      board.call('POST', path(channel)),
      board.call('POST', path(channel)),
      board.call('POST', `${path(channel)}/rotate`, { body: { overlapSeconds: 60 } }),
      board.call('POST', `${path(channel)}/rotate`, { body: { overlapSeconds: 60 } })
    ]
    t.strictSame(
      (await Promise.all(acts())).map(({ status }) => status),
      [200, 200, 200, 200]
    )
    const { url, registered } = await board.read(channel)
    t.match(registered, { atProvider: true })
    t.strictSame(board.urls(), [url])
    t.strictSame(
      (await Promise.all([...acts(), board.call('DELETE', path(channel))])).map(({ status }) => status),
      [200, 200, 200, 200, 204]
    )
    t.strictSame(board.urls(), [])
  })

t.test(
  'another PUBLIC_URL: what is shown is not called registered, and what was told before is taken away',
  async t => {
    const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
    t.teardown(() => sandbox.close())
    const [directory, port] = [t.testdir(), await freePort()]
    const start = (url?: string) =>
      startBoard(t, { sandbox, directory, port, env: url === undefined ? {} : { PUBLIC_URL: `http://${url}:${port}` } })
    let board = await start('127.0.0.1')
    await board.call('POST', '/channels', {
      body: { id: 'wati', provider: 'wati', connectionId: 'wati-connection', settings: {} }
    })
    const { url } = (await board.call('POST', path('wati'))).body
    await board.close()

    board = await start()
    t.match((await board.call('POST', `${path('wati')}/rotate`, { body: {} })).body, {
      code: 'conflict',
      detail: /PUBLIC_URL/
    })
    t.strictSame(
      [...sandbox.hooks().values()].flat().map(hook => hook.url),
      [url]
    )
    await board.close()

    board = await start('localhost')
    const moved = (await board.call('GET', path('wati'))).body
    t.equal(moved.url, url.replace('127.0.0.1', 'localhost'), 'no token was made that nobody was told')
    t.match(moved.registered, { atProvider: 'unknown', problem: /another address/ })
    await board.call('POST', path('wati'))
    t.match((await board.call('GET', path('wati'))).body.registered, { atProvider: true })
    t.strictSame(
      [...sandbox.hooks().values()].flat().map(hook => hook.url),
      [moved.url]
    )
  }
)

t.test('a channel that is deleted and made again has heard nothing, and is registered nowhere', async t => {
  const board = await open(t)
  const body = { id: 'shop', provider: 'wati', connectionId: 'shop-connection', settings: {} }
  await board.call('POST', '/channels', { body })
  await board.call('POST', path('shop'))
  const told = {
    eventType: 'message',
    id: '1',
    whatsappMessageId: 'wamid.1',
    waId: '14155550100',
    text: 'Hi',
    type: 'text'
  }
  await board.call('POST', (await board.board.app.door.pathOf('shop', 'live'))!, { key: '', body: told })
  const heard = await until(
    () => board.read('shop'),
    ({ lastHeardAt }) => lastHeardAt !== null
  )
  t.match(heard, { mode: 'token', registered: { atProvider: true } }, 'CONTROL')
  t.equal((await board.call('DELETE', '/channels/shop')).status, 204)
  await board.call('POST', '/channels', { body: { ...body, connectionId: 'another' } })
  t.match(await board.read('shop'), {
    ...{ mode: 'none', registered: { atProvider: 'unknown', checkedAt: null } },
    ...{ lastHeardAt: null, lastStatusAt: null, silentSince: undefined }
  })
})
