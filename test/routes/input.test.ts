import { gzipSync } from 'node:zlib'
import { Ajv } from 'ajv'
import t from 'tap'
import { namedSchemas } from '../../schemas/index.ts'
import { validation } from '../../src/http/validation.ts'
import { spentMs } from '../cost.ts'
import { adminKey, type Board, startBoard } from '../helper.ts'

const message = { channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'Hello' } }
const json = { 'content-type': 'application/json' }
const raw = (board: Board, body: string | Uint8Array, headers: Record<string, string> = json, path = '/messages') =>
  board.call('POST', path, { body, headers })
const sent = (board: Board) => board.sandbox.ledger.entries.length

t.test('what is no JSON of ours is a 400 that says so, and nothing is sent', async t => {
  const board = await startBoard(t)
  const with_ = (words: string) => JSON.stringify(message).replace('"Hello"', words)
  const deep = (open: string, close: string, inner = '') => open.repeat(100_000) + inner + close.repeat(100_000)
  const corpus: [name: string, body: string | Uint8Array][] = [
    ['nothing', ''],
    ['white space', ' '],
    ['half of it', '{"channel":"cloud"'],
    ['two of them', '{}{}'],
    ['single quotes', "{'channel':'cloud'}"],
    ['a comment', '{/* */}'],
    ['a trailing comma', '{"channel":"cloud",}'],
    ['NaN', '{"channel":NaN}'],
    ['a raw NUL', with_('"a\0b"')],
    ['a raw line feed', with_('"a\nb"')],
    ['a byte order mark alone', '\ufeff'],
    ['__proto__', '{"__proto__":{"admin":true}}'],
    ['__proto__ inside', with_('"Hello","__proto__":{"x":1}')],
    ['__proto__ escaped', '{"\\u005f_proto__":{"admin":true}}'],
    ['__proto__ in metadata', JSON.stringify(message).replace('{', '{"metadata":{"__proto__":"x"},')],
    ['constructor.prototype', '{"constructor":{"prototype":{"admin":true}}}'],
    ['constructor.prototype escaped', '{"constr\\u0075ctor":{"prototype":{"admin":true}}}'],
    ['an escaped NUL', with_('"a\\u0000b"')],
    ['an escaped NUL in a name', JSON.stringify(message).replace('{', '{"metadata":{"a\\u0000":"x"},')],
    ['a lone high surrogate', with_('"\\ud800"')],
    ['a lone low surrogate', with_('"\\udc00 x"')],
    ['surrogates in the wrong order', with_('"\\udc00\\ud800"')],
    ['a lone surrogate in a name', JSON.stringify(message).replace('{', '{"metadata":{"\\ud800":"x"},')],
    [
      'a lone surrogate in a list',
      '{"type":"template","to":"14155551234","template":{"name":"x","variables":["\\ud800"]}}'
    ],
    ['invalid UTF-8', Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])],
    ['an overlong slash', Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')])],
    [
      'a surrogate in UTF-8',
      Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')])
    ],
    ['UTF-16', Buffer.from(JSON.stringify(message), 'utf16le')],
    ['100,000 lists', deep('[', ']')],
    ['100,000 lists with an escape in them', deep('[', ']', '"\\u0041"')],
    ['100,000 objects', deep('{"a":', '}', '1').slice(0, 262_000)],
    ['100,000 lists where text should be', with_(deep('[', ']'))],
    ['a number beyond all bounds', with_('1e999999')],
    [
      '20,000 unknown fields',
      JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`f${i}`, 1])))
    ],
    ['a name of 200 kB', JSON.stringify({ ['x'.repeat(200_000)]: 1 })]
  ]
  for (const [name, body] of corpus) {
    const ms = await spentMs(async () => {
      const answer = await raw(board, body)
      t.equal(answer.status, 400, name)
      t.match(answer.body, { code: 'invalid_request', outcome: 'not_sent', errors: [{}] }, name)
    })
    t.ok(ms < 2000, `${name}: ${ms} ms of the processor`)
  }
  t.equal(sent(board), 0, 'nothing was sent')
  t.equal(({} as { admin?: boolean }).admin, undefined, 'no prototype was touched')
  for (const words of ['"\\ud83d\\ude00"', '"\\u00e9 😀 \\\\u0000"', '"constructor"'])
    t.equal((await raw(board, with_(words))).status, 201, `CONTROL: ${words}`)
  const odd = { ...message, metadata: { constructor: 'x', prototype: 'y', toString: 'z' } }
  const answer = await board.call('POST', '/messages', { body: odd })
  t.strictSame([answer.status, answer.body.metadata], [201, odd.metadata], 'names that only look dangerous are taken')
  t.equal(
    (await raw(board, `\ufeff${JSON.stringify(message)}`)).status === 500,
    false,
    'a byte order mark is no defect'
  )
})

t.test('bodies end at 256 KiB, to the byte', async t => {
  const board = await startBoard(t)
  const padded = (length: number) => JSON.stringify(message).padEnd(length, ' ')
  t.equal((await raw(board, padded(262_143))).status, 201)
  t.equal((await raw(board, padded(262_144))).status, 201)
  const over = await raw(board, padded(262_145))
  t.equal(over.status, 413)
  t.match(over.body, { code: 'payload_too_large', outcome: 'not_sent' })
  t.equal((await raw(board, padded(5_000_000))).status, 413)
  t.equal(sent(board), 2)
})

t.test('only the content types of the contract are taken, and nothing packed', async t => {
  const board = await startBoard(t)
  const body = JSON.stringify(message)
  for (const type of [
    'text/plain',
    'application/xml',
    'text/json',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'application/json5',
    'application/jsonx',
    'x',
    '*/*'
  ]) {
    const answer = await raw(board, body, { 'content-type': type })
    t.equal(answer.status, 415, type)
    t.equal(answer.body.code, 'unsupported_media_type')
  }
  t.equal((await raw(board, body, {})).status, 415, 'no content type')
  t.equal((await raw(board, body, { 'content-type': 'multipart/form-data; boundary=x' })).status < 500, true)
  for (const encoding of ['gzip', 'br', 'deflate', 'identity, gzip', 'x'])
    t.equal((await raw(board, gzipSync(body), { ...json, 'content-encoding': encoding })).status, 415, encoding)
  t.equal(sent(board), 0, 'nothing was sent')
  for (const type of ['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/json;charset=UTF-8'])
    t.equal((await raw(board, body, { 'content-type': type })).status, 201, `CONTROL: ${type}`)
  t.equal((await raw(board, body, { ...json, 'content-encoding': 'identity' })).status, 201)
})

t.test('paths, methods and query strings that are not of the contract', async t => {
  const board = await startBoard(t)
  const get = (path: string) => board.call('GET', path)
  for (const path of [
    '/messages/%zz',
    '/messages/%',
    '/messages/%c3%28',
    '/keys/%00',
    '/messages/%2e%2e%2f',
    '/messages/..%2f..%2fetc',
    '/media/%0d%0aX-Evil:1',
    `/messages/${'a'.repeat(10_000)}`,
    `/channels/${'%41'.repeat(3000)}`,
    `/keys/${'a'.repeat(12_500)}`,
    '/channels/UPPER',
    '/messages/msg_',
    "/messages/msg_' or 1=1--"
  ]) {
    const answer = await get(path.replaceAll(' ', '%20'))
    t.equal(answer.status, 400, path.slice(0, 40))
    t.equal(answer.body.code, 'invalid_request')
    t.ok(answer.headers['x-request-id'], 'with its request id')
  }
  for (const path of [
    '/nowhere',
    '/messages/',
    '//messages',
    '/Messages',
    '/messages/a/b',
    '/.env',
    '/admin',
    '/keys/self/x',
    '/%6dessages/%2e'
  ])
    t.match((await get(path)).status, /^40[04]$/, path)
  for (const path of [
    '/keys?x=1',
    '/keys/self?x=1',
    '/channels?constructor=1',
    '/livez?x=1',
    '/metrics?x=1',
    '/messages?__proto__=1',
    '/messages?reference=%00',
    '/messages?reference=%ED%A0%80',
    '/messages?reference=%zz',
    '/messages?channel[]=cloud',
    '/messages?channel=cloud&channel=wati',
    '/messages?limit=1%00'
  ])
    t.equal((await get(path)).status, 400, path)
  for (const [method, path] of [
    ['POST', '/messages?x=1'],
    ['DELETE', '/keys/key_0?dryRun=true'],
    ['PATCH', '/channels/cloud?x=1'],
    ['DELETE', '/channels/cloud?x=1'],
    ['POST', '/media?x=1']
  ] as const)
    t.equal(
      (await board.call(method, path, method === 'DELETE' ? {} : { body: message })).status,
      path.startsWith('/media') ? 400 : 400,
      `${method} ${path}`
    )

  for (const [path, allow] of [
    ['/messages', 'POST, GET, HEAD'],
    ['/messages/x/cancel', 'POST'],
    ['/keys/self', 'GET, HEAD'],
    ['/livez', 'GET, HEAD'],
    ['/openapi.yaml', 'GET, HEAD'],
    ['/docs/', 'GET, HEAD'],
    ['/media', 'POST']
  ] as const) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].filter(
      each => !allow.split(', ').includes(each)
    )) {
      const answer = await board.call(method, path, {
        key: '',
        headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' }
      })
      t.equal(answer.status, 405, `${method} ${path}`)
      t.equal(answer.headers.allow, allow, `${method} ${path}`)
      if (method !== 'HEAD') t.equal(answer.body.code, 'method_not_allowed')
      t.strictSame(
        Object.keys(answer.headers).filter(name => name.startsWith('access-control')),
        [],
        'no CORS (T50)'
      )
    }
  }
  const head = await board.call('HEAD', '/messages')
  t.strictSame([head.status, head.text], [200, ''], 'HEAD is GET without its body')
  t.equal((await board.call('HEAD', '/messages', { key: '' })).status, 401, 'and asks for a key alike')
  t.equal(sent(board), 0)
})

t.test('twice the same header is not two chances', async t => {
  const board = await startBoard(t)
  const twice = async (name: string, ...values: string[]) => {
    const { request } = await import('undici')
    const answer = await request(`${board.url}/messages`, {
      method: 'POST',
      headers: [
        'content-type',
        'application/json',
        ...(name === 'authorization' ? [] : ['authorization', `Bearer ${adminKey}`]),
        ...values.flatMap(value => [name, value])
      ],
      body: JSON.stringify(message)
    })
    await answer.body.dump()
    return answer.statusCode
  }
  t.equal(await twice('idempotency-key', 'a', 'b'), 201, 'joined by a comma, and so a key of its own')
  t.equal(await twice('authorization', 'Bearer wrong', `Bearer ${adminKey}`), 401, 'the first one counts')
  t.equal(await twice('x-request-id', 'a', 'b'), 201)
  t.equal(await twice('traceparent', 'a', 'b'), 201)
})

t.test('POSITIVE CONTROL: Fastify’s own validator would let a misspelt and a mistyped field pass', async t => {
  const schema = { $ref: 'SendMessage#' }
  const body = () => ({ ...message, text: { body: 7 }, refrence: 'x' })
  const ours = validation(
    namedSchemas,
    []
  )({
    schema: schema as never,
    httpPart: 'body',
    method: 'POST',
    url: '/'
  } as never)
  t.equal((ours as (data: unknown) => boolean)(body()), false)
  const theirs = new Ajv({
    coerceTypes: 'array',
    useDefaults: true,
    removeAdditional: true,
    allErrors: false,
    discriminator: true,
    strict: false,
    validateFormats: false,
    schemas: namedSchemas.map(each => ({ ...each }))
  }).compile(schema)
  const passed = body() as Record<string, unknown>
  t.equal(theirs(passed), true, 'taken')
  t.strictSame(passed.text, { body: '7' }, 'coerced')
  t.notOk('refrence' in passed, 'dropped in silence')
})
