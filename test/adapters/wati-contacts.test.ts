import t from 'tap'
import { contact, instant } from '../../src/adapters/wati/contacts.ts'
import { conversationPage, mediaRequest } from '../../src/adapters/wati/history.ts'
import { isMediaPath } from '../../src/adapters/wati/media-path.ts'
import { pageAt, placeOf, turn } from '../../src/adapters/wati/paging.ts'

t.test('WATI’s days and instants are read, and anything else is no date', async t => {
  const dates: [unknown, string | null][] = [
    ['May-14-2024', '2024-05-14T00:00:00.000Z'],
    ['Dec-01-2025', '2025-12-01T00:00:00.000Z'],
    ['2024-05-14T10:00:00.000Z', '2024-05-14T10:00:00.000Z'],
    ['2024-05-14T10:00:00.1234567', '2024-05-14T10:00:00.123Z'],
    ['Foo-14-2024', null],
    ['', null],
    [null, null],
    [12, null],
    [{}, null]
  ]
  for (const [said, read] of dates) t.equal(instant(said), read, String(said))
})

t.test('a contact is read from whatever members there are', async t => {
  t.equal(contact({ fullName: 'Nobody' }, 'c'), undefined, 'without a number there is none')
  for (const value of [null, 'x', 1, [], { wAid: {} }]) t.equal(contact(value, 'c'), undefined)
  t.strictSame(contact({ wAid: '+1 415 555-1234' }, 'c'), {
    channel: 'c',
    phone: '14155551234',
    userIds: [],
    name: null,
    attributes: {},
    status: 'unknown',
    createdAt: null,
    updatedAt: null,
    source: 'provider'
  })
  const nobody = contact(
    { wAid: 'US.123456789012345', phone: null, fullName: 'US.123456789012345', username: '@ada' },
    'c'
  )
  t.match(nobody, { phone: null, userIds: ['US.123456789012345'], username: 'ada', name: null }, 'no digits of an id')
  for (const member of ['wAid', 'phone', 'bsuid'])
    t.match(contact({ [member]: 'DE.ENT.9876543210' }, 'c'), { phone: null, userIds: ['DE.ENT.9876543210'] }, member)
  t.match(contact({ wAid: '5215512345678', bsuid: 'MX.1' }, 'c'), { phone: '5215512345678', userIds: ['MX.1'] })
  const odd = {
    phone: 14155551234,
    customParams: [{ name: 'n', value: 5 }, { name: '' }, 'x', { name: 'z' }],
    optedIn: 'x'
  }
  t.match(contact(odd, 'c'), { phone: '14155551234', attributes: { n: '5', z: '' } })
})

t.test(
  'pages of any changing size reach every item of a list exactly once, also where WATI gives less than asked',
  async t => {
    for (const [total, most] of [
      [23, 1000],
      [23, 10],
      [23, 3],
      [100, 7],
      [1, 1],
      [20, 10]
    ] as const)
      for (const link of [true, false]) {
        const seen: number[] = []
        let cursor: string | undefined
        let calls = 0
        const limits = [5, 8, 3, 100, 7, 6]
        do {
          const place = placeOf(cursor)
          const { pageSize, pageNumber } = pageAt(place, limits[calls++ % limits.length]!)
          const size = Math.min(pageSize, most)
          const items = Array.from({ length: total }, (_, i) => i).slice((pageNumber - 1) * size, pageNumber * size)
          // a provider that gives less than was asked must say so: nothing else tells a short page from the last
          const said = link || most < 1000 ? { pageSize: size, ...(link && { total }) } : undefined
          const { skip, next } = turn(
            place,
            { pageSize, pageNumber },
            items.map(id => ({ id })),
            said
          )
          seen.push(...items.slice(skip))
          cursor = next ?? undefined
        } while (cursor && calls < 200)
        t.strictSame(
          seen,
          Array.from({ length: total }, (_, i) => i),
          `${total} items, at most ${most} a page`
        )
      }
  }
)

t.test('only WATI’s own paths are ever asked for', async t => {
  const bad = [
    '',
    '/etc/passwd',
    'data/../secret',
    'data/images/..',
    'data/images/a/b',
    'data/images/a%2fb',
    'data/images/a%2Eb',
    'http://x/y'
  ]
  bad.push('data/images/a\0', 'data/images/a\r\nb', `data/images/${'a'.repeat(400)}`, 'data/Images/a.jpg')
  for (const path of bad) {
    t.notOk(isMediaPath(path), JSON.stringify(path).slice(0, 40))
    t.throws(() => mediaRequest({ path }))
  }
  for (const name of [
    '0b5e1c7a-6f0d-4c39-9a57-2f6a8f1f0c11.jpg',
    'é.pdf',
    'Order (2).pdf',
    'Order #12.pdf',
    'what?.pdf',
    'A&B.pdf',
    '50% off.pdf'
  ])
    t.ok(isMediaPath(`data/documents/${name}`), name)
})

t.test('a conversation is read in whatever order and shape it comes', async t => {
  const channel = { id: 'c', provider: 'wati', mode: 'live', settings: {} } as const
  const { read } = conversationPage({ phone: '14155551234', limit: 10 }, channel)
  const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString()
  const items = [
    {
      id: 'a',
      created: at(1),
      eventType: 'message',
      type: 'voice',
      owner: false,
      data: 'data/audios/a.ogg',
      text: 'x'
    },
    {
      id: 'b',
      created: at(3),
      eventType: 'message',
      type: 'document',
      owner: true,
      data: 'https://live.example/api/file/showFile?fileName=data%2Fdocuments%2Fa.pdf',
      text: 'a.pdf'
    },
    { id: 'c', created: at(2), eventType: 'message', type: 'image', owner: false, data: '../../etc/passwd' },
    {
      id: 'd',
      timestamp: String(Date.UTC(2026, 0, 1, 0, 4) / 1000),
      eventType: 'message',
      type: 'button',
      owner: false,
      text: 'Yes'
    },
    { id: 'e', created: at(0), eventType: 'broadcastMessage', statusString: 'HELD', finalText: 'Hi' },
    null,
    5
  ]
  const page = read({ messages: { items } })
  t.match(page.items.slice(0, 5), [
    { message: { id: 'd', type: 'reply', direction: 'inbound', reply: { title: 'Yes' }, status: 'received' } },
    { message: { id: 'b', type: 'document' }, file: { path: 'data/documents/a.pdf', filename: 'a.pdf' } },
    { message: { id: 'c', type: 'image', warnings: [/no file/] } },
    { message: { id: 'a', type: 'audio' }, file: { path: 'data/audios/a.ogg' } },
    { message: { id: 'e', type: 'template', status: 'accepted', text: { body: 'Hi' } } }
  ])
  t.notOk(page.items[2]!.file)
  t.equal(page.nextCursor, null)
})

t.test('an item of another number is no part of the conversation, and an operator’s is told as such', async t => {
  const settings = { channelPhoneNumber: '85264318722' }
  const channel = { id: 'c', provider: 'wati', mode: 'live', settings } as const
  const { request, read } = conversationPage({ phone: '14155551234', limit: 10 }, channel)
  t.match(request.query, settings)
  const item = (id: string, more = {}) => ({
    id,
    created: '2026-01-01T00:00:00Z',
    eventType: 'message',
    owner: true,
    ...more
  })
  const items = [
    item('own', { channelPhoneNumber: '85264318722' }),
    item('spelt', { channelPhoneNumber: '+852 6431 8722' }),
    item('other', { channelPhoneNumber: '85264318723' }),
    item('none', { channelPhoneNumber: null }),
    item('sam', { operatorName: 'Sam' }),
    item('theirs', { owner: false, operatorName: 'Sam' })
  ]
  const page = read({ messages: { items } }).items.map(({ message }) => message)
  t.strictSame(page.map(({ id }) => id).sort(), ['none', 'own', 'sam', 'spelt', 'theirs'])
  t.strictSame(
    page.filter(({ origin }) => origin === 'operator').map(({ id }) => id),
    ['sam']
  )
})
