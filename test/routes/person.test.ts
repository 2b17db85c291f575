import t from 'tap'
import { type Board, startBoard } from '../helper.ts'

// One person is one person (docs/reliability.md P52): every entrance reads numbers alike. What numbers are: phone.test.ts.

const uncertain: [string, RegExp][] = [
  ['628123456789.0', /decimal number/],
  ['+44 (0)7911 123456', /such as \(0\)/],
  ['-14155552001', /must begin with \+/],
  ['(631) 555-1234', /must begin with \+/],
  ['4.9E+11', /spreadsheet shortens/],
  ['+14155551234 x12', /extension/]
]
const pasted = '\u202a+1\u00a0(415)\u00a0555\u20111234\u202c\u200e'
const plain = '14155551234'

const form = (name: string, fields: Record<string, string>, table: string) => {
  const boundary = 'person-test'
  const part = (head: string, text: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${text}\r\n`
  const parts = Object.entries(fields).map(([field, value]) => part(`name="${field}"`, value))
  const file = part(`name="${name}"; filename="t.csv"\r\nContent-Type: text/csv`, table)
  return {
    body: `${parts.join('')}${file}--${boundary}--\r\n`,
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }
  }
}
const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
const template = { name: 'order_update', language: 'en_US' }
const variables = { name: 'Ada', ordernumber: '1' }
const later = '2027-11-20T09:30:00Z'

/** Each entrance, and the name that it has for the field. */
const entrances: [string, string, (board: Board, text: string) => ReturnType<Board['call']>][] = [
  [
    'POST /messages',
    '/to',
    (board, to) =>
      board.call('POST', '/messages', { body: { channel: 'cloud', to, type: 'text', text: { body: 'Hello' } } })
  ],
  [
    'the dry run',
    '/to',
    (board, to) =>
      board.call('POST', '/messages/validate', {
        body: { channel: 'cloud', to, type: 'text', text: { body: 'Hello' } }
      })
  ],
  [
    'POST /broadcasts',
    '/recipients/0/to',
    (board, to) =>
      board.call('POST', '/broadcasts', {
        body: { channel: 'cloud', name: 'x', template, startAt: later, recipients: [{ to, variables }] }
      })
  ],
  [
    'a broadcast’s table',
    '/file/1/phone',
    (board, to) =>
      board.call(
        'POST',
        '/broadcasts',
        form(
          'file',
          { channel: 'cloud', name: 'x', template: JSON.stringify(template), startAt: later },
          `phone,name,ordernumber\r\n${quoted(to)},Ada,1\r\n`
        )
      )
  ],
  [
    'POST /contacts',
    '/phone',
    (board, phone) => board.call('POST', '/contacts', { body: { channel: 'cloud', phone } })
  ],
  [
    'POST /contacts.csv',
    '/1/phone',
    (board, phone) =>
      board.call('POST', '/contacts.csv?channel=cloud', {
        body: `phone,name\r\n${quoted(phone)},Ada\r\n`,
        headers: { 'content-type': 'text/csv' }
      })
  ],
  [
    'GET /contacts/{phone}',
    'path/phone',
    (board, phone) => board.call('GET', `/contacts/${encodeURIComponent(phone)}?channel=cloud`)
  ],
  [
    'PATCH /contacts/{phone}',
    'path/phone',
    (board, phone) =>
      board.call('PATCH', `/contacts/${encodeURIComponent(phone)}?channel=cloud`, { body: { name: 'Ada' } })
  ],
  [
    'its messages',
    'path/phone',
    (board, phone) => board.call('GET', `/contacts/${encodeURIComponent(phone)}/messages?channel=cloud`)
  ],
  [
    'its window',
    'path/phone',
    (board, phone) => board.call('GET', `/contacts/${encodeURIComponent(phone)}/window?channel=cloud`)
  ],
  [
    'its assignee',
    'path/phone',
    (board, phone) =>
      board.call('PUT', `/contacts/${encodeURIComponent(phone)}/assignee?channel=wati`, {
        body: { email: 'agent@example.com' }
      })
  ],
  [
    'the filter of messages',
    'query/contact',
    (board, phone) => board.call('GET', `/messages?contact=${encodeURIComponent(phone)}`)
  ]
]

t.test('what is not certain is a 400 with its reason at every entrance, and nothing is sent', async t => {
  const board = await startBoard(t)
  for (const [name, path, enter] of entrances) {
    for (const [text, why] of uncertain) {
      const { status, body } = await enter(board, text)
      t.equal(status, 400, `${name}: ${text}`)
      t.match(body.errors?.[0], { path, message: why }, `${name}: ${text}`)
    }
  }
  t.strictSame(board.sandbox.ledger.sends(), [])
  t.strictSame((await board.call('GET', '/contacts?channel=cloud')).body.items, [])
})

t.test('a number pasted from an address book is that number at every entrance', async t => {
  const board = await startBoard(t)
  for (const [name, , enter] of entrances) {
    const { status, body } = await enter(board, pasted)
    t.ok(status < 300, `${name}: ${status} ${JSON.stringify(body)}`)
  }
  const { body } = await board.call('GET', '/contacts?channel=cloud')
  t.strictSame(
    body.items.map(({ phone }: { phone: string }) => phone),
    [plain]
  )
  t.match(board.sandbox.ledger.sends(), [{ to: plain, body: { to: `+${plain}` } }])
})

t.test('a prefix of a key is read like a number, and holds for what it allows', async t => {
  const board = await startBoard(t)
  const key = await board.key({ recipientPrefixes: ['\u202a+49\u202c', '+1 (415)'] })
  t.strictSame((await board.call('GET', '/keys/self', { key })).body.recipientPrefixes, ['49', '1415'])
  const send = (to: string) =>
    board.call('POST', '/messages', { key, body: { channel: 'cloud', to, type: 'text', text: { body: 'Hello' } } })
  t.equal((await send('+49 151 12345678')).status, 201)
  t.equal((await send('14155551234')).status, 201)
  t.equal((await send('+44 7911 123456')).status, 403)
  for (const prefix of ['049', '49.0', '1 415', '+44 (0)', 'x']) {
    const { status, body } = await board.call('POST', '/keys', {
      body: { service: 'a', mode: 'live', scopes: ['messages:send'], recipientPrefixes: ['49', prefix] }
    })
    t.match({ status, errors: body.errors }, { status: 400, errors: [{ path: '/recipientPrefixes/1' }] }, prefix)
  }
})

t.test('Meta gets the plus, WATI the digits alone', async t => {
  const board = await startBoard(t)
  for (const channel of ['cloud', 'wati'])
    await board.call('POST', '/messages', {
      body: { channel, to: '+62 812-3456-7890', type: 'text', text: { body: 'Hello' } }
    })
  const [cloud, wati] = board.sandbox.ledger.sends()
  t.match(cloud, { to: '6281234567890', body: { to: '+6281234567890' } })
  t.match(wati, { to: '6281234567890', path: '/wati/api/v1/sendSessionMessage/6281234567890' })
})
