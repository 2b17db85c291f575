import { connect } from 'node:net'
import t from 'tap'
import { adminKey, type Board, startBoard } from '../helper.ts'

// What no HTTP client would send, over bare sockets; and clients that never finish.

interface Talk {
  text: string
  /** When the server hung up. */
  ms: number
}
/** Says the pieces, one a step of `everyMs`, and listens until the server hangs up (or `done` is answered). */
function talk(
  board: Board,
  pieces: (string | Buffer)[],
  { everyMs = 0, over = (_: string): boolean => false } = {}
): Promise<Talk> {
  return new Promise(resolve => {
    const begun = performance.now()
    const socket = connect(Number(new URL(board.url).port), '127.0.0.1')
    let text = ''
    const rest = [...pieces]
    const say = () => {
      const piece = rest.shift()
      if (piece !== undefined && socket.writable) socket.write(piece)
    }
    if (everyMs === 0) while (rest.length > 0) say()
    const timer = everyMs === 0 ? undefined : setInterval(say, everyMs)
    const end = () => {
      clearInterval(timer)
      socket.destroy()
      resolve({ text, ms: performance.now() - begun })
    }
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
      if (over(text)) end()
    })
    socket.on('error', () => {})
    socket.on('close', end)
  })
}
const statuses = (text: string) => [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
const message = JSON.stringify({ channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'smuggled' } })
const auth = `Authorization: Bearer ${adminKey}\r\n`
const inner = `POST /messages HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: application/json\r\nContent-Length: ${message.length}\r\n\r\n${message}`
const head = `POST /messages HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: application/json\r\n`

t.test('requests that two servers would read differently are refused whole (T30)', async t => {
  const board = await startBoard(t)
  const corpus: [name: string, bytes: string | Buffer][] = [
    [
      'Content-Length and Transfer-Encoding',
      `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`
    ],
    [
      'Transfer-Encoding and Content-Length',
      `${head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${inner}`
    ],
    ['two lengths', `${head}Content-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`],
    ['two equal lengths', `${head}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`],
    ['a list of lengths', `${head}Content-Length: 0, ${inner.length}\r\n\r\n${inner}`],
    ['a signed length', `${head}Content-Length: +0\r\n\r\n${inner}`],
    ['a negative length', `${head}Content-Length: -1\r\n\r\n${inner}`],
    ['a length in hex', `${head}Content-Length: 0x0\r\n\r\n${inner}`],
    ['a space before the colon', `${head}Content-Length : 0\r\n\r\n${inner}`],
    ['an unknown transfer encoding', `${head}Transfer-Encoding: xchunked\r\n\r\n${inner}`],
    ['chunked, then identity', `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${inner}`],
    ['chunked twice over', `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${inner}`],
    ['a folded header', `${head}X-A: b\r\n Content-Length: 0\r\n\r\n${inner}`],
    ['bare line feeds', `${head.replaceAll('\r\n', '\n')}Content-Length: 0\n\n${inner}`],
    ['a bare carriage return', `${head}X-A: b\rContent-Length: 0\r\n\r\n${inner}`],
    ['NUL in a header', `${head}X-A: a\0b\r\nContent-Length: 0\r\n\r\n${inner}`],
    ['a chunk of negative size', `${head}Transfer-Encoding: chunked\r\n\r\n-1\r\n${inner}`],
    ['a chunk beyond 64 bits', `${head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n${inner}`],
    ['a chunk without its end', `${head}Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n${inner}`],
    ['no Host', `POST /messages HTTP/1.1\r\n${auth}Content-Length: 0\r\n\r\n`],
    ['a space in the path', `GET /livez /x HTTP/1.1\r\nHost: x\r\n\r\n`],
    ['a version of its own', 'GET /livez HTTP/9.9\r\nHost: x\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex')],
    ['headers of 20 kB', `GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`]
  ]
  for (const [name, bytes] of corpus) {
    const { text } = await talk(board, [bytes])
    const all = statuses(text)
    t.ok(
      all.length === 1 && [400, 408, 431].includes(all[0]!),
      `${name}: ${all.join(', ') || 'no answer'}, and hung up`
    )
    if (text.includes('{')) {
      t.match(text, /content-type: application\/problem\+json/i, `${name}: a problem`)
      t.match(JSON.parse(text.slice(text.indexOf('{'))), {
        code: 'invalid_request',
        status: all[0],
        outcome: 'not_sent'
      })
    }
    t.notMatch(text, /smuggled|HPE_|llhttp/, `${name}: nothing of the inside`)
  }
  t.equal(board.sandbox.ledger.entries.length, 0, 'not one of the messages inside was sent')
  const { text } = await talk(board, [inner.replace('Host: x', 'Host: x\r\nConnection: close')])
  t.strictSame([statuses(text), board.sandbox.ledger.entries.length], [[201], 1], 'CONTROL: outside it is')
})

t.test('a client that never finishes is cut off, and one that is merely slow is not', async t => {
  const board = await startBoard(t)
  const drops = (text: string) => [...text]
  const form =
    '--b\r\nContent-Disposition: form-data; name="channel"\r\n\r\nwati\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
  const upload = (length: number) =>
    `POST /media HTTP/1.1\r\nHost: x\r\n${auth}Content-Type: multipart/form-data; boundary=b\r\nContent-Length: ${length}\r\n\r\n${form}`
  const letters = 'Hello, slow world of media files'
  const end = '\r\n--b--\r\n'
  const answered = (text: string) => statuses(text).length > 0
  const [headers, silent, body, stranger, uploader, idle, moving, patient] = await Promise.all([
    talk(board, ['GET /livez HTTP/1.1\r\nHost: x\r\n', ...drops('X-Slow: '.padEnd(60, 'a'))], { everyMs: 400 }),
    talk(board, ['']),
    talk(board, [`${head}Content-Length: 1000\r\n\r\n{`, ...drops(' '.repeat(60))], { everyMs: 400 }),
    talk(board, [`${head.replace(auth, '')}Content-Length: 1000\r\n\r\n{`, ...drops(' '.repeat(60))], { everyMs: 400 }),
    talk(board, [upload(100_000).replace(auth, ''), ...drops(' '.repeat(60))], { everyMs: 400 }),
    talk(board, [`${upload(100_000)}Hello`]),
    talk(board, [upload(form.length + letters.length + end.length), ...drops(letters), end], {
      everyMs: 370,
      over: answered
    }),
    talk(board, [`${head}Content-Length: ${message.length}\r\n\r\n`, ...(message.match(/.{1,12}/g) ?? [])], {
      everyMs: 300,
      over: answered
    })
  ])
  const took = (name: string, { ms }: Talk, from: number, to: number) =>
    t.ok(ms > from && ms < to, `${name}: cut after ${Math.round(ms)} ms`)
  took('headers that drip', headers, 4500, 12_000)
  t.strictSame(statuses(headers.text), [408])
  took('not a byte', silent, 4500, 12_000)
  took('a body that drips', body, 9500, 18_000)
  t.strictSame(statuses(body.text), [], 'a body: no answer, nobody listens')
  t.strictSame(statuses(stranger.text), [401], 'a stranger is told at once')
  took('and is cut off alike', stranger, 9500, 18_000)
  t.strictSame(statuses(uploader.text), [401], 'a stranger who uploads too')
  took('and however much he moves', uploader, 9500, 18_000)
  took('an upload that stands still', idle, 9500, 18_000)
  t.strictSame(statuses(moving.text), [201], `CONTROL: an upload that moves may take ${Math.round(moving.ms)} ms`)
  t.ok(moving.ms > 11_000)
  t.strictSame(statuses(patient.text), [201], 'CONTROL: a body in many pieces arrives')
})
