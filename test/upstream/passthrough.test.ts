import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createPassthrough } from '../../src/upstream/passthrough.ts'
import type { SetTimer } from '../../src/upstream/timers.ts'
import { UpstreamFailure } from '../../src/upstream/wire.ts'
import { handClock } from './hand-clock.ts'
import { openSocketServer } from './stub.ts'

const apiKey = 'key-for-tests-0123456789'
interface Deadlines {
  timeoutMs?: number
  setTimer?: SetTimer
}
const get = { method: 'GET', target: '/a', headers: {} } as const

async function open(t: Test, listener: RequestListener, deadlines: Deadlines = {}) {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { ...(await towards(t, url, deadlines)), stop: t.teardown(() => server.close().closeAllConnections()) }
}
async function towards(t: Test, url: string, { timeoutMs = 5000, ...rest }: Deadlines = {}) {
  const passthrough = createPassthrough({ baseUrl: url, controlUrl: url, apiKey, timeoutMs, ...rest })
  t.teardown(() => passthrough.close())
  return { passthrough }
}
const textOf = async (body: AsyncIterable<Buffer>): Promise<string> => {
  let text = ''
  for await (const chunk of body) text += chunk.toString('latin1')
  return text
}
const failure = (work: Promise<unknown>): Promise<UpstreamFailure> =>
  work.then(
    () => Promise.reject(new Error('it did not fail')),
    error => (error instanceof UpstreamFailure ? error : Promise.reject(error))
  )

t.test('our credential does not come back, however the answer is cut; nothing else changes', async t => {
  const stars = '*'.repeat(apiKey.length)
  const says = `<${apiKey}> ${apiKey}${apiKey} ${apiKey.slice(0, -1)} ${apiKey.slice(1)} key-key-for key-for-tests`
  const ought = says.replaceAll(apiKey, stars)
  for (const size of [1, 2, 3, 7, 11, 23, 24, 25, 1000]) {
    const { passthrough } = await open(t, async (_, response) => {
      response.writeHead(200, { 'content-length': says.length, 'x-echo': apiKey })
      for (let at = 0; at < says.length; at += size)
        await new Promise(resolve => response.write(says.slice(at, at + size), resolve))
      response.end()
    })
    const { body, headers } = await passthrough.send('wati', 'connection', get)
    t.equal(await textOf(body), ought, `in pieces of ${size}`)
    t.equal(headers['x-echo'], '[redacted]')
  }
})

const timedOut = { kind: 'transport', started: true, cause: 'TimeoutError' }
const almost = 399

async function openByHand(t: Test) {
  const clock = handClock()
  const asked: ((response: ServerResponse) => void)[] = []
  const { passthrough } = await open(t, (_, response) => asked.shift()!(response), {
    timeoutMs: almost + 1,
    setTimer: clock.setTimer
  })
  const arrival = (): Promise<ServerResponse> => new Promise(resolve => asked.push(resolve))
  /** A call whose answer has begun. */
  const begin = async () => {
    const arrived = arrival()
    const sent = passthrough.send('wati', 'connection', get)
    const response = await arrived
    response.writeHead(200).flushHeaders()
    const { body } = await sent
    let text = ''
    body.on('data', (chunk: Buffer) => {
      text += chunk
    })
    return { response, body, text: () => text }
  }
  return { clock, passthrough, arrival, begin }
}

t.test('an answer that does not begin within the deadline has failed', async t => {
  const { clock, passthrough, arrival } = await openByHand(t)
  const arrived = arrival()
  const sent = failure(passthrough.send('wati', 'connection', get))
  await arrived
  clock.pass(almost)
  t.equal(clock.running(), 2, 'it still has time')
  clock.pass(1)
  t.match(await sent, timedOut)
  t.equal(clock.running(), 0)
})

t.test('a body that moves has time; one that stands still, or dribbles for ever, has not', async t => {
  const { clock, begin } = await openByHand(t)
  /** Moves one byte at a time, with almost a deadline between one and the next. */
  const move = async ({ response, body }: Awaited<ReturnType<typeof begin>>, bytes: number) => {
    for (let count = 0; count < bytes; count++) {
      clock.pass(almost)
      const moved = once(body, 'data')
      response.write('x')
      await moved
    }
  }
  await t.test('moving', async t => {
    const call = await begin()
    await move(call, 12)
    call.response.end('!')
    await once(call.body, 'end')
    t.equal(call.text(), `${'x'.repeat(12)}!`, 'twelve deadlines long')
    t.equal(clock.running(), 0)
  })
  await t.test('standing still', async t => {
    const call = await begin()
    await move(call, 3)
    const ended = failure(once(call.body, 'end'))
    clock.pass(almost + 1)
    t.match(await ended, timedOut)
    t.equal(clock.running(), 0)
  })
  await t.test('dribbling', async t => {
    const call = await begin()
    await move(call, 15)
    t.equal(clock.running(), 2, 'it still has time')
    const ended = failure(once(call.body, 'end'))
    clock.pass(15)
    t.match(await ended, timedOut, 'fifteen deadlines')
    t.equal(clock.running(), 0)
  })
})

t.test('a reader that goes away ends the call upstream', async t => {
  let gone: (() => void) | undefined
  const closed = new Promise<void>(resolve => {
    gone = resolve
  })
  const { passthrough } = await open(t, (_, response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write('x'.repeat(10_000)), 5)
    response.once('close', () => {
      clearInterval(timer)
      gone!()
    })
  })
  const { body } = await passthrough.send('wati', 'connection', get)
  await once(body, 'data')
  body.destroy()
  await closed
  t.pass('it heard of it')
})

t.test('an answer that comes before the body is through is an answer; the source is left as it is', async t => {
  const { passthrough } = await open(t, (_, response) => void response.writeHead(413).end('too much'))
  let ended = false
  async function* endless() {
    try {
      for (;;) yield Buffer.alloc(65_536)
    } finally {
      ended = true
    }
  }
  const post = { method: 'POST', target: '/a', headers: {}, body: endless() } as const
  const answer = await passthrough.send('wati', 'connection', post)
  t.equal(answer.status, 413)
  t.equal(await textOf(answer.body), 'too much')
  t.ok(ended, 'nothing goes on reading it')
})

t.test('a source that fails is no answer, and may have left', async t => {
  const { passthrough } = await open(t, request => void request.resume())
  async function* broken() {
    yield Buffer.from('a')
    throw new Error('the caller went away')
  }
  const post = { method: 'POST', target: '/a', headers: {}, body: broken() } as const
  t.match(await failure(passthrough.send('wati', 'connection', post)), { kind: 'transport', started: true })
})

t.test('Maton itself is asked without a connection, and read within bounds', async t => {
  const heads: string[] = []
  const { port, close } = await openSocketServer({
    data: (socket, bytes) => {
      heads.push(bytes.toString())
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"connections"`)
    }
  })
  t.teardown(close)
  const { passthrough } = await towards(t, `http://127.0.0.1:${port}/base`)
  const unread = failure(passthrough.control({ method: 'GET', target: '/connections?app=wati' }))
  t.match(await unread, { kind: 'unreadable', status: 200 })
  t.match(heads[0], /^GET \/base\/connections\?app=wati HTTP\/1\.1\r\n/)
  t.notMatch(heads[0], /maton-connection/i)
  t.match(heads[0], `authorization: Bearer ${apiKey}`)
})
