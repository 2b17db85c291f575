import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { request } from 'undici'
import { parse } from 'yaml'
import { startBoard } from '../helper.ts'

// docs/reliability.md P49: what is the same for everybody is made once; a stranger who asks for it costs a look-up.

const file = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')
const paths = [
  ...['/openapi.yaml', '/openapi.json', '/errors', '/docs/', '/docs/json', '/docs/yaml'],
  ...['swagger-ui-bundle.js', 'swagger-ui.css', 'swagger-initializer.js', 'theme/theme.css'].map(
    name => `/docs/static/${name}`
  )
]

/** Processor time of this process in milliseconds, all of its threads. */
const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

t.test('documents are whole, compressed for those who take it, and a 304 for those who have them', async t => {
  const { url } = await startBoard(t)
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const { statusCode, headers: had, body } = await request(url + path, { headers })
    return { status: statusCode, headers: had, bytes: Buffer.from(await body.arrayBuffer()) }
  }
  for (const path of paths) {
    const whole = await get(path)
    t.equal(whole.status, 200, path)
    t.match(whole.headers, { etag: /^W\/"[\w-]{27}"$/, 'cache-control': 'no-cache', vary: 'accept-encoding' }, path)
    const small = await get(path, { 'accept-encoding': 'br, gzip;q=0.9' })
    t.equal(small.headers['content-encoding'], 'gzip', path)
    t.ok(gunzipSync(small.bytes).equals(whole.bytes), path)
    for (const none of ['identity', 'gzip;q=0', 'br'])
      t.equal((await get(path, { 'accept-encoding': none })).headers['content-encoding'], undefined, none)
    const etag = String(whole.headers.etag)
    for (const had of [etag, `"other", ${etag}`, etag.slice(2), '*']) {
      const again = await get(path, { 'if-none-match': had })
      t.strictSame([again.status, again.bytes.length], [304, 0], `${path} ${had}`)
    }
    t.equal((await get(path, { 'if-none-match': '"other"' })).status, 200)
    const head = await request(url + path, { method: 'HEAD' })
    await head.body.dump()
    t.equal(Number(head.headers['content-length']), whole.bytes.length)
  }
  t.equal((await get('/openapi.yaml')).bytes.toString(), file, 'byte for byte')
  t.strictSame(JSON.parse(String((await get('/openapi.json')).bytes)), parse(file))
  t.strictSame(Object.keys(JSON.parse(String((await get('/docs/json')).bytes)).paths), Object.keys(parse(file).paths))
  t.match((await get('/docs/')).headers['content-security-policy'], "script-src 'self';")
})

t.test('a document costs no more than any short answer, however often strangers ask for it', async t => {
  const { url } = await startBoard(t)
  const ask = async (path: string) => {
    const { body } = await request(url + path, { headers: { 'accept-encoding': 'gzip' } })
    await body.dump({ limit: 10_000_000 })
  }
  const costOf = async (path: string): Promise<number> => {
    await ask(path)
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < 3; i++) {
      const before = cpuMs()
      for (let n = 0; n < 20; n++) await ask(path)
      least = Math.min(least, (cpuMs() - before) / 20)
    }
    return least
  }
  const short = await costOf('/livez')
  for (const path of [...paths, '/docs/nothing']) {
    const cost = await costOf(path)
    // Client and server run in this process: the bytes are counted twice. To read the document takes hundreds.
    t.ok(cost < 10 * short + 10, `${path}: ${cost.toFixed(1)} ms, /livez: ${short.toFixed(1)} ms`)
  }
  const before = cpuMs()
  JSON.stringify(parse(file))
  t.ok(cpuMs() - before > 10 * short + 10, 'CONTROL: made each time, it would be seen')
})

t.test('while the documents are made for the first time, others are answered', async t => {
  const { url } = await startBoard(t)
  const order: string[] = []
  const ask = async (path: string) => {
    const { body } = await request(url + path)
    await body.dump({ limit: 10_000_000 })
    order.push(path)
  }
  await Promise.all([ask('/openapi.json'), ...Array.from({ length: 20 }, () => ask('/livez'))])
  t.equal(order.at(-1), '/openapi.json', 'in a thread of its own')
})
