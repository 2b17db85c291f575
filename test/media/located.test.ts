import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { createServer as createPlain } from 'node:http'
import { connect } from 'node:net'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { adapters } from '../../src/adapters/index.ts'
import { createProviderClient, type DispatchChannel } from '../../src/dispatch/provider-client.ts'
import { createRemoteMedia, toRemoteMedia } from '../../src/media/remote.ts'
import { createMetrics } from '../../src/metrics.ts'
import { openStore } from '../../src/store/index.ts'
import { createEgress } from '../../src/upstream/egress.ts'
import { openAdmission } from '../admission.ts'
import { caller } from '../conformance/store-rows.ts'
import { startBoard } from '../helper.ts'
import { until } from '../until.ts'
import { listen, PNG } from '../upstream/site.ts'

// What people send through the Cloud API: Meta says where it lies, and gives it out for a token of the operator's own (T23).

const log = pino({ level: 'silent' })
const mediaToken = 'graph-token-of-our-own'
const lookaside = 'https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=871&ext=1&hash=x'

/** A file that a webhook told of, with a server in the place of Meta's, and what that was asked. */
async function told(
  t: Test,
  { settings = {} as object, url = lookaside, status = 200, sha256 = undefined as string | undefined }
) {
  const store = await openStore({ directory: t.testdir() }, log)
  t.teardown(() => store.close())
  const seen: { host?: string; token?: string }[] = []
  const port = await listen(
    t,
    createPlain(({ headers }, response) => {
      seen.push({ host: headers.host!, token: headers.authorization! })
      response.writeHead(status, { 'content-type': 'image/png', location: 'https://elsewhere.example/' }).end(PNG)
    })
  )
  // Its address is on loopback, which only an opened host may lead to; TLS ends before it.
  const egress = createEgress({
    allow: ['lookaside.fbsbx.com', 'elsewhere.example'],
    resolve: async () => ['127.0.0.1'],
    dial: (_options, callback) => {
      const socket = connect(port, '127.0.0.1', () => callback(null, socket))
    }
  })
  const asked: unknown[] = []
  const providerClient = createProviderClient({
    ...{ admission: openAdmission, adapters, log, metrics: createMetrics() },
    upstream: () =>
      ({
        request: async () => {
          asked.push('the descriptor')
          return { status: 200, headers: {}, body: { url, mime_type: 'image/png', id: '871' } }
        }
      }) as never
  })
  const channel: DispatchChannel = {
    ...{ id: 'cloud', provider: 'whatsapp-cloud', mode: 'live', connectionId: 'c' },
    settings: { phoneNumberId: '1', businessAccountId: '2', ...settings }
  }
  const directory = t.testdir({ spool: {} }) && `${t.testdirName}/spool`
  const remote = createRemoteMedia({
    ...{ store, providerClient, directory, sandboxed: () => false },
    bind: async () => channel,
    egress: async () => egress
  })
  const { id, query } = remote.keep(
    channel,
    { reference: '871', mimeType: 'image/jpeg', ...(sha256 && { sha256 }) },
    Date.now()
  )
  await store.write(function* () {
    yield query
  })
  const row = await remote.find(caller({ scopes: new Set(['inbound:read']) }), id)
  return { row, open: () => remote.open(row!), seen, asked, left: () => readdirSync(directory) }
}

t.test('with mediaToken the bytes come from Meta’s host, and nothing of them stays', async t => {
  const { open, seen, asked, left } = await told(t, { settings: { mediaToken } })
  const { bytes, mimeType, size } = await open()
  t.strictSame(Buffer.concat(await bytes.toArray()), PNG)
  t.strictSame([mimeType, size], ['image/png', PNG.length])
  t.strictSame(asked, ['the descriptor'])
  t.strictSame(seen, [{ host: 'lookaside.fbsbx.com', token: `Bearer ${mediaToken}` }])
  await until(left, files => files.length === 0)
})

t.test('the digest that Meta tells of a file stands with it, as hex', async t => {
  const hex = createHash('sha256').update(PNG).digest('hex')
  const of = async (sha256?: string) => toRemoteMedia((await told(t, { sha256 })).row!).sha256
  t.equal(await of(Buffer.from(hex, 'hex').toString('base64')), hex)
  t.equal(await of(hex.toUpperCase()), hex)
  for (const none of [undefined, 'AAAA', '…', 'x'.repeat(10_000)]) t.equal(await of(none), null)
})

t.test('without it the refusal names the setting, and nobody is asked', async t => {
  const { open, seen, asked } = await told(t, {})
  await t.rejects(open(), { code: 'unsupported', message: /set the channel setting mediaToken of cloud/ })
  t.strictSame([seen, asked], [[], []])
})

for (const url of [
  'https://elsewhere.example/file',
  'http://lookaside.fbsbx.com/file',
  'https://lookaside.fbsbx.com:8443/file',
  'https://lookaside.fbsbx.com.elsewhere.example/file',
  'https://me@lookaside.fbsbx.com/file',
  'no address'
])
  t.test(`an answer that leads to ${url} is not followed, and the token goes nowhere`, async t => {
    const { open, seen, asked } = await told(t, { settings: { mediaToken }, url })
    await t.rejects(open(), { code: 'provider_protocol' })
    t.equal(asked.length, 1)
    t.strictSame(seen, [])
  })

for (const status of [302, 401, 404])
  t.test(`${status} from Meta’s host is told, and a redirect is not followed`, async t => {
    const { open, seen, left } = await told(t, { settings: { mediaToken }, status })
    await t.rejects(open(), { code: 'provider_unavailable', message: /lookaside\.fbsbx\.com/ })
    t.equal(seen.length, 1)
    t.strictSame(left(), [])
  })

t.test('test mode: the picture that the stand-in sent can be fetched, and nothing leaves the machine', async t => {
  const board = await startBoard(t, { hears: true })
  const scopes = ['messages:send', 'messages:read', 'inbound:read', 'media:read']
  const key = await board.key({ scopes, mode: 'test' })
  const body = { channel: 'cloud', to: '+15550100114', type: 'text', text: { body: 'Hello' } }
  await board.call('POST', '/messages', { key, body })
  const [{ image }] = await until(
    async () => (await board.call('GET', '/messages?direction=inbound', { key })).body.items,
    items => items.length > 0
  )
  const content = () => board.call('GET', `/media/${image.mediaId}/content`, { key })
  t.match((await content()).body, { code: 'unsupported', detail: /mediaToken/ })
  const { settings } = (await board.call('GET', '/channels/cloud')).body
  await board.call('PATCH', '/channels/cloud', { body: { settings: { ...settings, mediaToken } } })
  const { status, headers } = await content()
  t.strictSame([status, headers['content-type']], [200, 'image/png'])
  t.notMatch(board.log.join(''), mediaToken)
})
