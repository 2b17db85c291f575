import { connect } from 'node:net'
import multipart from '@fastify/multipart'
import Fastify from 'fastify'
import t from 'tap'
import { StoreUnavailable } from '../../src/store/store.ts'
import { adminKey, startBoard } from '../helper.ts'

// docs/reliability.md T28, T29: whatever of a body was refused, the next request on its connection is answered.

const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
const crlf = '\r\n'
const auth = `Authorization: Bearer ${adminKey}${crlf}`
const long = 'x'.repeat(1_000_000)
const next = `GET /channels HTTP/1.1${crlf}Host: x${crlf}${auth}${crlf}`

/** Says it all at once, and listens until so many answers have come or the server hangs up. */
function talk(url: string, pieces: string[], answers: number): Promise<{ text: string; closed: boolean }> {
  return new Promise(resolve => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    let text = ''
    const end = (closed: boolean) => {
      socket.destroy()
      resolve({ text, closed })
    }
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
      // The last answer is not cut in two: each of them fits into a packet.
      if (statuses(text).length >= answers) end(false)
    })
    socket.on('error', () => {})
    socket.on('close', () => end(true))
    for (const piece of pieces) socket.write(piece)
  })
}

const field = (name: string, value: string) =>
  `--b${crlf}Content-Disposition: form-data; name="${name}"${crlf}${crlf}${value}${crlf}`
const fileOf = (name: string, value = long) =>
  `--b${crlf}Content-Disposition: form-data; name="${name}"; filename="a.txt"${crlf}Content-Type: text/plain${crlf}${crlf}${value}${crlf}`
const form = (path: string, parts: string, head = auth) => {
  const body = `${parts}--b--${crlf}`
  return `POST ${path} HTTP/1.1${crlf}Host: x${crlf}${head}Content-Type: multipart/form-data; boundary=b${crlf}Content-Length: ${body.length}${crlf}${crlf}${body}`
}
const plain = (path: string, type: string, body: string, head = auth) =>
  `POST ${path} HTTP/1.1${crlf}Host: x${crlf}${head}Content-Type: ${type}${crlf}Content-Length: ${body.length}${crlf}${crlf}${body}`
const chunked = (path: string, type: string, body: string) =>
  `POST ${path} HTTP/1.1${crlf}Host: x${crlf}${auth}Content-Type: ${type}${crlf}Transfer-Encoding: chunked${crlf}${crlf}${body.length.toString(16)}${crlf}${body}${crlf}0${crlf}${crlf}`
const tooLong = 'x'.repeat(6_000_000)
const broken = field('channel', 'cloud').replace('form-data', 'x')

/** Every way to be refused before the body is read to its end. */
const refusals: [name: string, request: string, status: number][] = [
  ['an unknown channel', form('/media', field('channel', 'nowhere') + fileOf('file')), 404],
  ['an unknown field', form('/media', field('chanel', 'cloud') + fileOf('file')), 400],
  ['the file before the channel', form('/media', fileOf('file') + field('channel', 'cloud')), 400],
  ['a wrong name of the file', form('/media', field('channel', 'cloud') + fileOf('datei')), 400],
  ['a field twice', form('/media', field('channel', 'cloud') + field('channel', 'cloud') + fileOf('file')), 400],
  ['a name of a prototype', form('/media', field('__proto__', 'x') + fileOf('file')), 400],
  ['a file of such a name', form('/media', fileOf('constructor')), 400],
  ['a long field', form('/media', field('channel', long)), 400],
  ['many fields', form('/media', field('a', 'b').repeat(30_000)), 400],
  ['something behind the file', form('/media', field('channel', 'cloud') + fileOf('file', 'x') + fileOf('other')), 400],
  ['broken parts', form('/media', broken + fileOf('file')), 400],
  ['no boundary', form('/media', fileOf('file')).replace('; boundary=b', ''), 400],
  ['a broken query', form('/media?a=b', field('channel', 'cloud') + fileOf('file')), 400],
  ['a wrong type', plain('/media', 'text/plain', long), 415],
  [
    'a broken key of idempotency',
    form('/media', field('channel', 'cloud') + fileOf('file'), `${auth}Idempotency-Key: ${'x'.repeat(300)}${crlf}`),
    400
  ],
  ['a wrong template', form('/broadcasts', field('name', 'x') + field('template', '{') + fileOf('file')), 400],
  ['a missing member', form('/broadcasts', field('name', 'x') + fileOf('file')), 400],
  ['an unknown member', form('/broadcasts', field('nme', 'x') + fileOf('file')), 400],
  ['the file before the members', form('/broadcasts', fileOf('file') + field('name', 'x')), 400],
  ['an unknown channel of a table', plain('/contacts.csv?channel=nowhere', 'text/csv', `phone\n${long}`), 404],
  ['a wrong type of a table', plain('/contacts.csv?channel=wati', 'text/plain', long), 415],
  ['a body that is too large', plain('/messages', 'application/json', tooLong), 413],
  ['one whose length nobody told', chunked('/messages', 'application/json', tooLong), 413],
  ['a path that is not there', plain('/nowhere', 'application/json', long), 404],
  ['a method that is not there', plain('/livez', 'application/json', long), 405],
  ['an unknown channel of native', plain('/channels/nowhere/native/x', 'text/plain', long), 404],
  ['nobody’s key', form('/media', field('channel', 'cloud') + fileOf('file'), 'Authorization: Bearer sk_no\r\n'), 401],
  ['no key', form('/media', field('channel', 'cloud') + fileOf('file'), ''), 401]
]

t.test('after a refused upload the next request on its connection is answered', async t => {
  const board = await startBoard(t)
  for (const [name, request, status] of refusals) {
    const { text, closed } = await talk(board.url, [request, next], 2)
    t.strictSame([closed, statuses(text)], [false, [status, 200]], name)
  }
  const { media } = board.board.app
  const { receive } = media
  media.receive = async bytes => {
    for await (const _ of bytes) throw new StoreUnavailable('full')
    throw new Error('unreachable')
  }
  const { text } = await talk(board.url, [form('/media', field('channel', 'cloud') + fileOf('file')), next], 2)
  media.receive = receive
  t.strictSame(statuses(text), [503, 200], 'a full disk')
  const taken = await talk(board.url, [form('/media', field('channel', 'cloud') + fileOf('file')), next], 2)
  t.strictSame(statuses(taken.text), [201, 200], 'CONTROL: one that is taken')
})

t.test('CONTROL: with the parser of forms alone the next request hangs', async t => {
  const app = Fastify()
  await app.register(multipart)
  app.post('/media', async request => {
    for await (const part of request.parts()) throw Object.assign(new Error(part.type), { statusCode: 400 })
  })
  app.get('/channels', async () => 'never')
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const both = talk(url, [form('/media', field('channel', 'cloud') + fileOf('file')), next], 2)
  const waited = new Promise<'waited'>(resolve => setTimeout(() => resolve('waited'), 1000))
  t.equal(await Promise.race([both, waited]), 'waited')
  app.server.closeAllConnections()
  t.strictSame(statuses((await both).text), [400])
})

t.test('Expect: 100-continue is answered when the key was looked at', async t => {
  const board = await startBoard(t)
  const body = `${field('channel', 'cloud')}${fileOf('file', 'Hello')}--b--${crlf}`
  const head = (key: string, path = '/media') =>
    `POST ${path} HTTP/1.1${crlf}Host: x${crlf}${key}Content-Type: multipart/form-data; boundary=b${crlf}Content-Length: ${body.length}${crlf}Expect: 100-continue${crlf}${crlf}`
  for (const [name, request, status] of [
    ['a stranger', head(''), 401],
    ['a wrong key', head('Authorization: Bearer sk_no\r\n'), 401],
    ['a path that is not there', head(auth, '/nowhere'), 404]
  ] as const) {
    const { text, closed } = await talk(board.url, [request], 9)
    t.strictSame([closed, statuses(text)], [true, [status]], `${name}: told, and hung up`)
    t.match(text, /^connection: close/im, name)
  }
  const scopeless = await board.key({ scopes: ['messages:read'] })
  t.strictSame(statuses((await talk(board.url, [head(`Authorization: Bearer ${scopeless}${crlf}`)], 9)).text), [403])
  const asked = await talk(board.url, [head(auth)], 1)
  t.strictSame(statuses(asked.text), [100], 'a caller is asked to go on')
  const whole = await talk(board.url, [head(auth) + body], 2)
  t.strictSame(statuses(whole.text), [100, 201])
  const json = JSON.stringify({ channel: 'cloud', to: '+14155551234', type: 'text', text: { body: 'x' } })
  const message = plain('/messages', 'application/json', json, `${auth}Expect: 100-continue${crlf}`)
  t.strictSame(statuses((await talk(board.url, [message], 2)).text), [100, 201], 'a message too')
})
