import { createHmac } from 'node:crypto'
import { exportJWK, exportSPKI, generateKeyPair, UnsecuredJWT } from 'jose'
import t, { type Test } from 'tap'
import { type Board, startBoard, until } from '../helper.ts'
import { audience, startIssuer, type TestIssuer } from './issuer.ts'

const sub = 'repo:acme/shop:ref:refs/heads/main'
async function start(t: Test): Promise<{ board: Board; issuer: TestIssuer }> {
  const issuer = await startIssuer(t)
  return { issuer, board: await startBoard(t, { env: { EGRESS_ALLOW: issuer.host, TRUST_PROXY: '1' } }) }
}
const order = (issuer: TestIssuer, more: object = {}) => ({
  ...{ service: 'shop', mode: 'live', issuer: issuer.url, audience, claims: { sub } },
  scopes: ['messages:send', 'messages:read'],
  ...more
})
const make = (board: Board, issuer: TestIssuer, more: object = {}) =>
  board.call('POST', '/identities', { body: order(issuer, more) })
let address = 0
/** From an address of its own each time: an address has 20 wrong tokens a minute. */
const self = (board: Board, token: string) =>
  board.call('GET', '/keys/self', { key: token, headers: { 'x-forwarded-for': `10.1.0.${++address % 250}` } })
const seconds = (from = 0) => Math.floor(Date.now() / 1000) + from

t.test('whoever comes with a token of the issuer is that identity, and may what it may', async t => {
  const { board, issuer } = await start(t)
  const made = await make(board, issuer, { channels: ['cloud'], recipientPrefixes: ['49'], name: 'CI' })
  t.match(made, { status: 201, headers: { location: `/identities/${made.body.id}` } })
  t.match(made.body, { claims: { sub }, jwksToken: false, revokedAt: null, lastUsedAt: null })
  const token = await issuer.token()
  t.match(await self(board, token), {
    status: 200,
    body: { id: made.body.id, service: 'shop', mode: 'live', channels: ['cloud'], secrets: [] }
  })
  const message = { channel: 'cloud', to: '4930901820', type: 'text', text: { body: 'Hello' } }
  const sent = await board.call('POST', '/messages', { key: token, body: message })
  t.equal(sent.status, 201)
  for (const [more, word] of [
    [{ channel: 'wati' }, /channel wati/],
    [{ to: '14155551234' }, /begin with 49/]
  ] as const)
    t.match(await board.call('POST', '/messages', { key: token, body: { ...message, ...more } }), {
      status: 403,
      body: { detail: word }
    })
  t.equal((await board.call('GET', '/keys', { key: token })).status, 403, 'it administers nothing')
  const path = `/identities/${made.body.id}`
  await board.call('PATCH', path, { body: { scopes: ['messages:read'], cidrs: ['10.0.0.0/8'] } })
  t.equal((await board.call('POST', '/messages', { key: token, body: message })).status, 403, 'at once')
  t.equal((await board.call('GET', '/keys/self', { key: token })).status, 403, 'from another address')
  t.match(
    await until(
      () => board.call('GET', path),
      ({ body }) => body.lastUsedAt !== null
    ),
    { body: { lastUsedFrom: /^(127\.0\.0\.1|10\.1\.0\.\d+)$/ } }
  )
  t.equal(issuer.seen.length, 2, 'discovery and keys were fetched once for all of it')
  const lines = board.log.join('\n')
  t.match(lines, made.body.id, 'CONTROL: the log names the identity')
  for (const part of token.split('.')) t.notMatch(lines, part.slice(0, 40), 'and no part of the token')
})

t.test('every kind of wrong token is a 401, and none says more than another', async t => {
  const { board, issuer } = await start(t)
  await make(board, issuer)
  const hundred = 'x'.repeat(100)
  const stranger = await generateKeyPair('ES256')
  const publicPem = await exportSPKI(issuer.key().pair.publicKey)
  const publicJwk = JSON.stringify(await exportJWK(issuer.key().pair.publicKey))
  const claims = { iss: issuer.url, aud: audience, sub, exp: seconds(300) }
  const hmac = (secret: string) => {
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const signed = `${encode({ alg: 'HS256', kid: issuer.key().kid })}.${encode(claims)}`
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
  }
  const good = await issuer.token()
  const [head, body, signature] = good.split('.')
  t.equal((await self(board, good)).status, 200, 'CONTROL: as it should be')
  const wrong: Record<string, string> = {
    'alg none': new UnsecuredJWT(claims).encode(),
    'alg none with its kid': `${Buffer.from('{"alg":"none","kid":"key-1"}').toString('base64url')}.${body}.`,
    'HS256 with the public key in PEM': hmac(publicPem),
    'HS256 with the public key as JWK': hmac(publicJwk),
    'another audience': await issuer.token({ aud: 'another' }),
    'no audience': await issuer.token({ aud: undefined }),
    'another issuer': await issuer.token({ iss: 'https://issuer.example' }),
    'another subject': await issuer.token({ sub: 'repo:acme/other:ref:refs/heads/main' }),
    'no subject': await issuer.token({ sub: undefined }),
    'a subject that begins so': await issuer.token({ sub: `${sub}-evil` }),
    expired: await issuer.token({ exp: seconds(-61) }),
    'without an end': await issuer.token({ exp: undefined }),
    'an end that is no number': await issuer.token({ exp: 'tomorrow' as unknown as number }),
    'not valid yet': await issuer.token({ nbf: seconds(75) }),
    'of another key with the same kid': await issuer.token({}, { pair: stranger }),
    'with a kid that is a path': await issuer.token({}, { kid: '../../etc/passwd' }),
    'with a kid that is a URL': await issuer.token({}, { kid: 'http://127.0.0.1:1/jwks' }),
    'with a kid as long as a book': await issuer.token({}, { kid: hundred.repeat(10) }),
    'with keys of its own': await issuer.token(
      {},
      { pair: stranger, header: { jwk: await exportJWK(stranger.publicKey) } }
    ),
    'with a place of its own for keys': await issuer.token(
      {},
      { pair: stranger, header: { jku: `${issuer.url}/evil` } }
    ),
    'without its signature': `${head}.${body}.`,
    'with another’s signature': `${head}.${body}.${(await issuer.token({ sub: 'x' })).split('.')[2]}`,
    'with a claim changed': `${head}.${Buffer.from(JSON.stringify({ ...claims, extra: 1 })).toString('base64url')}.${signature}`,
    'with a dot too many': `${good}.x`,
    'that cannot be read': 'eyJ.eyJ.x'
  }
  const details = new Set<string>()
  for (const [name, token] of Object.entries(wrong)) {
    const answer = await self(board, token)
    t.match(answer, { status: 401, body: { code: 'unauthenticated', outcome: 'not_sent' } }, name)
    details.add(answer.body.detail)
  }
  t.ok(details.size <= 2, [...details].join(' / '))
  t.strictSame(
    [...new Set(issuer.seen.map(({ path }) => path))].sort(),
    ['/.well-known/openid-configuration', '/jwks'],
    'nothing else was asked for, whatever a header said'
  )
  t.equal((await self(board, await issuer.token({ exp: seconds(-50) }))).status, 200, 'a minute of leeway')
  t.equal((await self(board, await issuer.token({ nbf: seconds(50) }))).status, 200, 'on either side')
  t.equal(
    (await self(board, await issuer.token({ aud: ['another', audience] }))).status,
    200,
    'one audience of several'
  )
})

t.test('wrong tokens count as wrong keys do, and a right one is let in all the same', async t => {
  const { board, issuer } = await start(t)
  await make(board, issuer)
  const bad = await issuer.token({ aud: 'another' })
  const statuses: number[] = []
  for (let i = 0; i < 22; i++) statuses.push((await board.call('GET', '/keys/self', { key: bad })).status)
  t.strictSame(statuses, [...Array(20).fill(401), 429, 429])
  t.equal((await board.call('GET', '/keys/self', { key: await issuer.token() })).status, 200)
})

t.test('an identity that nobody could be told by is not made, nor two that one token could be', async t => {
  const { board, issuer } = await start(t)
  for (const [more, path] of [
    [{ claims: {} }, '/claims'],
    [{ claims: { ref: 'refs/heads/main' } }, '/claims'],
    [{ claims: { sub: '*' } }, '/claims/sub'],
    [{ claims: { sub: 'repo:*' } }, '/claims/sub'],
    [{ claims: undefined }, '/claims'],
    [{ claims: { sub: 7 } }, '/claims/sub'],
    [{ audience: '' }, '/audience'],
    [{ issuer: 'http://127.0.0.1:1' }, '/issuer'],
    [{ issuer: 'http://issuer.example' }, '/issuer'],
    [{ issuer: 'https://169.254.169.254' }, '/issuer'],
    [{ issuer: 'https://user:pass@issuer.example' }, '/issuer'],
    [{ issuer: 'https://issuer.example', jwksUri: 'https://10.0.0.1/jwks' }, '/jwksUri'],
    [{ mode: 'test', scopes: ['admin'] }, '/scopes/0'],
    [{ cidrs: ['10.0.0.0/33'] }, '/cidrs/0'],
    [{ secret: 'x' }, '/secret']
  ] as const)
    t.match(
      await make(board, issuer, more),
      { status: 400, body: { code: 'invalid_request', errors: [{ path }] } },
      JSON.stringify(more)
    )
  const first = await make(board, issuer, { claims: { repository: 'acme/shop', ref: 'refs/heads/*' } })
  t.equal(first.status, 201)
  for (const claims of [
    { repository: 'acme/shop' },
    { repository: 'acme/*' },
    { repository: 'acme/shop', ref: 'refs/heads/main' },
    { repository_owner: 'acme' },
    { sub }
  ])
    t.match(
      await make(board, issuer, { claims }),
      { status: 409, body: { code: 'conflict', detail: new RegExp(first.body.id) } },
      JSON.stringify(claims)
    )
  const tags = await make(board, issuer, { claims: { repository: 'acme/shop', ref: 'refs/tags/*' } })
  t.equal(tags.status, 201, 'CONTROL: a claim tells them apart')
  t.equal((await make(board, issuer, { claims: { sub }, audience: 'staging' })).status, 201, 'or the audience does')
  const path = `/identities/${tags.body.id}`
  t.equal(
    (await board.call('PATCH', path, { body: { claims: { repository: 'acme/shop' } } })).status,
    409,
    'nor by a change'
  )
  t.equal((await board.call('PATCH', path, { body: { claims: { sub: '*' } } })).status, 400)
  t.equal((await board.call('DELETE', `/identities/${first.body.id}`)).status, 204)
  t.equal(
    (await board.call('PATCH', path, { body: { claims: { repository: 'acme/shop' } } })).status,
    200,
    'a revoked one is in nobody’s way'
  )
  t.equal((await board.call('PATCH', `/identities/${first.body.id}`, { body: { name: 'x' } })).status, 409)
  t.equal((await board.call('GET', '/identities/idn_0')).status, 404)
  const all = await Promise.all(Array.from({ length: 5 }, () => make(board, issuer, { audience: 'race' })))
  t.strictSame(all.map(({ status }) => status).sort(), [201, 409, 409, 409, 409], 'of several at a time one is made')
})

t.test('a token that fits two identities is nobody’s', async t => {
  const { board, issuer } = await start(t)
  const ids = [await make(board, issuer), await make(board, issuer, { audience: 'other' })].map(({ body }) => body.id)
  t.equal((await self(board, await issuer.token({ aud: 'other' }))).status, 200, 'CONTROL: each by itself')
  t.equal((await self(board, await issuer.token({ aud: [audience, 'other'] }))).status, 401)
  const told = board.log.map(line => JSON.parse(line)).find(({ identities }) => identities)
  t.strictSame(told?.identities.sort(), ids.sort(), 'the log tells which two')
})

t.test('an identity, or a single subject of it, is shut out on the next request', async t => {
  const { board, issuer } = await start(t)
  const { id } = (await make(board, issuer, { claims: { sub: 'repo:acme/*' } })).body
  const [one, other] = [await issuer.token(), await issuer.token({ sub: 'repo:acme/other' })]
  t.strictSame([(await self(board, one)).status, (await self(board, other)).status], [200, 200])
  await board.call('PATCH', `/identities/${id}`, { body: { revokedSubjects: [sub] } })
  t.strictSame([(await self(board, one)).status, (await self(board, other)).status], [401, 200])
  await board.call('PATCH', `/identities/${id}`, { body: { revokedSubjects: [] } })
  t.strictSame([(await self(board, one)).status, (await self(board, other)).status], [200, 200])
  t.equal((await board.call('DELETE', `/identities/${id}`)).status, 204)
  t.strictSame([(await self(board, one)).status, (await self(board, other)).status], [401, 401])
  t.ok((await board.call('GET', `/identities/${id}`)).body.revokedAt)
})
