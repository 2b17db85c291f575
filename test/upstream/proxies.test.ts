import { createServer } from 'node:http'
import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { startSandbox } from '../../src/sandbox/index.ts'
import { createEgress, createGuard, type Guard } from '../../src/upstream/egress.ts'
import { createMaton } from '../../src/upstream/maton.ts'
import { createPassthrough } from '../../src/upstream/passthrough.ts'
import { UpstreamFailure } from '../../src/upstream/wire.ts'
import { matonKey, startBoard, until } from '../helper.ts'
import { listen, PNG, PUBLIC, spoolDirectory } from './site.ts'
import { closedPort, openStub } from './stub.ts'
import { openTunnel } from './tunnel.ts'

const account = { apiKey: 'a-key-of-ours', timeoutMs: 60_000 }
const read = { method: 'GET', path: ['api'] } as const

t.test('each of our clients of Maton goes through the tunnel', async t => {
  const stub = await openStub({ status: 200, body: { ok: true } })
  const port = Number(new URL(stub.url).port)
  const tunnel = await openTunnel(t, () => port)
  const proxied = { ...account, baseUrl: 'http://maton.example', controlUrl: 'http://control.example:81' }
  const proxies = { http: tunnel.url.replace('//', '//user:p%40ss@') }
  const maton = createMaton({ ...proxied, proxies })
  const passthrough = createPassthrough({ ...proxied, proxies })
  t.teardown(() => Promise.all([maton.close(), passthrough.close(), stub.close()]))
  t.match(await maton.request('wati', 'c1', read), { body: { ok: true } })
  for await (const _ of (await maton.stream('wati', 'c1', read)).body);
  const answer = await passthrough.send('wati', 'c1', { method: 'GET', target: '/api', headers: {} })
  for await (const _ of answer.body);
  t.match(await passthrough.control({ method: 'GET', target: '/connections' }), { body: { ok: true } })
  t.strictSame([...new Set(tunnel.asked)].sort(), ['control.example:81', 'maton.example:80'])
  t.strictSame(tunnel.forwarded, [])
  t.strictSame([...new Set(tunnel.credentials)], [`Basic ${Buffer.from('user:p@ss').toString('base64')}`])
  t.match(
    stub.seen[0]!.headers,
    [
      ['host', 'maton.example'],
      ['authorization', 'Bearer a-key-of-ours']
    ].slice(0, 1)
  )
  t.notMatch(JSON.stringify(stub.seen.map(seen => seen.headers)), /proxy-authorization/)
})

t.test('what a proxy does not let through has certainly not left', async t => {
  const closed = await closedPort()
  const refusing = await openTunnel(t, () => ({ status: 407 }))
  const busy = await openTunnel(t, () => ({ status: 503 }))
  for (const url of [refusing.url, busy.url, `http://127.0.0.1:${closed}`]) {
    const maton = createMaton({ ...account, baseUrl: 'https://maton.example', proxies: { https: url } })
    const failure = await maton.request('wati', 'c1', { ...read, method: 'POST' }).catch((error: unknown) => error)
    await maton.close()
    t.ok(failure instanceof UpstreamFailure)
    t.match(failure, { kind: 'transport', started: false }, url)
    t.notMatch(JSON.stringify(failure), /a-key-of-ours/)
  }
})

t.test('NO_PROXY is obeyed, and a proxy of the one scheme alone', async t => {
  const stub = await openStub({ status: 200, body: {} })
  const { port } = new URL(stub.url)
  const tunnel = await openTunnel(t)
  t.teardown(stub.close)
  const through = async (proxies: object): Promise<boolean> => {
    const before = tunnel.asked.length
    const maton = createMaton({ ...account, baseUrl: stub.url, proxies })
    await maton.request('wati', 'c1', read)
    await maton.close()
    return tunnel.asked.length > before
  }
  t.equal(await through({ http: tunnel.url }), true)
  t.equal(await through({ https: tunnel.url }), false, 'https alone')
  for (const no of ['127.0.0.1', 'other.example, 127.0.0.1', '*', `127.0.0.1:${port}`])
    t.equal(await through({ http: tunnel.url, no }), false, no)
  t.equal(await through({ http: tunnel.url, no: '127.0.0.1:1' }), true, 'another port')
})

t.test('the guard holds with a proxy in between', async t => {
  const { directory } = await spoolDirectory(t)
  const port = await listen(
    t,
    createServer((_, response) => response.writeHead(200, { 'content-type': 'image/png' }).end(PNG))
  )
  const tunnel = await openTunnel(t, () => port)
  const names: Record<string, string[]> = {
    'inside.example': ['10.0.0.7'],
    'mixed.example': [PUBLIC, '127.0.0.1'],
    'meta.example': ['169.254.169.254'],
    'opened.example': ['10.0.0.8'],
    'out.example': [PUBLIC]
  }
  const egress = createEgress({
    allow: ['opened.example', 'unknown-here.example:80'],
    resolve: async host => names[host] ?? [],
    proxies: { https: tunnel.url, http: tunnel.url, no: 'direct.example' },
    dial: (_, callback) => callback(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }), null)
  })
  const fetch = (url: string) =>
    egress.download(url, { directory, maxBytes: 1000 }).then(
      async file => {
        await file.remove()
        return 'delivered'
      },
      (error: { code: string }) => error.code
    )
  const refused = [
    ['https://169.254.169.254/', 'forbidden_address'],
    ['https://127.0.0.1/', 'forbidden_address'],
    ['https://[::1]/', 'forbidden_address'],
    ['https://inside.example/', 'forbidden_address'],
    ['https://mixed.example/', 'forbidden_address'],
    ['https://meta.example/', 'forbidden_address'],
    ['http://out.example/', 'forbidden_url'],
    ['https://out.example:22/', 'forbidden_url'],
    ['http://unknown.example/', 'forbidden_url']
  ] as const
  for (const [url, code] of refused) t.equal(await fetch(url), code, url)
  t.strictSame(tunnel.asked, [], 'the proxy heard of none of them')
  t.equal(await fetch('http://opened.example/'), 'delivered')
  t.equal(await fetch('http://unknown-here.example/'), 'delivered', 'a name that only the proxy resolves')
  t.strictSame(tunnel.asked, ['opened.example:80', 'unknown-here.example:80'])
  names['direct.example'] = [PUBLIC]
  t.equal(
    await fetch('https://direct.example/'),
    'unreachable',
    'a host without a proxy is dialled by the guard itself'
  )
  await fetch('https://out.example/')
  t.strictSame(tunnel.asked.slice(2), ['out.example:443'])
})

t.test('CONTROL: without the judgement before the tunnel the proxy is asked for what lies inside', async t => {
  const { directory } = await spoolDirectory(t)
  const tunnel = await openTunnel(t, () => ({ status: 403 }))
  const options = { resolve: async () => ['10.0.0.7'], proxies: { https: tunnel.url } }
  const strict = createGuard(options)
  const fetch = (guard: Guard) =>
    createEgress({ guard })
      .download('https://inside.example/', { directory, maxBytes: 9 })
      .catch(() => {})
  await fetch(strict)
  t.strictSame(tunnel.asked, [])
  await fetch({ ...strict, connectThrough: connect => connect })
  t.strictSame(tunnel.asked, ['inside.example:443'])
})

t.test('the settings say so, to live traffic and links; the sandbox is never sought behind a proxy', async t => {
  const tunnel = await openTunnel(t)
  const board = await startBoard(t, { env: { HTTP_PROXY: tunnel.url } })
  const text = (channel: string) => ({ channel, to: '14155551234', type: 'text', text: { body: 'x' } })
  t.equal((await board.call('POST', '/messages', { body: text('cloud') })).status, 201)
  t.equal(tunnel.asked.length > 0, true)
  const before = tunnel.asked.length
  const key = await board.key({ mode: 'test' })
  t.equal((await board.call('POST', '/messages', { body: text('cloud'), key })).status, 201)
  t.equal(tunnel.asked.length, before)

  const sandbox = await startSandbox({ apiKey: matonKey })
  t.teardown(sandbox.close)
  const refusing = await openTunnel(t, () => ({ status: 407 }))
  const shut = await startBoard(t, { sandbox, env: { HTTP_PROXY: refusing.url } })
  const { body } = await shut.call('POST', '/messages', { body: text('wati') })
  t.equal(body.status, 'queued', 'it waits: nothing has left')
  await until(
    () => refusing.asked.length,
    count => count > 0
  )
  t.equal(sandbox.ledger.sends().length, 0)
})

t.test('proxies are settings like others', t => {
  const env = { HTTPS_PROXY: 'http://u:p@proxy.example:3128', http_proxy: 'https://two.example', NO_PROXY: 'a.example' }
  t.match(loadConfig(env), {
    HTTPS_PROXY: 'http://u:p@proxy.example:3128/',
    HTTP_PROXY: 'https://two.example/',
    NO_PROXY: 'a.example'
  })
  t.match(loadConfig({ HTTPS_PROXY: '', TRUST_PROXY: '' }), { HTTPS_PROXY: undefined }, 'empty is unset')
  for (const value of ['proxy.example:3128', 'socks5://h:1', 'canary'])
    t.throws(() => loadConfig({ HTTPS_PROXY: value }), { message: /HTTPS_PROXY must be a URL/ }, value)
  t.end()
})
