import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:http'
import { createServer as createTcp, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { createGuard } from '../../src/upstream/egress.ts'
import { createPoster } from '../../src/upstream/post.ts'
import { listen } from './site.ts'
import { openTunnel } from './tunnel.ts'

const options = { headers: { 'content-type': 'application/json' }, body: '{"a":1}', timeoutMs: 15_000, maxBytes: 1024 }

/** A poster that may go to loopback, and whose whole time ends as the test says where that is meant. */
function poster(t: Test, guard = createGuard({ allow: ['127.0.0.0/8'] }), deadline?: () => AbortSignal) {
  const made = createPoster(guard, deadline)
  t.teardown(made.close)
  return made
}
async function site(t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  return `http://127.0.0.1:${await listen(t, server)}/hook`
}
/** A server of bare sockets. */
async function bare(t: Test, talk: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createTcp(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    talk(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`
}

t.test('one that hangs, and one that answers a byte a time, end with the whole time', async t => {
  /** Posts, and lets the time be over when the test says so. */
  const begin = (url: string) => {
    const stop = new AbortController()
    const answer = poster(t, undefined, () => stop.signal).post(url, options)
    answer.catch(() => {})
    return { answer, end: () => stop.abort() }
  }
  const late = { code: 'timeout', detail: /did not answer within 15 s/ }
  const asked = Promise.withResolvers<void>()
  const silent = begin(await site(t, () => asked.resolve()))
  await asked.promise
  silent.end()
  await t.rejects(silent.answer, late)

  const dialed = Promise.withResolvers<void>()
  const mute = begin(await bare(t, () => dialed.resolve()))
  await dialed.promise
  mute.end()
  await t.rejects(mute.answer, { code: 'timeout' }, 'not even a status line')

  const text = 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n'
  const said = Promise.withResolvers<void>()
  const slow = await bare(t, socket => {
    let sent = 0
    const timer = setInterval(() => {
      socket.write(text[sent++]!)
      if (sent === 20) said.resolve()
      if (sent === 20) clearInterval(timer)
    }, 5)
    socket.on('close', () => clearInterval(timer))
  })
  const slowly = begin(slow)
  await said.promise
  slowly.end()
  await t.rejects(slowly.answer, { code: 'timeout' }, 'each byte is progress, and the time is over all the same')

  const begun = Promise.withResolvers<void>()
  const seen = () => begun.resolve()
  const endless = begin(
    await site(t, (_, response) => {
      subscribe('undici:request:headers', seen)
      response.writeHead(200, { 'content-length': '100000' }).write('x'.repeat(50))
    })
  )
  await begun.promise
  unsubscribe('undici:request:headers', seen)
  // What came with the head is read in the turn after it.
  for (let turn = 0; turn < 3; turn++) await new Promise(resolve => setImmediate(resolve))
  endless.end()
  const answer = await endless.answer
  t.match(answer, { status: 200, cutShort: 'timeout' }, 'the status stands')
  t.ok(answer.body.length <= 50)
})

t.test('of 10 MB a KiB is read, and the connection is closed', async t => {
  let written = 0
  let closed = false
  const { post } = poster(t)
  const url = await site(t, (_, response) => {
    response.on('close', () => {
      closed = true
    })
    const part = Buffer.alloc(64 * 1024, 'y')
    const more = (): void => {
      while (!response.destroyed && written < 10_000_000) {
        written += part.length
        if (!response.write(part)) return void response.once('drain', more)
      }
      response.end()
    }
    response.writeHead(200)
    more()
  })
  const answer = await post(url, options)
  t.strictSame([answer.status, answer.body], [200, 'y'.repeat(1024)])
  await new Promise<void>(resolve => {
    const look = () => (closed ? resolve() : setTimeout(look, 10))
    look()
  })
  t.ok(written < 10_000_000, `${written} bytes were written before it was closed`)
})

t.test('a reset, an early end, what is no HTTP, a closed port', async t => {
  const { post } = poster(t)
  for (const [name, talk] of [
    ['reset', (socket: Socket) => socket.once('data', () => socket.resetAndDestroy())],
    ['end', (socket: Socket) => socket.once('data', () => socket.end())],
    ['no HTTP', (socket: Socket) => socket.once('data', () => socket.end('hello\r\n\r\n'))]
  ] as const)
    await t.rejects(post(await bare(t, talk), options), { code: 'unreachable', detail: /127\.0\.0\.1/ }, name)
  const url = await site(t, (_, response) => response.end())
  t.equal((await post(url, options)).status, 200, 'CONTROL')
  await t.rejects(post('http://127.0.0.1:1/', options), { code: 'unreachable' })
})

t.test('a redirect is an answer, and not followed', async t => {
  let asked = 0
  const other = await site(t, (_, response) => {
    asked++
    response.end()
  })
  const { post } = poster(t)
  const url = await site(t, (_, response) => response.writeHead(307, { location: other }).end())
  t.equal((await post(url, options)).status, 307)
  t.equal(asked, 0)
})

t.test('the guard judges every connection: closed hosts, metadata, and a name that changes its address', async t => {
  const url = await site(t, (_, response) => response.end())
  const port = Number(new URL(url).port)
  const closed = poster(t, createGuard())
  await t.rejects(closed.post(url, options), { code: 'forbidden_address' })
  await t.rejects(
    closed.post('http://hooks.example.com/', options),
    { code: 'forbidden_url' },
    'http is for opened hosts'
  )
  const open = poster(t, createGuard({ allow: ['0.0.0.0/0'] }))
  await t.rejects(open.post('http://169.254.169.254/latest', options), { code: 'forbidden_address' })
  const answers = [['93.184.216.34'], ['127.0.0.1']]
  const rebinding = poster(
    t,
    createGuard({
      resolve: async () => answers.shift() ?? ['127.0.0.1'],
      dial: (_, done) => done(new Error('none'), null)
    })
  )
  await t.rejects(rebinding.post('https://rebind.example/', options), 'the first address is dialled')
  await t.rejects(
    rebinding.post('https://rebind.example/', options),
    { code: 'forbidden_address' },
    'the second is judged'
  )
  const named = poster(t, createGuard({ allow: [`hooks.internal:${port}`], resolve: async () => ['127.0.0.1'] }))
  t.equal((await named.post(`http://hooks.internal:${port}/`, options)).status, 200, 'CONTROL: what is opened')
})

t.test('through a proxy, as a tunnel', async t => {
  const url = await site(t, (_, response) => response.end('here'))
  const port = Number(new URL(url).port)
  const tunnel = await openTunnel(t, () => port)
  const guard = createGuard({ allow: [`hooks.internal:${port}`], proxies: { http: tunnel.url } })
  const answer = await poster(t, guard).post(`http://hooks.internal:${port}/x`, options)
  t.strictSame([answer.status, answer.body], [200, 'here'])
  t.strictSame(tunnel.asked, [`hooks.internal:${port}`])
})
