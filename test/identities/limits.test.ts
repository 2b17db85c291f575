import t from 'tap'
import { startBoard } from '../helper.ts'
import { audience, startIssuer } from './issuer.ts'

const sub = 'repo:acme/shop:ref:refs/heads/main'
/** A time zone where it is about noon, so that no day ends while the tests run. */
const hour = new Date().getUTCHours()
const timeZone = `Etc/GMT${hour < 12 ? '' : '+'}${hour - 12}`

/** An identity with limits, and requests of it: each with a token of its own, for a job asks for one at each run. */
async function rig(t: import('tap').Test, limits: object) {
  const issuer = await startIssuer(t)
  const board = await startBoard(t, { env: { EGRESS_ALLOW: issuer.host } })
  const make = async (more: object) => {
    const order = { service: 'shop', mode: 'live', issuer: issuer.url, audience, scopes: ['messages:read'] }
    const made = await board.call('POST', '/identities', { body: { ...order, claims: { sub }, ...more } })
    t.equal(made.status, 201)
    return made.body as { id: string }
  }
  const made = await make(limits)
  let run = 0
  return {
    make,
    made,
    patch: (body: object) => board.call('PATCH', `/identities/${made.id}`, { body }),
    self: async (claims: object = {}) =>
      board.call('GET', '/keys/self', { key: await issuer.token({ jti: `run-${++run}`, ...claims }) })
  }
}

t.test('an identity is let in as often as its rateLimit says, whichever token it comes with', async t => {
  const { made, make, self, patch } = await rig(t, { rateLimit: { perSecond: 0.01, burst: 3 } })
  t.match(made, { rateLimit: { perSecond: 0.01, burst: 3 }, quota: null })
  for (const left of [2, 1, 0]) {
    const answer = await self()
    t.match(answer, { status: 200, headers: { 'ratelimit-policy': '"rate";q=3;w=300' } })
    t.match(answer.headers.ratelimit, new RegExp(`^"rate";r=${left};t=\\d+$`))
  }
  const refused = await self()
  t.match(refused, { status: 429, body: { code: 'rate_limited', outcome: 'not_sent', retryable: true } })
  t.match(refused.body.detail, /0\.01 requests a second, and 3 at once/)
  t.match(refused.headers, { 'retry-after': /^(9\d|100)$/, ratelimit: /"rate";r=0/ })

  await make({ claims: { sub: 'other' } })
  const other = await self({ sub: 'other' })
  t.equal(other.status, 200, 'CONTROL: another identity of the service has its own')
  t.equal(other.headers.ratelimit, undefined, 'and is told of none where it has none')

  t.equal((await patch({ rateLimit: { perSecond: 1000, burst: 3 } })).status, 200)
  t.equal((await self()).status, 200, 'a higher one holds at once')
  t.match((await patch({ rateLimit: null })).body, { rateLimit: null })
  t.equal((await self()).headers.ratelimit, undefined, 'null takes it away')
})

t.test('an identity has as many requests a day as its quota says', async t => {
  const { self, patch } = await rig(t, { quota: { perDay: 2, timeZone } })
  for (const left of [1, 0]) {
    const answer = await self()
    t.match(answer, { status: 200, headers: { 'ratelimit-policy': '"quota";q=2;w=86400' } })
    t.match(answer.headers.ratelimit, new RegExp(`^"quota";r=${left};t=\\d+$`))
  }
  const refused = await self()
  t.match(refused, { status: 429, body: { code: 'rate_limited', outcome: 'not_sent' } })
  t.match(refused.body.detail, /2 requests a day/)
  const ends = new Date(Date.now() + 1000 * Number(refused.headers['retry-after']))
  const there = new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'medium' }).format(ends)
  t.match(there, /^00:00:0[0-5]$/, 'it may come again when the day begins there')

  t.equal((await patch({ quota: { perDay: 3, timeZone } })).status, 200)
  t.strictSame([(await self()).status, (await self()).status], [200, 429], 'one more, for what was used stays used')
  t.equal((await patch({ quota: null })).status, 200)
  t.equal((await self()).status, 200, 'null takes it away')
})
