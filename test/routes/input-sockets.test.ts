import t from 'tap'
import { startBoard } from '../helper.ts'
import { auth, head, inner, statuses, talk } from './talk.ts'

// What no HTTP client would send, over bare sockets.

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
