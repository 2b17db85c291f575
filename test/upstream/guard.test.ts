import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, isIP, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { buildConnector } from 'undici'
import { classify } from '../../src/upstream/address.ts'
import { createEgress, createGuard, type EgressError, type Guard, type Resolve } from '../../src/upstream/egress.ts'
import { ELSEWHERE, LOOPBACK, NAMES } from './egress-corpus.ts'

const PUBLIC = '93.184.216.34'

/** A listener that must never be reached. It hangs up on everyone, and counts. */
async function canary(host: string, port = 0): Promise<Server & { port: number; hits: number; bytes: number }> {
  const server = Object.assign(createServer(), { port, hits: 0, bytes: 0 })
  server.on('connection', socket => {
    server.hits += 1
    socket.on('data', bytes => (server.bytes += bytes.length)).on('error', () => {})
    socket.end()
  })
  server.listen(port, host)
  await once(server, 'listening')
  server.port = (server.address() as AddressInfo).port
  return server
}

const directory = await mkdtemp(join(tmpdir(), 'egress-'))
const listener = await canary('127.0.0.1')
const listener6 = await canary('::1', listener.port).catch(() => undefined) // a machine may have no IPv6
t.teardown(async () => {
  listener.close()
  listener6?.close()
  await rm(directory, { recursive: true })
})
const hits = () => listener.hits + (listener6?.hits ?? 0)
const ports = [listener.port]
const literals = [...LOOPBACK, ...ELSEWHERE]

/** Any address but the public one leads to the canary, so that each case of the corpus can leak. */
const dialed: string[] = []
const trap: buildConnector.connector = (options, callback) => {
  dialed.push(options.hostname)
  if (options.hostname === PUBLIC) return callback(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }), null)
  const socket = connect(listener.port, '127.0.0.1', () => callback(null, socket))
  socket.on('error', () => {})
}

const named: Resolve = async host => NAMES[host] ?? NAMES[`${host}.`] ?? []
const unchecked = (guard: Pick<Guard, 'connect'>): Guard => ({
  check: url => new URL(url),
  connect: guard.connect,
  connectThrough: connect => connect
})

/** How one URL fares: the code of its refusal. */
async function outcome(url: string, options: Parameters<typeof createEgress>[0]): Promise<string> {
  try {
    const file = await createEgress(options).download(url, { directory, maxBytes: 1000 })
    await file.remove()
    return 'delivered'
  } catch (error) {
    return (error as EgressError).code
  }
}

t.test('the corpus is as large as promised', async t => {
  t.ok(
    literals.length + Object.keys(NAMES).length >= 60,
    `${literals.length} literals, ${Object.keys(NAMES).length} names`
  )
})

t.test('no spelling of an address that is not public is connected to', async t => {
  for (const host of literals) {
    const url = `https://${host}:${listener.port}/secret`
    t.equal(await outcome(url, { ports }), 'forbidden_address', host)
    t.equal(await outcome(url, { ports, dial: trap }), 'forbidden_address', `${host}, trapped`)
    const guard = unchecked(createGuard({ ports, dial: trap }))
    t.equal(await outcome(url, { guard }), 'forbidden_address', `${host}, refused by connect alone`)
  }
  t.equal(hits(), 0)
  t.strictSame(dialed, [])
})

t.test('no name that leads to such an address is connected to, be it one answer of many', async t => {
  for (const host of Object.keys(NAMES)) {
    const url = `https://${host}:${listener.port}/secret`
    t.equal(await outcome(url, { ports, dial: trap, resolve: named }), 'forbidden_address', host)
  }
  t.equal(hits(), 0)
  t.strictSame(dialed, [])
})

t.test('the system resolver is judged too', async t => {
  t.equal(await outcome(`https://localhost:${listener.port}/`, { ports }), 'forbidden_address')
  t.equal(hits(), 0)
})

/** Answers with the next list at each lookup, the last one for ever. */
function rebinding(...answers: string[][]): Resolve {
  let turn = 0
  return async () => answers[Math.min(turn++, answers.length - 1)]!
}

t.test('an answer that changes after it was judged is not used', async t => {
  dialed.length = 0
  const options = { ports, dial: trap, resolve: rebinding([PUBLIC], ['127.0.0.1']) }
  const egress = createEgress(options)
  const url = `https://rebind.example:${listener.port}/`
  await t.rejects(egress.download(url, { directory, maxBytes: 9 }), { code: 'unreachable' })
  t.strictSame(dialed, [PUBLIC], 'the judged address is dialled, not the name')
  await t.rejects(egress.download(url, { directory, maxBytes: 9 }), { code: 'forbidden_address' })
  t.strictSame(dialed, [PUBLIC])
  t.equal(hits(), 0)
})

t.test('a peer that is not the judged address is hung up on before a byte is written', async t => {
  const before = { hits: listener.hits, bytes: listener.bytes }
  const liar: buildConnector.connector = (options, callback) => trap({ ...options, hostname: '127.0.0.1' }, callback)
  const closed = once(listener, 'connection').then(([socket]) => once(socket, 'close'))
  t.equal(await outcome(`https://${PUBLIC}:${listener.port}/`, { ports, dial: liar }), 'forbidden_address')
  await closed
  t.equal(listener.hits, before.hits + 1, 'the liar did connect')
  t.equal(listener.bytes, before.bytes)
  listener.hits = 0
})

t.test('controls: weaker guards leak on the same corpus', async t => {
  t.afterEach(() => {
    listener.hits = 0
    if (listener6) listener6.hits = 0
  })

  t.test('judging in connect.lookup only, as undici offers it, misses every literal', async t => {
    const lookup = (
      host: string,
      _: object,
      callback: (error: Error | null, address: string, family: number) => void
    ) => {
      const [address = ''] = NAMES[host] ?? []
      if (classify(address) === 'public') callback(null, address, isIP(address))
      else callback(new Error('forbidden'), '', 0)
    }
    const naive = buildConnector({ allowH2: false, timeout: 1000, lookup } as buildConnector.BuildOptions)
    for (const host of LOOPBACK) {
      if (host.startsWith('[') && !host.includes('ff') && !listener6) continue
      const before = hits()
      await outcome(`https://${host}:${listener.port}/`, { guard: unchecked({ connect: naive }) })
      t.equal(hits(), before + 1, `${host} leaks`)
    }
  })

  t.test('without a guard all of it leaks', async t => {
    for (const host of [...literals, ...Object.keys(NAMES)]) {
      const before = hits()
      await outcome(`https://${host}:${listener.port}/`, { guard: unchecked({ connect: trap }) })
      t.equal(hits(), before + 1, `${host} leaks`)
    }
  })

  t.test('judging first and resolving again leaks by rebinding', async t => {
    const resolve = rebinding([PUBLIC], ['127.0.0.1'])
    const checkFirst: buildConnector.connector = async (options, callback) => {
      const [judged = ''] = await resolve(options.hostname)
      if (classify(judged) !== 'public') return callback(new Error('forbidden'), null)
      const [hostname = ''] = await resolve(options.hostname)
      trap({ ...options, hostname }, callback)
    }
    await outcome(`https://rebind.example:${listener.port}/`, { guard: unchecked({ connect: checkFirst }) })
    t.equal(hits(), 1)
  })

  t.test('judging only the first answer leaks on mixed ones', async t => {
    const firstOnly: buildConnector.connector = async (options, callback) => {
      const answers = await named(options.hostname)
      if (classify(answers[0] ?? '') !== 'public') return callback(new Error('forbidden'), null)
      trap({ ...options, hostname: answers.at(-1)! }, callback)
    }
    await outcome(`https://mixed-last.example:${listener.port}/`, { guard: unchecked({ connect: firstOnly }) })
    t.equal(hits(), 1)
  })
})

t.test('a URL is https on a known port, without credentials', async t => {
  const { check } = createGuard()
  const code = (url: string) => {
    try {
      return check(url).host
    } catch (error) {
      return (error as EgressError).code
    }
  }
  t.equal(code('https://cdn.example/a.png'), 'cdn.example')
  t.equal(code('https://cdn.example:8443/'), 'cdn.example:8443')
  t.equal(code(`https://${PUBLIC}/`), PUBLIC)
  t.equal(code('https://[2606:4700::1111]/'), '[2606:4700::1111]')
  const forbidden = ['http://cdn.example/', `http://${PUBLIC}/`, 'https://cdn.example:22/', 'https://cdn.example:80/']
  forbidden.push('https://u:p@cdn.example/', 'https://u@cdn.example/', 'ftp://cdn.example/', 'file:///etc/passwd')
  forbidden.push(
    'data:text/plain,hi',
    'gopher://cdn.example',
    'javascript:0',
    '',
    '/a.png',
    '//cdn.example/',
    'https://'
  )
  forbidden.push(
    'https://a%00b.example/',
    'https://[fe80::1%25lo]/',
    'https://127.0.0.256/',
    'blob:https://cdn.example/x'
  )
  for (const url of forbidden) t.equal(code(url), 'forbidden_url', url)
})

t.test('a refusal names the host as it was given, says what to do and tells no resolved address', async t => {
  const egress = createEgress({ resolve: async () => ['10.7.7.7'], dial: trap })
  const refused = egress.download('https://app.example/x?token=s3cret', { directory, maxBytes: 1 })
  const error: EgressError = await refused.catch(error => error)
  t.equal(error.name, 'EgressError')
  t.match(error.detail, /app\.example leads to an address that is not on the public internet; give a public https URL/)
  t.notMatch(error.message + error.stack + JSON.stringify(error), /10\.7\.7\.7|s3cret/)
  t.equal(error.cause, undefined)
})

t.test('the allow-list opens exactly what it says, and metadata never', async t => {
  const there = `127.0.0.1:${listener.port}`
  const elsewhere = listener.port === 9 ? 10 : 9
  t.equal(await outcome(`http://127.0.0.1:${elsewhere}/`, { allow: [there] }), 'forbidden_address')
  t.equal(await outcome(`http://127.0.0.2:${listener.port}/`, { allow: [there] }), 'forbidden_address')
  t.equal(await outcome(`http://localhost:${listener.port}/`, { allow: ['127.0.0.2'] }), 'forbidden_address')
  t.equal(await outcome(`http://[::ffff:7f00:1]:${listener.port}/`, { allow: [there] }), 'forbidden_address')
  const other = { allow: ['hooks.internal'], resolve: async () => ['127.0.0.1'], dial: trap }
  t.equal(await outcome(`https://x.hooks.internal:${listener.port}/`, { ...other, ports }), 'forbidden_address')
  t.equal(hits(), 0)
  const wide = ['0.0.0.0/0', '::/0', 'metadata.example', 'metadata6.example', 'mapped.example', 'nat64.example']
  const never = ELSEWHERE.filter(host => classify(new URL(`http://${host}`).hostname.replace(/[[\]]/g, '')) === 'never')
  t.ok(never.length > 15)
  for (const host of [...never, 'metadata.example', 'metadata6.example', 'mapped.example', 'nat64.example']) {
    const options = { allow: wide, resolve: named, dial: trap }
    t.equal(await outcome(`http://${host}/latest/meta-data/`, options), 'forbidden_address', host)
    t.equal(await outcome(`http://${host}/`, { guard: unchecked(createGuard(options)) }), 'forbidden_address', host)
  }
  t.equal(hits(), 0)
  t.equal(await outcome(`http://127.0.0.1:${listener.port}/`, { allow: [there] }), 'unreachable', 'opened: it hangs up')
  t.equal(hits(), 1)
})

t.test('a public name stays https and on its ports when a CIDR is opened', async t => {
  const options = { allow: ['10.0.0.0/8'], resolve: async () => [PUBLIC], dial: trap }
  t.equal(await outcome('http://cdn.example/', options), 'forbidden_url')
  t.equal(await outcome('http://cdn.example/', { ...options, ports: [80, 443] }), 'forbidden_url', 'not even on a port')
  t.equal(await outcome('https://cdn.example:22/', options), 'forbidden_url')
  t.equal(await outcome('https://cdn.example/', options), 'unreachable', 'dialled, and refused')
})

t.test('a name without an answer is unresolvable', async t => {
  t.equal(await outcome('https://nothing.example/', { resolve: async () => [] }), 'unresolvable')
  const failing = () => Promise.reject(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }))
  t.equal(await outcome('https://nothing.example/', { resolve: failing }), 'unresolvable')
})

t.test('the next address is tried when one does not answer, four at the most', async t => {
  dialed.length = 0
  const answers = Array.from({ length: 6 }, () => PUBLIC)
  t.equal(await outcome('https://cdn.example/', { resolve: async () => answers, dial: trap }), 'unreachable')
  t.equal(dialed.length, 4)
})

t.test('no refusal left a file', async t => t.strictSame(await readdir(directory), []))

t.test('a name with many IPv6 addresses is tried at an IPv4 one second', async t => {
  const tried: string[] = []
  const egress = createEgress({
    resolve: async () => ['2606:4700::1', '2606:4700::2', '2606:4700::3', '2606:4700::4', PUBLIC],
    dial: ({ hostname }, callback) => {
      tried.push(hostname)
      callback(Object.assign(new Error('no route'), { code: 'ENETUNREACH' }), null)
    }
  })
  await t.rejects(egress.download('https://six.example/', { directory, maxBytes: 9 }), { code: 'unreachable' })
  t.strictSame(tried, ['2606:4700::1', PUBLIC, '2606:4700::2', '2606:4700::3'])
})
