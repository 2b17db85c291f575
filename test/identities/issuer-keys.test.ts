import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import t from 'tap'
import { createIssuerKeys } from '../../src/identities/issuer-keys.ts'
import { verifyToken } from '../../src/identities/verify.ts'
import { createEgress } from '../../src/upstream/egress.ts'
import { startBoard } from '../helper.ts'
import { until } from '../until.ts'
import { audience, startIssuer, type TestIssuer } from './issuer.ts'

const minute = 60_000
function rig(issuer: TestIssuer, more: object = {}) {
  let now = 1_000_000
  const told: string[] = []
  const egress = createEgress({ allow: [issuer.host], timeoutMs: 60_000 })
  const keys = createIssuerKeys({
    egress: async () => egress,
    tell: ({ detail }) => void told.push(detail),
    now: () => now
  })
  const verify = async (token: string, kid = issuer.key().kid) =>
    verifyToken(token, { keys, source: { issuer: issuer.url, ...more }, audience, kid, at: Date.now() }).then(
      () => 'good',
      error => `${error.message} ${error.code ?? ''}`
    )
  return { told, verify, pass: (ms: number) => void (now += ms) }
}
const fetches = (issuer: TestIssuer) => issuer.seen.filter(({ path }) => path === '/jwks').length

t.test('keys that rotate: a new kid is looked for, once in five seconds and once for all who wait', async t => {
  const issuer = await startIssuer(t)
  const { verify, pass } = rig(issuer)
  t.strictSame(await Promise.all([1, 2, 3].map(async () => verify(await issuer.token()))), ['good', 'good', 'good'])
  t.equal(fetches(issuer), 1)
  const old = await issuer.token()
  for (const alg of ['RS256', 'PS384', 'ES384', 'EdDSA']) {
    pass(5000)
    await issuer.rotate(alg)
    const before = fetches(issuer)
    const token = await issuer.token()
    t.strictSame(await Promise.all([verify(token), verify(token), verify(token)]), ['good', 'good', 'good'], alg)
    t.equal(fetches(issuer), before + 1, 'fetched once for the three')
  }
  t.equal(await verify(old, 'key-1'), 'good', 'the one before counts while it is published')
  const before = fetches(issuer)
  for (let i = 0; i < 20; i++) {
    t.match(await verify(await issuer.token({}, { kid: `no-${i}` }), `no-${i}`), /no such key/)
    pass(200)
  }
  t.equal(fetches(issuer), before, 'within five seconds nobody makes us look again')
  pass(1100)
  t.match(await verify(await issuer.token({}, { kid: 'no' }), 'no'), /no such key/)
  t.equal(fetches(issuer), before + 1)
  issuer.withdraw()
  pass(5 * minute + 1)
  t.match(await verify(old, 'key-1'), /no such key/, 'a key that is withdrawn ends within five minutes')
})

t.test('an issuer that is out: the last known keys for a day, and nobody waits for it', async t => {
  const issuer = await startIssuer(t)
  const { verify, pass, told } = rig(issuer)
  issuer.answer = (_, response) => void response.writeHead(503).end()
  t.match(
    await verify(await issuer.token()),
    /overloaded/,
    'without any keys: 503, for the caller has done nothing wrong'
  )
  issuer.answer = undefined
  t.match(await verify(await issuer.token()), /overloaded/, 'not asked again at once')
  pass(5000)
  t.equal(await verify(await issuer.token()), 'good')
  issuer.answer = (_, response) => void response.destroy()
  pass(6 * minute)
  t.equal(await verify(await issuer.token()), 'good', 'the last known ones')
  const hanging = Promise.withResolvers<ServerResponse>()
  issuer.answer = (_, response) => hanging.resolve(response)
  pass(minute)
  t.equal(await verify(await issuer.token()), 'good', 'while the next try hangs')
  pass(24 * 60 * minute - 7 * minute)
  t.equal(await verify(await issuer.token()), 'good', 'for a day')
  issuer.answer = (_, response) => void response.writeHead(503).end()
  ;(await hanging.promise).destroy()
  pass(2 * minute)
  const later = async () => {
    pass(1000)
    return verify(await issuer.token())
  }
  await until(later, said => /overloaded/.test(said))
  t.ok(told.length > 2, 'and the log was told')
  issuer.answer = undefined
  pass(10 * minute)
  await until(later, said => said === 'good')
})

t.test('what is no set of keys of that issuer is refused', async t => {
  const issuer = await startIssuer(t)
  const json = (body: unknown) => (_: unknown, response: { end: (text: string) => void }) =>
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  const jwksUri = `${issuer.url}/jwks`
  const secret = { kty: 'oct', kid: 'key-1', alg: 'HS256', k: 'c2VjcmV0' }
  for (const [name, answer, word, more] of [
    ['a set of 10 MB', json(JSON.stringify({ keys: [], pad: 'x'.repeat(10_000_000) })), /larger than/, { jwksUri }],
    ['10 MB without a length', streamed, /larger than/, { jwksUri }],
    ['a redirect', redirect, /redirects/, { jwksUri }],
    ['no JSON', json('<html>'), /cannot be used/, { jwksUri }],
    ['keys that are none', json({ keys: 'x' }), /cannot be used/, { jwksUri }],
    ['a shared secret', json({ keys: [secret] }), /no such key/, { jwksUri }],
    ['more keys than anybody has', json({ keys: Array(201).fill({ kty: 'RSA' }) }), /cannot be used/, { jwksUri }],
    [
      'a discovery document of another',
      json({ issuer: 'https://other.example', jwks_uri: jwksUri }),
      /cannot be used/,
      {}
    ],
    [
      'keys at an internal address',
      json({ issuer: issuer.url, jwks_uri: 'https://10.0.0.1/jwks' }),
      /not on the public/,
      {}
    ],
    [
      'keys at the metadata address',
      json({ issuer: issuer.url, jwks_uri: 'http://169.254.169.254/' }),
      /never connected/,
      {}
    ],
    ['keys in a file', json({ issuer: issuer.url, jwks_uri: 'file:///etc/passwd' }), /not fetched/, {}]
  ] as const) {
    issuer.answer = answer as TestIssuer['answer']
    const said = await rig(issuer, more).verify(await issuer.token())
    t.match(said, word, name)
    t.notMatch(said, /overloaded/, `${name}: no outage`)
  }
  issuer.answer = undefined
  t.equal(await rig(issuer, { jwksUri }).verify(await issuer.token()), 'good', 'CONTROL')

  function streamed(_: unknown, response: ServerResponse) {
    const more = () => {
      while (response.write('x'.repeat(65_536)));
      response.once('drain', more)
    }
    response.on('error', () => {})
    response.writeHead(200)
    more()
  }
  function redirect(request: { url?: string }, response: ServerResponse) {
    if (request.url === '/jwks') response.writeHead(302, { location: '/elsewhere' }).end()
    else response.end(JSON.stringify({ keys: [] }))
  }
})

t.test('a cluster’s token goes to the host that was named, and to no other', async t => {
  const issuer = await startIssuer(t)
  const other = await startIssuer(t)
  const egress = createEgress({ allow: [issuer.host, other.host] })
  const keys = createIssuerKeys({ egress: async () => egress, tell: () => {} })
  await keys.of({ issuer: issuer.url, token: 'cluster-token' }, undefined)
  t.strictSame(
    issuer.seen.map(({ authorization }) => authorization),
    ['Bearer cluster-token', 'Bearer cluster-token']
  )
  issuer.answer = (_, response) =>
    void response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: `${other.url}/jwks` }))
  await keys.of({ issuer: issuer.url, token: 'another' }, undefined)
  t.strictSame(other.seen, [{ path: '/jwks', authorization: undefined }])
})

t.test('an issuer that takes connections and says nothing costs its callers seconds, not a hang', async t => {
  const silent = createServer(() => {})
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const { port } = silent.address() as { port: number }
  const issuer = await startIssuer(t)
  const url = `http://127.0.0.1:${port}`
  const board = await startBoard(t, { env: { EGRESS_ALLOW: `127.0.0.1:${port}` } })
  const body = { service: 'shop', mode: 'live', issuer: url, audience, claims: { sub: 'x' }, scopes: ['messages:read'] }
  t.equal((await board.call('POST', '/identities', { body })).status, 201)
  const answer = await board.call('GET', '/keys/self', { key: await issuer.token({ iss: url, sub: 'x' }) })
  t.match(answer, { status: 503, body: { code: 'overloaded', outcome: 'not_sent' }, headers: { 'retry-after': '5' } })
})
