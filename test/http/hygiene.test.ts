import t from 'tap'
import { document as openapi } from '../document.ts'
import { adminKey, startBoard } from '../helper.ts'
import { exchange } from '../raw.ts'

const document = openapi as { paths: Record<string, Record<string, { security?: object[] }>> }
const operations = Object.entries<Record<string, { security?: object[] }>>(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).flatMap(([method, { security }]) =>
    /^(get|post|put|patch|delete)$/.test(method)
      ? [{ method: method.toUpperCase(), path: path.replace(/\{\w+\}/g, 'x'), open: security?.length === 0 }]
      : []
  )
)

t.test('every answer forbids guessing its type, and what a key is needed for is kept by no cache', async t => {
  const board = await startBoard(t)
  const key = await board.key()
  const sent = await board.call('POST', '/messages', {
    key,
    body: { channel: 'cloud', to: '+14155551234', type: 'text', text: { body: 'x' } }
  })
  const read = [
    '/messages',
    `/messages/${sent.body.id}`,
    '/keys',
    '/contacts?channel=wati',
    '/livez',
    '/openapi.json',
    '/errors'
  ]
  const found = read.map(path => ({ method: 'GET', path, open: /^.(livez|openapi|errors)/.test(path) }))
  t.ok(operations.length > 60 && operations.some(({ open }) => open), `${operations.length} operations`)
  for (const { method, path, open } of [...operations, ...found])
    for (const as of [adminKey, '']) {
      if (path.endsWith('}/events') && as !== '') continue
      const { status, headers } = await board.call(method, path, { key: as, headers: { prefer: 'wait=0' } })
      t.equal(headers['x-content-type-options'], 'nosniff', `${method} ${path}: ${status}`)
      if (!open) t.equal(headers['cache-control'], 'no-store', `${method} ${path}: ${status}`)
    }
  t.equal((await board.call('GET', found[1]!.path)).status, 200)
})

t.test('whatever there is not is a problem, under /docs too', async t => {
  const { url, call } = await startBoard(t)
  t.equal((await call('GET', '/docs/', { key: '' })).status, 200)
  const strange = [
    '/docs/nothing',
    '/docs/static/nothing.js',
    '/docs/%2e%2e/%2e%2e/package.json',
    '/docs/static/../../x',
    '/docs/%zz'
  ]
  for (const path of strange) {
    const { status, headers, text } = await exchange(url, `GET ${path} HTTP/1.1\r\nHost: x\r\n`)
    t.match(headers, /^content-type: application\/problem\+json/im, path)
    t.match(headers, /^x-content-type-options: nosniff/im, path)
    t.match(
      JSON.parse(text),
      { status, code: status === 404 ? 'not_found' : 'invalid_request', requestId: /^req_/ },
      path
    )
  }
})

t.test('two hosts are a 400, whatever they are', async t => {
  const { url } = await startBoard(t)
  const say = (headers: string) => exchange(url, `GET /livez HTTP/1.1\r\n${headers}`)
  for (const headers of ['Host: a\r\nHost: b\r\n', 'Host: a\r\nhost: a\r\n', 'HOST: a\r\nX: y\r\nHost:\r\n']) {
    const { status, text } = await say(headers)
    t.equal(status, 400, headers)
    t.match(JSON.parse(text), {
      code: 'invalid_request',
      errors: [{ path: 'header/Host', message: 'must be given once' }]
    })
  }
  t.equal((await say('Host: a\r\nX-Host: b\r\nAccept: a\r\nAccept: b\r\n')).status, 200, 'CONTROL: one is not')
})
