import t from 'tap'
import { nativePath, nativeQuery } from '../../src/dispatch/native.ts'
import { adminKey, startBoard } from '../helper.ts'
import { raw } from '../raw.ts'
import { openStub } from '../upstream/stub.ts'

const headers = { authorization: `Bearer ${adminKey}` }

/** Ways out of a path, and what must not be in one: as they are, and with a good path before or behind. */
const climbs = [
  '..',
  '.',
  '...',
  '%2e%2e',
  '%2E%2e',
  '.%2e',
  '%2e.',
  '%2e',
  '..%2f',
  '..%2F..',
  '%2e%2e%2f',
  '%2f',
  '%2F%2F',
  '..%5c',
  '..\\',
  '\\',
  '%5c',
  '%5C%5C',
  '%252e%252e',
  '%252f',
  '%25252e',
  '%25',
  '..;',
  '..;a=b',
  ';',
  '%3b',
  '..%3b',
  '%00',
  '..%00',
  'a%00b',
  '%0d%0a',
  '%0d',
  '%0a',
  'a%0d%0aX-Evil:%201',
  '%09',
  '%7f',
  '%1b',
  '%c0%ae%c0%ae',
  '%c0%af',
  '%e0%80%ae',
  '%ff',
  '%uff0e%uff0e',
  '%zz',
  '%',
  '%2',
  '%ef%bc%8e%ef%bc%8e',
  '%e3%80%82',
  '%e2%88%95',
  '%ef%bc%8f',
  '%ef%bb%bf',
  '%e2%80%ae',
  '%c2%85',
  '%ed%a0%80',
  '%3f',
  '%23',
  '%3a',
  ':',
  '%5b',
  '|',
  '^',
  '"',
  '<',
  '>',
  '`',
  '{',
  '}',
  '%7c',
  '[',
  ']',
  '&%26',
  '#',
  'a#b'
]
const whole = [
  '',
  '/',
  '//',
  '///',
  '//evil.example',
  '/evil.example',
  'http://evil.example',
  'http:/evil.example',
  'https:evil.example',
  'http:%2f%2fevil.example',
  '%2f%2fevil.example',
  '//evil.example/api/v1/x',
  'api//v1',
  'api/v1//',
  '/api/v1/x',
  'a'.repeat(1025),
  'user:pass@evil.example',
  `${'a/'.repeat(600)}a`,
  'wati:api',
  '?',
  '?a=b',
  '%20%',
  'file:///etc/passwd'
]

t.test('no spelling of a way out leaves: a 400, and not a byte upstream', async t => {
  const stub = await openStub({ status: 200, body: {} })
  t.teardown(() => stub.close())
  const board = await startBoard(t, { env: { MATON_BASE_URL: stub.url } })
  const paths = [
    ...whole,
    ...climbs.flatMap(each => [each, `${each}/api/v1/x`, `api/v1/${each}`, `api/${each}/connections`])
  ]
  t.ok(climbs.length + whole.length >= 60)
  for (const method of ['GET', 'POST'])
    for (const path of paths) {
      const target = `/channels/wati/native/${path}`
      const answer = await raw(board.url, method, target, { headers, ...(method === 'POST' && { body: '{}' }) })
      t.equal(answer.status, 400, `${method} ${path.slice(0, 60)}`)
      t.match(JSON.parse(answer.bytes.toString()), { code: 'invalid_request', outcome: 'not_sent' }, path.slice(0, 60))
    }
  const odd = [
    '/channels/wati/%6eative/api/v1/x',
    '/channels/%77ati/native/..%2f',
    'http://evil.example/channels/wati/native/x'
  ]
  const elsewhere = [
    '/channels/wati/native',
    '/channels/wati/native/../../../connections',
    '/channels/../native/x',
    '//channels/wati/native/x'
  ]
  for (const target of [...odd, ...elsewhere, '/channels/%2e%2e/native/x', '/channels/wati%2fx/native/x']) {
    const { status } = await raw(board.url, 'GET', target, { headers })
    t.ok(status === 400 || status === 404, `${target}: ${status}`)
  }
  t.equal(stub.seen.length, 0, 'not a byte')
  t.notMatch(board.log.join(''), /an error that nobody expected/)
  for (const path of [
    'api/v1/getContacts',
    'api/v1/',
    "v24.0/106540352242922/a-b_c~d!$'()*,=@",
    'api/v1/a%20b',
    '%61pi/v1/x',
    'a/..b/c..'
  ])
    t.equal((await raw(board.url, 'GET', `/channels/wati/native/${path}`, { headers })).status, 200, `CONTROL: ${path}`)
  const root = `${stub.url}/wati/`
  for (const { url } of stub.seen) t.ok(new URL(url, stub.url).href.startsWith(root), url)
})

t.test('a query passes as it came, with nothing that could end it or bring a credential', async t => {
  t.equal(nativeQuery(undefined), '')
  t.equal(nativeQuery(''), '')
  t.equal(nativeQuery('a=1&a=2&b&c=%20+x%0A'), '?a=1&a=2&b&c=%20+x%0A')
  t.equal(nativeQuery('q={"a":[1]}|^`\\<>'), '?q=%7B%22a%22:%5B1%5D%7D%7C%5E%60%5C%3C%3E')
  t.equal(nativeQuery('\xc3\xa9'), '?%C3%A9', 'bytes that came bare')
  for (const query of ['access_token=x', 'a=1&ACCESS_TOKEN=x', 'access%5Ftoken=x', 'appsecret_proof=y'])
    t.throws(() => nativeQuery(query), { code: 'invalid_request' }, query)
  t.equal(nativePath('a/b'), '/a/b')
  const board = await startBoard(t)
  for (const query of ['a=%00', 'a=%ff', 'a=%zz', 'a#b', 'access_token=EAAG'])
    t.equal((await raw(board.url, 'GET', `/channels/wati/native/a?${query}`, { headers })).status, 400, query)
  t.equal(board.sandbox.ledger.entries.length, 0)
})
