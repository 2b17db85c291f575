import fc from 'fast-check'
import t from 'tap'
import { type AddressClass, classify, parseAllowList, sameAddress } from '../../src/upstream/address.ts'

const CLASSES: [AddressClass, string[]][] = [
  ['public', ['8.8.8.8', '93.184.216.34', '172.15.0.1', '172.32.0.1', '100.63.0.1', '223.255.255.1', '11.0.0.1']],
  ['public', ['2606:4700:4700::1111', '2a00:1450:4001:81b::200e', '2001:4860:4860::8888']],
  ['private', ['127.0.0.1', '127.255.255.254', '0.0.0.0', '0.1.2.3', '10.0.0.1', '172.16.0.1', '172.31.255.255']],
  ['private', ['192.168.0.1', '100.64.0.1', '192.0.2.1', '198.18.0.1', '198.51.100.7', '203.0.113.7', '224.0.0.1']],
  ['private', ['240.0.0.1', '255.255.255.255', '192.88.99.1', '192.0.0.1']],
  ['private', ['::1', 'fc00::1', 'fd12:3456::1', 'ff02::1', '2001:db8::1', '100::1', 'fec0::1', '4000::1', '5f00::1']],
  ['never', ['169.254.169.254', '169.254.170.2', '169.254.0.1', '168.63.129.16', '100.100.100.200', '192.0.0.192']],
  ['never', ['fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254', 'fd00:c1::a9fe:a9fe', 'fe80::1', 'fe80::a9fe:a9fe']],
  ['never', ['::', '::ffff:8.8.8.8', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::127.0.0.1', '::7f00:1', '::a9fe:a9fe']],
  [
    'never',
    ['64:ff9b::7f00:1', '64:ff9b::8.8.8.8', '64:ff9b:1::a00:1', '2002:7f00:1::', '2002:a9fe:a9fe::1', '2001::1']
  ],
  ['never', ['::ffff:0:127.0.0.1', '2a00:1450::5efe:7f00:1', '2a00:1450::200:5efe:a00:1']],
  [
    'never',
    ['', 'localhost', '127.1', '0x7f.0.0.1', '017700000001', '[::1]', 'fe80::1%eth0', '2606:4700::1%1', '1.2.3']
  ]
]

t.test('an address is public, private or never', async t => {
  for (const [kind, addresses] of CLASSES)
    for (const each of addresses) t.equal(classify(each), kind, `${each}: ${kind}`)
})

t.test('no spelling of IPv6 hides an IPv4 address', async () => {
  const octet = fc.integer({ min: 0, max: 255 })
  const prefixes = [
    '::',
    '::ffff:',
    '::ffff:0:',
    '64:ff9b::',
    '64:ff9b:1::',
    '2a00:1450:4001::5efe:',
    '2a00::200:5efe:'
  ]
  fc.assert(
    fc.property(fc.constantFrom(...prefixes), fc.tuple(octet, octet, octet, octet), (prefix, octets) => {
      const dotted = octets.join('.')
      fc.pre(!(prefix === '::' && dotted === '0.0.0.1')) // that one is ::1
      return classify(prefix + dotted) === 'never'
    })
  )
})

t.test('what is called public is global unicast as IANA has it', async () => {
  fc.assert(
    fc.property(fc.ipV6(), address => {
      return classify(address) !== 'public' || /^[23][0-9a-f]{3}:/i.test(address)
    })
  )
  fc.assert(
    fc.property(fc.ipV4(), address => {
      const [a, b] = address.split('.').map(Number) as [number, number]
      const closed =
        a === 0 || a === 10 || a === 127 || a >= 224 || (a === 169 && b === 254) || (a === 192 && b === 168)
      return classify(address) !== 'public' || !closed
    })
  )
})

t.test('the allow-list opens exactly what it says', async t => {
  const allow = parseAllowList([
    '10.1.0.0/16',
    '127.0.0.1:8080',
    'n8n.internal:5678',
    'Hooks.Internal.',
    '[fd12::1]:443',
    'fd13::/16',
    '::1'
  ])
  t.ok(allow.opens('10.1.2.3', '10.1.2.3', 9))
  t.ok(allow.opens('any.example', '10.1.255.255', 443), 'a CIDR opens the names that lead into it')
  t.notOk(allow.opens('10.2.0.1', '10.2.0.1', 443))
  t.ok(allow.opens('127.0.0.1', '127.0.0.1', 8080))
  t.notOk(allow.opens('127.0.0.1', '127.0.0.1', 8081))
  t.notOk(allow.opens('127.0.0.2', '127.0.0.2', 8080))
  t.ok(allow.opens('n8n.internal', '192.168.3.4', 5678))
  t.notOk(allow.opens('n8n.internal', '192.168.3.4', 443))
  t.notOk(allow.opens('x.n8n.internal', '192.168.3.4', 5678))
  t.notOk(allow.opens('internal', '192.168.3.4', 5678))
  t.ok(allow.opens('hooks.internal', '192.168.3.4', 1))
  t.ok(allow.opens('fd12::1', 'fd12::1', 443))
  t.notOk(allow.opens('fd12::1', 'fd12::1', 444))
  t.ok(allow.opens('x', 'fd13::9', 80))
  t.ok(allow.opens('::1', '::1', 80))
  t.notOk(allow.opens('x', 'not an address', 80))
  t.ok(allow.mayOpen('anything', 80), 'a CIDR may match once the name is resolved')
  t.notOk(parseAllowList(['n8n.internal:5678']).mayOpen('n8n.internal', 80))
})

t.test('an entry that cannot be read is refused by position, without its text', async t => {
  const bad = [
    '',
    'https://x.example',
    'user:pass@host',
    '10.0.0.0/33',
    'fd00::/129',
    'host:0',
    'host:65536',
    '*.example'
  ]
  bad.push('127.1', '2130706433', '0x7f000001', '[host]:80', 'a b', 'host/24', '10/8', '[::1', 'x:y')
  for (const entry of bad) {
    t.throws(() => parseAllowList(['ok.example', entry]), { message: /^EGRESS_ALLOW entry 2 is not a CIDR/ }, entry)
  }
})

t.test('an entry that names what is never opened is refused at once', async t => {
  for (const entry of ['169.254.169.254', '169.254.169.0/24', 'fd00:ec2::254', '[fd00:ec2::254]:80', '64:ff9b::/96']) {
    t.throws(() => parseAllowList([entry]), { message: /never opened/ }, entry)
  }
  t.doesNotThrow(() => parseAllowList(['0.0.0.0/0', '::/0']), 'wider ranges keep the hole')
})

t.test('a peer is compared as an address, not as text', async t => {
  t.ok(sameAddress('::ffff:1.2.3.4', '1.2.3.4'))
  t.ok(sameAddress('2606:4700:0:0::1', '2606:4700::1'))
  t.notOk(sameAddress('1.2.3.4', '1.2.3.5'))
  t.notOk(sameAddress('', ''))
})
