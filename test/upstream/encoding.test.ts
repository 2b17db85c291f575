import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import { Pool } from 'undici'
import { createMaton } from '../../src/upstream/maton.ts'
import { createPassthrough } from '../../src/upstream/passthrough.ts'
import { poolOptions } from '../../src/upstream/pool.ts'
import { UpstreamFailure } from '../../src/upstream/wire.ts'
import { PNG, site, spoolDirectory } from './site.ts'
import { type Answer, openStub } from './stub.ts'

const apiKey = 'a-key-of-ours'
const account = { apiKey, timeoutMs: 60_000 }
const read = { method: 'GET', path: ['api'] } as const
const json = Buffer.from(JSON.stringify({ ok: true, word: 'ü', key: apiKey }))
const compressed: [string, Buffer][] = [
  ['gzip', gzipSync(json)],
  ['x-gzip', gzipSync(json)],
  ['GZIP', gzipSync(json)],
  ['deflate', deflateSync(json)],
  ['br', brotliCompressSync(json)],
  ['zstd', zstdCompressSync(json)]
]
const encoded = (coding: string, body: Buffer): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/json', 'content-encoding': coding },
  body
})
const text = async (body: AsyncIterable<Buffer>) => Buffer.concat(await Array.fromAsync(body)).toString()

t.test('a byte order mark before JSON is no part of it', async t => {
  const stub = await openStub({ status: 200, body: Buffer.from('\ufeff{"ok":true}') })
  const maton = createMaton({ ...account, baseUrl: stub.url })
  const passthrough = createPassthrough({ ...account, baseUrl: stub.url, controlUrl: stub.url })
  t.teardown(() => Promise.all([maton.close(), passthrough.close(), stub.close()]))
  t.strictSame((await maton.request('wati', 'c', read)).body, { ok: true })
  t.strictSame((await passthrough.control({ method: 'GET', target: '/connections' })).body, { ok: true })
})

t.test('an answer that is compressed all the same is read', async t => {
  let answer: Answer
  const stub = await openStub(() => answer)
  const maton = createMaton({ ...account, baseUrl: stub.url })
  const passthrough = createPassthrough({ ...account, baseUrl: stub.url, controlUrl: stub.url })
  t.teardown(() => Promise.all([maton.close(), passthrough.close(), stub.close()]))
  for (const [coding, body] of compressed) {
    answer = encoded(coding, body)
    const known = { ok: true, word: 'ü', key: '[redacted]' }
    t.strictSame((await maton.request('wati', 'c', read)).body, known, coding)
    t.strictSame((await passthrough.control({ method: 'GET', target: '/c' })).body, known, coding)
    const stream = await maton.stream('wati', 'c', read)
    t.strictSame([stream.headers['content-encoding'], stream.headers['content-length']], [undefined, undefined])
    t.equal(await text(stream.body), json.toString())
    const passed = await passthrough.send('wati', 'c', { method: 'GET', target: '/c', headers: {} })
    t.equal(passed.headers['content-encoding'], undefined)
    t.equal(
      await text(passed.body),
      json.toString().replace(apiKey, '*'.repeat(apiKey.length)),
      'our key is seen in it'
    )
  }
  answer = encoded('identity', json)
  t.match((await maton.request('wati', 'c', read)).body, { ok: true })
  answer = { ...encoded('gzip', gzipSync(json)), status: 400 }
  t.match(await maton.request('wati', 'c', read).catch((error: unknown) => error), { status: 400, body: { ok: true } })
})

t.test('what cannot be decoded, or is too long then, cannot be read', async t => {
  const bomb = gzipSync(Buffer.alloc(300 * 1024 * 1024))
  let answer: Answer
  const stub = await openStub(() => answer)
  const maton = createMaton({ ...account, timeoutMs: 20_000, baseUrl: stub.url })
  t.teardown(() => Promise.all([maton.close(), stub.close()]))
  for (const body of [bomb, gzipSync(json).subarray(0, 20), Buffer.from('not gzip')]) {
    answer = encoded('gzip', body)
    const before = process.memoryUsage().rss
    t.match(await maton.request('wati', 'c', read).catch((error: unknown) => error), {
      kind: 'unreadable',
      started: true
    })
    const stream = await maton.stream('wati', 'c', read)
    let size = 0
    const failure = await (async () => {
      for await (const chunk of stream.body as AsyncIterable<Buffer>) size += chunk.length
    })().catch((error: unknown) => error)
    t.ok(failure instanceof UpstreamFailure)
    t.match(failure, { kind: 'unreadable' })
    t.ok(size <= 256 * 1024 * 1024)
    t.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024, 'it is never held whole')
  }
})

t.test('a link’s bytes are decoded too, and its size is that of what comes of it', async t => {
  const { directory, left } = await spoolDirectory(t)
  const bodies: Record<string, Buffer> = {
    '/png': gzipSync(PNG),
    '/bomb': gzipSync(Buffer.alloc(10_000_000)),
    '/bad': PNG
  }
  const { get } = await site(t, directory, ({ url }, response) =>
    response.writeHead(200, { 'content-type': 'image/png', 'content-encoding': 'gzip' }).end(bodies[url!])
  )
  const file = await get('/png')
  t.strictSame(await readFile(file.path), PNG)
  await file.remove()
  await t.rejects(get('/bomb'), { code: 'too_large' })
  await t.rejects(get('/bad'), { code: 'unreachable', message: /Z_DATA_ERROR/ })
  t.strictSame(await left(), [])
})

t.test('a name whose IPv6 leads nowhere is reached by IPv4 within the connect deadline', async t => {
  const { timeout, autoSelectFamilyAttemptTimeout: attempt } = poolOptions.connect
  t.ok(attempt >= 1000, 'a handshake over a slow line has its time')
  t.ok(attempt * 2 < timeout, 'and another address has it after one that never answers')
  const server = createServer((_, response) => response.end('{}'))
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const lookup = (_: string, __: object, done: (error: null, all: object[]) => void) =>
    done(null, [
      { address: '100::1', family: 6 },
      { address: '127.0.0.1', family: 4 }
    ])
  const connect = { ...poolOptions.connect, lookup: lookup as never }
  const pool = new Pool(`http://name.example:${port}`, { ...poolOptions, connect })
  t.teardown(() => Promise.all([pool.destroy(), server.close()]))
  const answer = await pool.request({ method: 'GET', path: '/' })
  t.equal(answer.statusCode, 200)
  await answer.body.dump()
})
