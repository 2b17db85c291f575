import t from 'tap'
import { createAuthThrottle } from '../../src/http/auth-throttle.ts'
import { startBoard } from '../helper.ts'

// Guessing keys (docs/reliability.md T3): 20 failures a minute for an address.

t.test('the 21st wrong key of a minute is a 429 with Retry-After, and the right key passes all the same', async t => {
  const board = await startBoard(t)
  const right = await board.key()
  const attempt = (key: string, headers = {}) => board.call('GET', '/keys/self', { key, headers })
  for (let n = 0; n < 20; n++) t.equal((await attempt(`sk_live_${n}`)).status, 401)
  const refused = await attempt('sk_live_x')
  t.match(refused, { status: 429, body: { code: 'rate_limited', outcome: 'not_sent', retryable: true } })
  const wait = Number(refused.headers['retry-after'])
  t.ok(wait > 50 && wait <= 60, `Retry-After ${wait}`)
  t.equal((await attempt(right)).status, 200, 'nobody is locked out by his neighbours')
  t.equal((await attempt('sk_live_x')).status, 429, 'and a right key does not reset the count')
  t.equal((await attempt('')).status, 401, 'no key at all is no guess')
  t.equal((await board.call('GET', '/livez', { key: '' })).status, 200)
  t.equal(
    board.log.filter(line => line.includes('too many wrong keys')).length,
    1,
    'the log says it once a minute and address'
  )
})

t.test('addresses are counted apart, and behind a proxy it is the caller’s', async t => {
  const board = await startBoard(t, { env: { TRUST_PROXY: '1' } })
  const from = async (address: string) =>
    (await board.call('GET', '/keys/self', { key: 'sk_live_x', headers: { 'x-forwarded-for': address } })).status
  const times = async (count: number, address: string) => {
    let last = 0
    for (let n = 0; n < count; n++) last = await from(address)
    return last
  }
  t.equal(await times(20, '203.0.113.7'), 401)
  t.equal(await from('203.0.113.7'), 429)
  t.equal(await from('203.0.113.8'), 401)
  t.equal(await from('::ffff:203.0.113.7'), 429, 'the same address in another coat')
  t.equal(await times(20, '2001:db8:1:2::1'), 401)
  t.equal(await from('2001:db8:1:2:ffff::9'), 429, 'a network of IPv6 is one address')
  t.equal(await from('2001:db8:1:3::1'), 401)
  t.equal(await times(21, 'no address'), 429)
})

t.test(
  'what a caller writes before the proxy’s own word counts for nothing, neither for limits nor for cidrs',
  async t => {
    const board = await startBoard(t, { env: { TRUST_PROXY: '1' } })
    const inside = await board.key({ cidrs: ['10.0.0.0/8', '2001:db8::/32'] })
    const asked = async (forwarded: string, key = inside) =>
      (await board.call('GET', '/keys/self', { key, headers: { 'x-forwarded-for': forwarded } })).status
    t.equal(await asked('10.1.2.3'), 200)
    t.equal(await asked('10.1.2.3, 198.51.100.9'), 403, 'the leftmost is whatever the caller says')
    t.equal(await asked('198.51.100.9, 10.1.2.3'), 200)
    t.equal(await asked('10.1.2.3:51234'), 200, 'with a port')
    t.equal(await asked('[2001:db8::7]:443'), 200)
    for (const nobody of ['unknown', '10.1.2', '10.1.2.3:x', '1.2.3.4:51234:1', '%'])
      t.equal(await asked(nobody), 403, `${nobody} is nobody’s address`)
    let last = 0
    for (let n = 0; n < 21; n++) last = await asked(`203.0.113.${n}, 198.51.100.1`, 'sk_live_x')
    t.equal(last, 429, 'another address before it does not make another caller')
  }
)

t.test('the count ends with its minute, and what is remembered is bounded', async t => {
  let now = 0
  const throttle = createAuthThrottle({ limit: 2, windowMs: 60_000, most: 3, now: () => now })
  const failed = (address: string) => throttle.failed(address)
  t.strictSame([failed('10.0.0.1'), failed('10.0.0.1'), failed('10.0.0.1')], [undefined, undefined, 60])
  now = 59_500
  t.equal(failed('10.0.0.1'), 1)
  now = 60_000
  t.equal(failed('10.0.0.1'), undefined, 'a new minute')
  for (const address of ['10.0.0.2', '10.0.0.3', '10.0.0.4']) failed(address)
  t.strictSame([failed('10.0.0.1'), failed('10.0.0.1')], [undefined, undefined], 'the oldest was forgotten for others')
  t.equal(failed('10.0.0.1'), 60)
})
