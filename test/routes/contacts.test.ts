import t from 'tap'
import { type Board, startBoard } from '../helper.ts'

const contacts = ['contacts:read', 'contacts:write', 'media:read', 'messages:send'] as const
const q = encodeURIComponent
const filter = (...conditions: object[]) => `filter=${q(JSON.stringify(conditions))}`
const phones = (answer: { body: { items: { phone: string }[] } }) => answer.body.items.map(({ phone }) => phone)

/** Every page of a list, by its cursors. */
async function pages(board: Board, path: string): Promise<string[]> {
  const seen: string[] = []
  let cursor = ''
  do {
    const page = await board.call('GET', `${path}${cursor && `&cursor=${cursor}`}`)
    seen.push(...phones(page))
    cursor = page.body.nextCursor ?? ''
  } while (cursor)
  return seen
}

t.test(
  'WATI: all pages of its 23 contacts are reached exactly once, whatever the limit, even if it changes',
  async t => {
    const board = await startBoard(t)
    for (const limit of [1, 5, 7, 10, 23, 25, 100]) {
      const seen = await pages(board, `/contacts?channel=wati&limit=${limit}`)
      t.equal(seen.length, 23, `limit ${limit}`)
      t.equal(new Set(seen).size, 23)
    }
    const first = await board.call('GET', '/contacts?channel=wati&limit=6')
    const second = await board.call('GET', `/contacts?channel=wati&limit=4&cursor=${first.body.nextCursor}`)
    const third = await board.call('GET', `/contacts?channel=wati&limit=100&cursor=${second.body.nextCursor}`)
    t.ok(second.body.items.length <= 4)
    t.ok(third.body.items.length <= 100)
    const all = await pages(board, '/contacts?channel=wati&limit=100')
    const seen = [...phones(first), ...phones(second), ...phones(third)]
    t.strictSame(seen, all.slice(0, seen.length), 'nothing is left out or told twice')
    t.strictSame(board.sandbox.ledger.violations(), [])
  }
)

t.test('WATI: a list is one getContacts, in its own words', async t => {
  const board = await startBoard(t)
  board.sandbox.ledger.clear()
  const conditions = [
    { attribute: 'plan', operator: 'exists' },
    { attribute: 'city', operator: 'contains', value: 'lon' },
    { attribute: 'city', operator: 'not_contains', value: 'x' },
    { attribute: 'plan', operator: 'equals', value: 'gold' },
    { attribute: 'plan', operator: 'not_equals', value: 'silver' },
    { attribute: 'birthday', operator: 'not_exists' },
    { attribute: 'any', operator: 'valid' }
  ]
  const path = `/contacts?channel=wati&name=ada&createdOn=2024-05-14&limit=10&${filter(...conditions)}`
  const { body } = await board.call('GET', path)
  t.strictSame(body.items, [
    {
      channel: 'wati',
      phone: '14155551234',
      userIds: [],
      name: 'Ada Lovelace',
      attributes: { city: 'London', plan: 'gold' },
      status: 'valid',
      optedIn: true,
      createdAt: '2024-05-14T00:00:00.000Z',
      updatedAt: '2024-05-14T08:00:00.000Z',
      source: 'provider',
      providerContactId: '64f0c0de0000000000000001'
    }
  ])
  const [entry] = board.sandbox.ledger.entries
  const { attribute, ...rest } = entry!.query as Record<string, string>
  t.strictSame(rest, { pageSize: '10', pageNumber: '1', name: 'ada', createdDate: '2024-05-14' })
  t.strictSame(JSON.parse(attribute!), [
    { name: 'plan', operator: 'exist' },
    { name: 'city', operator: 'contain', value: 'lon' },
    { name: 'city', operator: 'notContain', value: 'x' },
    { name: 'plan', operator: '==', value: 'gold' },
    { name: 'plan', operator: '!=', value: 'silver' },
    { name: 'birthday', operator: 'notExist' },
    { name: 'any', operator: 'valid' }
  ])
  t.equal(board.sandbox.ledger.entries.length, 1)
  t.equal(
    (await board.call('GET', `/contacts?channel=wati&${filter({ attribute: 'a', operator: 'invalid' })}`)).body.items
      .length,
    3
  )
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('the same people with the same filters: WATI’s contacts and our own address book answer alike', async t => {
  const board = await startBoard(t)
  const all = (await board.call('GET', '/contacts?channel=wati&limit=100')).body.items
  for (const { phone, name, attributes } of all)
    t.equal(
      (await board.call('POST', '/contacts', { body: { channel: 'cloud', phone, name, attributes } })).status,
      201
    )
  const questions = [
    'name=ADA',
    `name=${q('émilie')}`,
    'name=nobody',
    filter({ attribute: 'city', operator: 'contains', value: 'LON' }),
    filter({ attribute: 'city', operator: 'not_contains', value: 'LON' }),
    filter({ attribute: 'plan', operator: 'exists' }),
    filter({ attribute: 'plan', operator: 'not_exists' }),
    filter({ attribute: 'plan', operator: 'equals', value: '' }),
    filter({ attribute: 'plan', operator: 'not_equals', value: 'gold' }),
    filter(
      { attribute: 'city', operator: 'equals', value: '北京' },
      { attribute: 'plan', operator: 'equals', value: 'gold' }
    )
  ]
  for (const question of questions) {
    const [theirs, ours] = await Promise.all(
      ['wati', 'cloud'].map(channel => board.call('GET', `/contacts?channel=${channel}&limit=100&${question}`))
    )
    const told = (answer: typeof theirs) =>
      answer!.body.items
        .map(({ phone, name, attributes }: Record<string, unknown>) => ({ phone, name, attributes }))
        .sort((a: { phone: string }, b: { phone: string }) => (a.phone < b.phone ? -1 : 1))
    t.strictSame(told(ours), told(theirs), decodeURIComponent(question))
  }
  t.equal(new Set(await pages(board, '/contacts?channel=cloud&limit=7')).size, 23)
})

for (const channel of ['wati', 'cloud']) {
  t.test(`${channel}: a contact is made, read, changed, and keeps the attributes that are not named`, async t => {
    const board = await startBoard(t)
    const key = await board.key({ scopes: contacts })
    const body = { channel, phone: '+1 (415) 555-0199', name: 'Ada', attributes: { city: 'London', plan: 'gold' } }
    const made = await board.call('POST', '/contacts', { key, body })
    t.equal(made.status, 201)
    t.equal(made.headers.location, `/contacts/14155550199?channel=${channel}`)
    t.match(made.body, { channel, phone: '14155550199', name: 'Ada', attributes: body.attributes, status: 'valid' })
    const again = await board.call('POST', '/contacts', { key, body: { channel, phone: '14155550199' } })
    t.equal(again.status, channel === 'cloud' ? 200 : 201, 'WATI does not tell')
    t.match(again.body, { name: 'Ada', attributes: body.attributes })
    const path = made.headers.location as string
    t.match((await board.call('GET', path, { key })).body, { phone: '14155550199', name: 'Ada' })
    const renamed = await board.call('PATCH', path, { key, body: { name: 'Ada King' } })
    t.match(renamed.body, { name: 'Ada King', attributes: body.attributes })
    const changed = await board.call('PATCH', path, { key, body: { attributes: { plan: 'silver' } } })
    t.match(changed.body, { name: 'Ada King', attributes: { city: 'London', plan: 'silver' } })
    t.match((await board.call('GET', path, { key })).body, changed.body)
    const gone = await board.call('DELETE', path, { key })
    if (channel === 'cloud') {
      t.equal(gone.status, 204)
      t.equal((await board.call('DELETE', path, { key })).status, 404)
      t.equal((await board.call('GET', path, { key })).status, 404)
    } else t.match(gone, { status: 422, body: { code: 'unsupported', outcome: 'not_sent' } })
    const nobody = `/contacts/14155550177?channel=${channel}`
    t.match(await board.call('GET', nobody, { key }), { status: 404, body: { code: 'not_found' } })
    const none = await board.call('PATCH', nobody, { key, body: { attributes: { a: 'b' } } })
    t.match(none, { status: 404, body: { code: 'not_found' } }, 'attributes alone make nobody')
    t.equal((await board.call('PATCH', nobody, { key, body: { name: 'New' } })).status, 200, 'a name makes one')
    t.equal((await board.call('GET', nobody, { key })).body.name, 'New')
    t.strictSame(board.sandbox.ledger.violations(), [])
  })
}

t.test('WATI: writes are its own calls, field by field', async t => {
  const board = await startBoard(t)
  board.sandbox.ledger.clear()
  const phone = '14155550199'
  const attributes = { city: 'London', note: '' }
  await board.call('POST', '/contacts', { body: { channel: 'wati', phone, name: 'Ada', attributes } })
  await board.call('PATCH', `/contacts/${phone}?channel=wati`, { body: { attributes } })
  await board.call('PATCH', `/contacts/${phone}?channel=wati`, { body: { name: 'King' } })
  const customParams = [
    { name: 'city', value: 'London' },
    { name: 'note', value: '' }
  ]
  t.strictSame(
    board.sandbox.ledger.entries.map(({ method, path, query, body }) => [method, path, { ...query }, body]),
    [
      ['POST', `/wati/api/v1/addContact/${phone}`, {}, { name: 'Ada', customParams }],
      ['POST', `/wati/api/v1/updateContactAttributes/${phone}`, {}, { customParams }],
      [
        'GET',
        '/wati/api/v1/getContacts',
        { pageSize: '100', pageNumber: '1', attribute: `[{"name":"phone","operator":"==","value":"${phone}"}]` },
        null
      ],
      ['POST', `/wati/api/v1/addContact/${phone}`, {}, { name: 'King' }]
    ]
  )
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('an Idempotency-Key makes one contact of two requests', async t => {
  const board = await startBoard(t)
  board.sandbox.ledger.clear()
  for (const channel of ['cloud', 'wati']) {
    const once = () =>
      board.call('POST', '/contacts', {
        body: { channel, phone: '14155550188', name: 'Ada' },
        headers: { 'idempotency-key': `make-${channel}` }
      })
    const [first, second] = [await once(), await once()]
    t.strictSame([second.status, second.text], [first.status, first.text])
    t.equal(second.headers['idempotency-replayed'], 'true')
  }
  t.equal(board.sandbox.ledger.entries.length, 1, 'WATI was asked once')
})

t.test('live and test, channel by channel: nobody meets the contacts of another book', async t => {
  const board = await startBoard(t)
  await board.call('POST', '/contacts', { body: { channel: 'cloud', phone: '14155550188', name: 'Ada' } })
  const test = await board.key({ mode: 'test', scopes: contacts })
  t.strictSame((await board.call('GET', '/contacts?channel=cloud', { key: test })).body.items, [])
  t.equal((await board.call('GET', '/contacts/14155550188?channel=cloud', { key: test })).status, 404)
  const other = await board.key({ scopes: contacts, channels: ['wati'] })
  t.equal((await board.call('GET', '/contacts?channel=cloud', { key: other })).status, 403)
  const held = await board.key({ scopes: contacts, recipientPrefixes: ['49'] })
  const refused = await board.call('POST', '/contacts', { key: held, body: { channel: 'cloud', phone: '14155550188' } })
  t.equal(refused.status, 403)
})
