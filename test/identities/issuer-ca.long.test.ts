import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startBoard } from '../helper.ts'
import { certificate } from '../upstream/certificate.ts'
import { audience, startIssuer } from './issuer.ts'

// An issuer as a cluster has it: with a certificate authority of its own, and keys that it shows to its token alone.

const [tls, stranger, elsewhere] = [certificate(), certificate(), certificate('DNS:issuer.example')]
t.teardown(() => {
  for (const each of [tls, stranger, elsewhere]) each?.remove()
})
const skip = tls ? false : 'openssl is not installed'
const sub = 'system:serviceaccount:shop:checkout'
const jwksToken = 'cluster-canary-51d2e84b60'

async function rig(t: import('tap').Test, shown = tls!) {
  const issuer = await startIssuer(t, shown)
  const other = await startIssuer(t, tls)
  const board = await startBoard(t, { env: { EGRESS_ALLOW: `${issuer.host},${other.host}` } })
  const order = { service: 'shop', mode: 'live', issuer: issuer.url, claims: { sub }, scopes: ['messages:read'] }
  return {
    ...{ issuer, other, board },
    make: async (more: object) => {
      const made = await board.call('POST', '/identities', { body: { audience, ...order, ...more } })
      t.equal(made.status, 201, 'made')
      return made.body
    },
    self: async (aud = audience) => board.call('GET', '/keys/self', { key: await issuer.token({ sub, aud }) })
  }
}
const pem = (of = tls!) => of.cert.toString()

t.test(
  'an issuer with a CA of its own is believed by the identity that names it, and by no other',
  { skip },
  async t => {
    const { issuer, board, make, self } = await rig(t)
    const made = await make({ jwksCa: pem() })
    t.match(made, { jwksCa: true, jwksToken: false })
    t.match(await self(), { status: 200, body: { id: made.id } })
    const fetched = issuer.seen.length

    const unknown = { status: 503, body: { code: 'overloaded', outcome: 'not_sent' } }
    const { id } = await make({ audience: 'without' })
    t.match(await self('without'), unknown, 'POSITIVE CONTROL: without jwksCa its keys are not taken')
    await make({ audience: 'wrong', jwksCa: pem(stranger) })
    t.match(await self('wrong'), unknown, 'nor with the certificate of somebody else')
    t.equal(issuer.seen.length, fetched, 'no request was made of a host that nobody vouches for')
    const told = board.log.map(line => JSON.parse(line)).filter(({ msg }) => /keys of an issuer/.test(msg))
    t.equal(told.length, 2)
    for (const { detail } of told) t.match(detail, /SELF_SIGNED|UNABLE_TO_VERIFY|certificate/i, 'and the log says why')

    t.equal((await board.call('PATCH', `/identities/${id}`, { body: { jwksCa: pem() } })).status, 200)
    t.match(await self('without'), { status: 200, body: { id } }, 'a change holds at once')
    await board.call('PATCH', `/identities/${id}`, { body: { jwksCa: null } })
    t.match(await self('without'), unknown, 'null takes it away')
  }
)

t.test('its certificate must be of its host all the same', { skip }, async t => {
  const { issuer, make, self } = await rig(t, elsewhere)
  await make({ jwksCa: pem(elsewhere) })
  t.equal((await self()).status, 503)
  t.strictSame(issuer.seen, [])
})

t.test('the token of a cluster goes to its issuer alone, and is shown and written nowhere', { skip }, async t => {
  const { issuer, other, board, make, self } = await rig(t)
  const made = await make({ jwksCa: pem(), jwksToken })
  t.match(made, { jwksCa: true, jwksToken: true })
  t.equal((await self()).status, 200)
  const bearer = (path: string) => ({ path, authorization: `Bearer ${jwksToken}` })
  t.strictSame(issuer.seen, [bearer('/.well-known/openid-configuration'), bearer('/jwks')])

  issuer.answer = (_, response) =>
    void response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: `${other.url}/jwks` }))
  // Not of the source whose keys are known already: another token makes it another.
  await make({ audience: 'led-away', jwksCa: pem(), jwksToken: `${jwksToken}-2` })
  t.equal((await self('led-away')).status, 401, 'there are the keys of another')
  t.strictSame(other.seen, [{ path: '/jwks', authorization: undefined }], 'which was asked, without the token')

  await make({ audience: 'named', jwksCa: pem(), jwksToken, jwksUri: `${other.url}/keys` })
  await self('named')
  t.strictSame(other.seen[1], bearer('/keys'), 'CONTROL: a jwksUri of the operator’s own is where it goes')

  const listed = await board.call('GET', '/identities')
  const audit = await board.call('GET', '/audit')
  t.equal(listed.body.items.length, 3)
  for (const text of [JSON.stringify(made), listed.text, audit.text, board.log.join('\n')]) t.notMatch(text, jwksToken)
  await board.close()
  const files = readdirSync(board.directory).map(name => join(board.directory, name))
  const held = files.filter(name => /switchboard\.db/.test(name)).map(name => readFileSync(name, 'latin1'))
  t.ok(held.join('').includes(made.id), 'CONTROL: the database holds the identity')
  t.notOk(held.join('').includes(jwksToken), 'and its token sealed alone')
})
