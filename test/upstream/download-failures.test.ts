import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { buildConnector } from 'undici'
import { createEgress, EgressError, type EgressOptions } from '../../src/upstream/egress.ts'
import { listen, PNG, PUBLIC, site as siteIn, spoolDirectory } from './site.ts'

const { directory, left } = await spoolDirectory(t)
const site = (t: Test, answer: RequestListener, options?: EgressOptions) => siteIn(t, directory, answer, options)

t.test('a dribbling body ends at the deadline, however steadily it comes', async t => {
  const deadline = new AbortController()
  let asked = 0
  const startDeadline = (milliseconds: number) => {
    asked = milliseconds
    return deadline.signal
  }
  const options = { deadline: startDeadline, timeoutMs: 7_000 }
  let chunks = 0
  const { get, seen } = await site(
    t,
    (_, response) => {
      const drip = () => {
        chunks += 1
        if (chunks === 20) deadline.abort(new DOMException('late', 'TimeoutError'))
        if (!response.destroyed) response.write('x', () => setImmediate(drip))
      }
      drip()
    },
    options
  )
  await t.rejects(get('/'), { code: 'timeout', detail: '127.0.0.1 did not deliver within 7 s; try again later' })
  t.equal(asked, 7_000)
  t.ok(chunks >= 20)
  if (!seen[0]!.socket.destroyed) await once(seen[0]!.socket, 'close')
})

t.test('the deadline holds while a lookup, a connection or the headers hang', async t => {
  const at = (deadline: AbortSignal, more: EgressOptions) =>
    createEgress({ deadline: () => deadline, ...more }).download('https://cdn.example/', { directory, maxBytes: 9 })

  const lookup = new AbortController()
  const hang = () => {
    lookup.abort()
    return new Promise<never>(() => {})
  }
  await t.rejects(at(lookup.signal, { resolve: hang }), { code: 'timeout' }, 'lookup')

  const dialing = new AbortController()
  const resolve = async () => [PUBLIC]
  await t.rejects(at(dialing.signal, { resolve, dial: () => dialing.abort() }), { code: 'timeout' }, 'connection')

  const headers = new AbortController()
  const { get } = await site(t, () => headers.abort(), { deadline: () => headers.signal })
  await t.rejects(get('/'), { code: 'timeout' }, 'headers')
})

t.test('without an injected deadline the clock is real', async t => {
  const { get } = await site(t, () => {}, { timeoutMs: 50 })
  await t.rejects(get('/'), { code: 'timeout', detail: /within 0.05 s/ })
})

t.test('the caller can stop it, and gets its own reason back', async t => {
  const stop = new AbortController()
  const reason = new Error('shutting down')
  const { egress, port } = await site(t, (_, response) => {
    response.write('x')
    stop.abort(reason)
  })
  const options = { directory, maxBytes: 9, signal: stop.signal }
  await t.rejects(egress.download(`http://127.0.0.1:${port}/`, options), reason)
  await t.rejects(egress.download(`http://127.0.0.1:${port}/`, options), reason, 'also when it was stopped before')
})

t.test('a broken answer is unreachable, and says how it broke', async t => {
  const { get } = await site(t, (request, response) => {
    if (request.url === '/reset') response.socket!.resetAndDestroy()
    if (request.url === '/hangup') response.socket!.end()
    if (request.url === '/babble') response.socket!.end('SSH-2.0-OpenSSH_9.2\r\n')
    if (request.url === '/short')
      response.writeHead(200, { 'content-length': 100 }).write('x', () => response.socket!.end())
    if (request.url === '/half') response.write('x', () => response.socket!.resetAndDestroy())
  })
  for (const path of ['/reset', '/hangup', '/babble', '/short', '/half']) {
    const error: EgressError = await get(path).then(
      () => t.fail(path),
      error => error
    )
    t.equal(error.code, 'unreachable', path)
    t.match(error.detail, /broke off or did not speak HTTP \([A-Z_]+|HTTPParserError\)/)
  }
})

t.test('a port that nobody listens on is unreachable', async t => {
  const server = createServer()
  const port = await listen(t, server)
  server.close()
  await once(server, 'close')
  const egress = createEgress({ allow: ['127.0.0.1'] })
  const refused = egress.download(`http://127.0.0.1:${port}/`, { directory, maxBytes: 9 })
  await t.rejects(refused, { code: 'unreachable', detail: /no connection to 127\.0\.0\.1 \(ECONNREFUSED\)/ })
})

t.test('a connection that is not taken in time is a timeout', async t => {
  const dial: buildConnector.connector = (_, callback) =>
    callback(Object.assign(new Error('slow'), { code: 'UND_ERR_CONNECT_TIMEOUT' }), null)
  const egress = createEgress({ resolve: async () => [PUBLIC], dial })
  await t.rejects(egress.download('https://cdn.example/', { directory, maxBytes: 9 }), { code: 'timeout' })
})

t.test('a disk of ours that fails is not blamed on the host', async t => {
  const { egress, port } = await site(t, (_, response) => response.end(PNG))
  const missing = join(directory, 'missing')
  const error = await egress.download(`http://127.0.0.1:${port}/`, { directory: missing, maxBytes: 99 }).then(
    () => t.fail('delivered'),
    error => error
  )
  t.equal(error.code, 'ENOENT')
  t.notOk(error instanceof EgressError)
})

t.test('no test left a file', async t => t.strictSame(await left(), []))
