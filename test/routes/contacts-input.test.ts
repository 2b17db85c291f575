import t from 'tap'
import { startBoard } from '../helper.ts'

const q = encodeURIComponent
const hostile = [
  '../../admin',
  '..%2f..%2fadmin',
  '%2e%2e',
  '1415555\u00001234',
  '14155551234\r\nX-Evil: 1',
  '１４１５５５５１２３４',
  '١٤١٥٥٥٥١٢٣٤',
  '\u202e14155551234',
  '0123456789',
  '123',
  'wamid.HBgA',
  '😀',
  '1'.repeat(10_240),
  '-',
  "14155551234'; drop table contacts; --"
]

t.test('hostile numbers in every path are a 400 that names the field, and nothing goes upstream', async t => {
  const board = await startBoard(t)
  board.sandbox.ledger.clear()
  const acts = [
    ['GET', ''],
    ['PATCH', ''],
    ['DELETE', ''],
    ['GET', '/messages'],
    ['GET', '/window']
  ] as const
  for (const [method, rest] of acts)
    for (const channel of ['wati', 'cloud'])
      for (const phone of hostile) {
        const path = `/contacts/${q(phone)}${rest}?channel=${channel}`
        const answer = await board.call(method, path, method === 'PATCH' ? { body: { name: 'x' } } : {})
        t.equal(answer.status, 400, `${method} ${path.slice(0, 80)}`)
        t.match(answer.body.errors, [{ path: /^path\/phone/ }], `${method} ${path.slice(0, 80)}`)
      }
  t.strictSame(board.sandbox.ledger.entries, [])
})

t.test('hostile words in queries and bodies are a 400 that names the field', async t => {
  const board = await startBoard(t)
  board.sandbox.ledger.clear()
  const condition = (value: unknown) => `filter=${q(JSON.stringify(value))}`
  const queries: [query: string, path: RegExp][] = [
    ['createdOn=2024-13-01', /query\/createdOn/],
    ['createdOn=05-14-2024', /query\/createdOn/],
    ['createdOn=2024-02-30', /query\/createdOn/],
    ['name=', /query\/name/],
    [`name=${'x'.repeat(10_240)}`, /query\/name/],
    ['name=%00', /query/],
    ['cursor=..', /query\/cursor/],
    [`cursor=${'A'.repeat(10_240)}`, /query\/cursor/],
    ['limit=0', /query\/limit/],
    ['limit=x', /query\/limit/],
    ['sort=name', /query\/sort/],
    ['filter=x', /query\/filter/],
    ['filter={}', /query\/filter/],
    [condition([{ attribute: 'a', operator: 'like', value: 'b' }]), /query\/filter\/0\/operator/],
    [condition([{ attribute: 'a', operator: 'equals' }]), /query\/filter\/0\/value/],
    [condition([{ operator: 'exists' }]), /query\/filter\/0\/attribute/],
    [condition([{ attribute: 'a', operator: 'exists', x: 1 }]), /query\/filter\/0\/x/],
    [condition([{ attribute: 'a\u0000', operator: 'exists' }]), /query\/filter\/0/],
    [condition([{ attribute: 'a', operator: 'contains', value: '\ud800' }]), /query\/filter\/0/],
    [condition(Array(21).fill({ attribute: 'a', operator: 'exists' })), /query\/filter/],
    [condition([{ attribute: 'x'.repeat(10_240), operator: 'exists' }]), /query\/filter/]
  ]
  for (const channel of ['wati', 'cloud'])
    for (const [query, path] of queries) {
      const answer = await board.call('GET', `/contacts?channel=${channel}&${query}`)
      t.equal(answer.status, 400, query.slice(0, 80))
      t.match(answer.body.errors, [{ path }], query.slice(0, 80))
    }
  const phone = '14155550199'
  const bodies: [body: unknown, path: RegExp][] = [
    [{ phone: '../x' }, /^\/phone/],
    [{ phone, nmae: 'x' }, /^\/nmae/],
    [{ phone, name: '' }, /^\/name/],
    [{ phone, name: '  ' }, /^\/name/],
    [{ phone, name: 'a\u0000' }, /^\/name/],
    [{ phone, name: 'x'.repeat(10_240) }, /^\/name/],
    [{ phone, attributes: { a: 1 } }, /^\/attributes\/a/],
    [{ phone, attributes: { '': 'x' } }, /^\/attributes/],
    [{ phone, attributes: { ['k'.repeat(200)]: 'x' } }, /^\/attributes/],
    [{ phone, attributes: { a: 'x'.repeat(10_240) } }, /^\/attributes\/a/],
    [{}, /^\/phone/]
  ]
  for (const channel of ['wati', 'cloud'])
    for (const [body, path] of bodies) {
      const answer = await board.call('POST', '/contacts', { body: { channel, ...(body as object) } })
      t.equal(answer.status, 400, JSON.stringify(body).slice(0, 80))
      t.match(answer.body.errors, [{ path }], JSON.stringify(body).slice(0, 80))
    }
  t.equal((await board.call('PATCH', `/contacts/${phone}?channel=cloud`, { body: {} })).status, 400)
  t.equal((await board.call('GET', `/contacts/${phone}/messages?channel=wati&include=all`)).status, 400)
  t.equal((await board.call('GET', `/contacts?channel=${q('../wati')}`)).status, 400)
  t.strictSame(board.sandbox.ledger.entries, [], 'nothing went upstream')
})

t.test('a cursor of one provider means nothing to the other, and harms nobody', async t => {
  const board = await startBoard(t)
  for (const text of ['1.AAAAAAAA.25.0.1.1', '0.0', '99999.9', 'x', '-1.5', '../..', 'con_1', '1.x'])
    for (const channel of ['wati', 'cloud'])
      for (const path of ['/contacts', '/contacts/14155551234/messages']) {
        const cursor = Buffer.from(text).toString('base64url')
        const { status } = await board.call('GET', `${path}?channel=${channel}&cursor=${cursor}`)
        t.ok(status === 400 || (channel === 'cloud' && status === 200), `${channel} ${text}: ${status}`)
      }
  t.strictSame(board.sandbox.ledger.violations(), [])
})
