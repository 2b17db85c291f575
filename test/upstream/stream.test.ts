import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createMaton } from '../../src/upstream/maton.ts'
import { type NativeRequest, UpstreamFailure } from '../../src/upstream/wire.ts'
import { until } from '../until.ts'
import { handClock } from './hand-clock.ts'
import { openStub, type Play } from './stub.ts'

const apiKey = 'maton-canary-1234567890'
const get: NativeRequest = { method: 'GET', path: ['api', 'v1', 'getMedia'], query: { fileName: 'data/a/b.jpg' } }

const timeoutMs = 200

/** Its deadlines come when the test lets the time pass. */
async function open(t: Test, play: Play) {
  const stub = await openStub(play, 'x'.repeat(1000))
  const clock = handClock()
  const maton = createMaton({ baseUrl: stub.url, apiKey, timeoutMs, setTimer: clock.setTimer })
  t.teardown(async () => {
    await maton.close()
    await stub.close()
  })
  return { stub, clock, stream: () => maton.stream('wati', 'connection-1', get) }
}
const failureOf = (act: Promise<unknown>): Promise<UpstreamFailure> =>
  act.then(
    () => Promise.reject(new Error('it did not fail')),
    error => error
  )

t.test('a body of any type passes whole and unchanged, beyond the limit of JSON answers', async t => {
  const bytes = Buffer.alloc(6 * 1024 * 1024, 'ab\0\xff', 'latin1')
  const { stub, stream } = await open(t, { status: 200, headers: { 'content-type': 'image/jpeg' }, body: bytes })
  const answer = await stream()
  t.match(answer, { status: 200, headers: { 'content-type': 'image/jpeg' } })
  t.ok(Buffer.concat(await answer.body.toArray()).equals(bytes))
  t.equal(stub.seen.length, 1)
  t.strictSame(stub.seen[0]!.url, '/wati/api/v1/getMedia?fileName=data%2Fa%2Fb.jpg')
  const sent = Object.fromEntries(stub.seen[0]!.headers)
  t.match(sent, { authorization: `Bearer ${apiKey}`, 'maton-connection': 'connection-1', accept: '*/*' })
})

t.test('a slow reader holds the sender back instead of filling the memory', async t => {
  const { stream } = await open(t, { status: 200, body: Buffer.alloc(32 * 1024 * 1024) })
  const { body } = await stream()
  await once(body, 'readable')
  // A round trip on the same event loop: whatever was on its way has arrived by then.
  await until(
    async () => body.readableLength,
    length => length > 0
  )
  t.ok(body.readableLength < 2 * 1024 * 1024, `${body.readableLength} bytes are waiting`)
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) size += chunk.length
  t.equal(size, 32 * 1024 * 1024)
})

t.test('anything but a 2xx is a failure with its status and body, and without our key', async t => {
  const { stream } = await open(t, { status: 404, body: { result: false, info: `no ${apiKey}` } })
  const failure = await failureOf(stream())
  t.match(failure, { kind: 'status', started: true, status: 404, body: { result: false, info: 'no [redacted]' } })
})

t.test('silence before the answer is a failure at the deadline', async t => {
  const { stub, clock, stream } = await open(t, 'silence')
  const failure = failureOf(stream())
  await until(
    () => stub.seen.length,
    count => count === 1
  )
  clock.pass(timeoutMs - 1)
  t.equal(clock.running(), 2, 'it still has time')
  clock.pass(1)
  t.match(await failure, { kind: 'transport', started: true, cause: 'TimeoutError' })
  t.equal(clock.running(), 0)
})

for (const [play, ms] of [
  ['stall', timeoutMs],
  ['cut', 0]
] as const)
  t.test(`a body that does this ends the stream with a failure: ${play}`, async t => {
    const { clock, stream } = await open(t, play)
    const { body } = await stream()
    const ended = failureOf(body.toArray())
    if (ms > 0) clock.pass(ms)
    const failure = await ended
    t.equal(clock.running(), 0)
    t.type(failure, UpstreamFailure)
    t.match(failure, { kind: 'transport', started: true, status: 200 })
  })

t.test('a body that dribbles has time for each piece, and fifteen deadlines for the whole', async t => {
  const server = createServer((_, response) => response.writeHead(200).flushHeaders()).listen(0, '127.0.0.1')
  t.teardown(() => server.close().closeAllConnections())
  const arrived = once(server, 'request')
  await once(server, 'listening')
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const clock = handClock()
  const maton = createMaton({ baseUrl, apiKey, timeoutMs, setTimer: clock.setTimer })
  t.teardown(() => maton.close())
  const { body } = await maton.stream('wati', 'connection-1', get)
  const [, response] = (await arrived) as [unknown, ServerResponse]
  for (let count = 0; count < 15; count++) {
    clock.pass(timeoutMs - 1)
    const moved = once(body, 'data')
    response.write('x')
    await moved
  }
  t.equal(clock.running(), 2, 'it still has time')
  const ended = failureOf(once(body, 'end'))
  clock.pass(15)
  t.match(await ended, { kind: 'transport', started: true, status: 200, cause: 'TimeoutError' })
  t.equal(clock.running(), 0)
})

t.test('when the reader goes away, nothing more is fetched', async t => {
  const { stub, stream } = await open(t, 'dribble')
  const { body } = await stream()
  await once(body, 'readable')
  body.destroy()
  const again = await stream()
  again.body.destroy()
  t.equal(stub.connections(), 2, 'the first connection was given up')
})
