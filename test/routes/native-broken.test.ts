import { once } from 'node:events'
import { createServer, request as open } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { nativeLimit } from '../../src/dispatch/native.ts'
import { adminKey, startBoard, until } from '../helper.ts'
import { raw } from '../raw.ts'
import { openSocketServer } from '../upstream/stub.ts'

const bearer = { authorization: `Bearer ${adminKey}` }
const path = '/channels/wati/native/api/v1/x'

t.test('an answer that ends before its first byte is a problem, without what it had announced', async t => {
  const head =
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\nContent-Disposition: inline\r\nContent-Type: text/csv\r\n\r\n'
  const { port, close } = await openSocketServer({ data: socket => socket.end(head) })
  t.teardown(close)
  const board = await startBoard(t, { env: { MATON_BASE_URL: `http://127.0.0.1:${port}` } })
  for (const [method, status, code] of [
    ['GET', 503, 'provider_unavailable'],
    ['POST', 504, 'outcome_unknown']
  ] as const) {
    const answer = await raw(board.url, method, path, { headers: bearer, ...(method === 'POST' && { body: '{}' }) })
    t.equal(answer.status, status)
    t.match(JSON.parse(answer.bytes.toString()), { code, status })
    t.match(answer.headers['content-type'], /^application\/problem\+json/)
    for (const name of ['content-encoding', 'content-disposition']) t.notOk(answer.headers[name], name)
  }
})

t.test('a body over 100 MB that did not say so is cut off, and never arrives whole', async t => {
  let whole = 0
  let bytes = 0
  const server = createServer((request, response) => {
    request.on('data', chunk => {
      bytes += chunk.length
    })
    request.on('error', () => {})
    request.on('end', () => {
      whole++
      response.end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const board = await startBoard(t, { env: { MATON_BASE_URL: url } })
  const chunked = { ...bearer, 'transfer-encoding': 'chunked' }
  const answer = await raw(board.url, 'POST', path, { headers: chunked, body: Buffer.alloc(nativeLimit + 1) }).catch(
    () => undefined
  )
  // Whether its answer outruns the rest of the body is a matter of sockets.
  if (answer) t.match(answer, { status: 413 })
  t.equal(whole, 0)
  t.ok(bytes <= nativeLimit)
  const most = await raw(board.url, 'POST', path, { headers: chunked, body: Buffer.alloc(nativeLimit) })
  t.equal(most.status, 200, 'CONTROL: the largest passes')
  t.equal(whole, 1)
})

t.test('a caller that goes away takes its call along, and nothing of it is an error of ours', async t => {
  let gone = 0
  let posts = 0
  const server = createServer((request, response) => {
    request.resume().on('error', () => {})
    response.on('close', () => gone++)
    if (request.method === 'GET') response.write('x')
    else posts++
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const board = await startBoard(t, { env: { MATON_BASE_URL: url, UPSTREAM_TIMEOUT_MS: '60000' } })
  const reader = open(board.url + path, { headers: bearer }).on('error', () => {})
  reader.end()
  const [answer] = await once(reader, 'response')
  answer.on('error', () => {})
  await once(answer, 'data')
  reader.destroy()
  await until(
    async () => gone,
    count => count === 1
  )
  const writer = open(board.url + path, { method: 'POST', headers: bearer }).on('error', () => {})
  writer.write('half of a body')
  await until(
    async () => posts,
    count => count === 1
  )
  writer.destroy()
  await until(
    async () => gone,
    count => count === 2
  )
  t.equal((await board.call('GET', '/livez', { key: '' })).status, 200)
  t.notMatch(board.log.join('\n'), /an error that nobody expected/)
})
