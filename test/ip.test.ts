import t from 'tap'
import { inRanges, readAddress, trusts } from '../src/ip.ts'

t.test('an address is read as proxies write it; what cannot be read is nobody’s', async t => {
  const right: Record<string, string> = {
    '192.0.2.1': '192.0.2.1',
    ' 192.0.2.1 ': '192.0.2.1',
    '1.2.3.4:51234': '1.2.3.4',
    '2001:db8::1': '2001:db8::1',
    '2001:DB8:0::1': '2001:db8::1',
    '[2001:db8::1]': '2001:db8::1',
    '[2001:db8::1]:443': '2001:db8::1',
    '::ffff:192.0.2.1': '192.0.2.1',
    '[::ffff:192.0.2.1]:80': '192.0.2.1'
  }
  for (const [text, address] of Object.entries(right)) t.equal(readAddress(text), address, text)
  for (const text of [
    ...['', 'unknown', '_hidden', '1.2.3', '1', '0x7f.0.0.1', '256.1.1.1', '1.2.3.4:x', '1.2.3.4:123456', ':80'],
    ...['[1.2.3.4]:80', 'localhost', '1.2.3.4, 5.6.7.8', '2001:db8::g', 'a'.repeat(5000), '0177.0.0.1']
  ])
    t.equal(readAddress(text), undefined, text.slice(0, 20))
  t.equal(readAddress(undefined), undefined)
})

t.test('hops are counted from our own end, and proxies are known with their port', async t => {
  t.strictSame(
    [0, 1, 2].map(hop => trusts(2)('unknown', hop)),
    [true, true, false]
  )
  const known = trusts(['loopback', '10.0.0.0/8'])
  t.ok(known('127.0.0.1', 0))
  t.ok(known('10.1.2.3:4711', 5))
  t.notOk(known('192.0.2.1', 0))
  t.notOk(known('unknown', 0))
  t.notOk(inRanges('2001:db8::1', ['0.0.0.0/0']), 'an address of the other kind lies in no range')
})
