import { randomBytes } from 'node:crypto'
import t from 'tap'
import { costMs } from '../cost.ts'
import { type Board, startBoard, until } from '../helper.ts'

const to = '14155551234'
const text = (more: object = {}) => ({ channel: 'cloud', to, type: 'text', text: { body: 'Hello' }, ...more })
const post = (board: Board, body: unknown, headers: Record<string, string> = {}, key?: string) =>
  board.call('POST', '/messages', { body, headers, ...(key && { key }) })
const sends = (board: Board) => board.sandbox.ledger.entries.filter(entry => entry.kind === 'send')
const ids = (items: { id: string }[]) => items.map(item => item.id)

t.test('a reply names its message by our id or by a wamid, and only one that is there for the caller', async t => {
  const board = await startBoard(t)
  for (const channel of ['cloud', 'wati']) {
    const first = await post(board, text({ channel }))
    const answer = await post(board, text({ channel, replyTo: first.body.id }))
    t.equal(answer.status, 201)
    t.equal(answer.body.replyTo, first.body.id, 'echoed as it was said')
    const seen = sends(board).at(-1)!
    const quoted =
      channel === 'cloud'
        ? (seen.body as { context: { message_id: string } }).context.message_id
        : seen.query.replyContextId
    t.equal(quoted, first.body.providerMessageId, `${channel}: the provider is told its own id`)
    const foreign = await post(board, text({ channel, replyTo: 'wamid.HBgLNEVER' }))
    t.equal(foreign.status, 201, 'a wamid that is not known here passes as it is')
    t.match(JSON.stringify([sends(board).at(-1)!.body, sends(board).at(-1)!.query]), /wamid\.HBgLNEVER/)
  }
  const onCloud = await post(board, text())
  const reaction = (messageId: string, more = {}) => ({
    channel: 'cloud',
    to,
    type: 'reaction',
    reaction: { messageId, emoji: '👍' },
    ...more
  })
  t.equal((await post(board, reaction(onCloud.body.id))).status, 201)
  t.match(sends(board).at(-1)!.body, { reaction: { message_id: onCloud.body.providerMessageId, emoji: '👍' } })
  t.equal(
    (await post(board, { ...reaction('wamid.X'), reaction: { messageId: 'wamid.X', emoji: '' } })).status,
    201,
    'taken back'
  )

  const before = sends(board).length
  const strange = `msg_${randomBytes(16).toString('hex')}`
  const queued = await post(board, text({ sendAt: new Date(Date.now() + 3600_000).toISOString() }))
  const theirs = await post(board, text(), {}, await board.key({ service: 'shipping' }))
  const sent = sends(board).length
  for (const [name, body, path] of [
    ['an id that is not there', text({ replyTo: strange }), '/replyTo'],
    ['a message of another channel', text({ channel: 'wati', replyTo: onCloud.body.id }), '/replyTo'],
    ['a message that was not sent yet', text({ replyTo: queued.body.id }), '/replyTo'],
    ['another service’s message', text({ replyTo: theirs.body.id }), '/replyTo'],
    ['a reaction to nothing', reaction(strange), '/reaction/messageId'],
    ['a reaction that is a reply', reaction('wamid.X', { replyTo: 'wamid.Y' }), '/replyTo']
  ] as const) {
    const key = await board.key()
    const answer = await post(board, body, {}, name.startsWith('another') ? key : undefined)
    t.equal(answer.status, 400, name)
    t.equal(answer.body.errors[0].path, path, name)
  }
  t.equal(sends(board).length, sent, 'nothing was sent')
  t.equal(sent, before + 1)
})

t.test('`to` in every form that people write, and none that is no number', async t => {
  const board = await startBoard(t)
  for (const form of [
    '14155551234',
    '+14155551234',
    '+1 (415) 555-1234',
    '+1.415.555.1234',
    ' +1 415 555 1234 ',
    '[+1] 415-555-1234'
  ]) {
    const answer = await post(board, text({ to: form }), { prefer: 'wait=10' })
    t.equal(answer.status, 201, form)
    t.equal(answer.body.to, to, form)
  }
  const before = sends(board).length
  const wrong = [
    '',
    '0',
    '123456',
    '1234567890123456',
    '+01234567',
    '0049171234567',
    '+',
    'wa:1234567',
    '1415555١٢٣٤',
    '14155551234x',
    '++14155551234',
    '1415+5551234',
    '12345678\n90 x',
    `${' '.repeat(50)}`,
    '/../1234567',
    '14155551234?x=1'
  ]
  for (const form of [...wrong, 14155551234, null, ['14155551234'], { phone: to }]) {
    const answer = await post(board, text({ to: form }))
    t.equal(answer.status, 400, JSON.stringify(form))
    t.equal(answer.body.errors?.[0].path, '/to', JSON.stringify(form))
  }
  t.equal(sends(board).length, before, 'nothing was sent')
  const cost = await costMs(async () =>
    t.equal((await post(board, text({ to: `${' '.repeat(100_000)}x` }))).status, 400)
  )
  const fifth = await costMs(() => /^\s*\+?[\d\s.()[\]-]+$/.test(`${' '.repeat(20_000)}x`))
  t.ok(
    cost < 5 * fifth,
    `a hostile number costs nothing: the pattern cannot backtrack (T46), ${cost} of ${25 * fifth} ms`
  )
})

t.test('every fault is told at once, and an unknown field by its name', async t => {
  const board = await startBoard(t)
  const json = { 'content-type': 'application/json' }
  const faults = async (body: unknown) =>
    [...new Set(((await post(board, body, json)).body.errors as { path: string }[]).map(({ path }) => path))].sort()
  t.strictSame(
    await faults({
      channel: 'Not an id',
      to: 'nobody',
      type: 'text',
      text: { body: '', previewURL: true },
      refrence: 'x',
      'a/b~c': 1
    }),
    ['/a~1b~0c', '/channel', '/refrence', '/text/body', '/text/previewURL', '/to'].sort()
  )
  t.match((await post(board, text({ refrence: 'x' }))).body.errors, [
    { path: '/refrence', message: 'is not a field of this request' }
  ])
  t.strictSame(await faults({ channel: 'cloud', type: 'text' }), ['/text', '/to'])
  t.strictSame(await faults({ channel: 'cloud', to, type: 'telegram' }), ['/type'])
  t.strictSame(await faults({ channel: 'cloud', to, text: { body: 'x' } }), ['/type'])
  t.strictSame(await faults(text({ image: { link: 'https://example.com' } })), ['/image'], 'one type object')
  t.strictSame(await faults([]), ['/'])
  t.strictSame(await faults('"text"'), ['/'], 'a body that is no object')
  t.strictSame(await faults(text({ text: { body: 7 } })), ['/text/body'], 'nothing is turned into text')
  t.strictSame(await faults(text({ text: { body: 'x', previewUrl: 'true' } })), ['/text/previewUrl'])
  for (const both of [{}, { mediaId: `med_${'0'.repeat(32)}`, link: 'https://example.com' }])
    t.ok((await faults({ channel: 'cloud', to, type: 'image', image: both })).includes('/image'))
  for (const link of [
    'ftp://example.com/x',
    'example.com',
    'javascript:alert(1)',
    `https://example.com/${'x'.repeat(2048)}`
  ])
    t.ok(
      (await faults({ channel: 'cloud', to, type: 'image', image: { link } })).includes('/image/link'),
      link.slice(0, 30)
    )
  for (const body of ['', ' ', '\n\t', '\u00a0', '\u2003\u3000']) {
    t.strictSame(await faults(text({ text: { body } })), ['/text/body'], `blank: ${JSON.stringify(body)}`)
    const asked = { body, buttons: [{ title: 'Yes' }] }
    t.strictSame(await faults({ channel: 'cloud', to, type: 'buttons', buttons: asked }), ['/buttons/body'])
  }
  t.match((await post(board, text({ text: { body: '  ' } }))).body.errors, [{ message: 'must not be blank' }])
  const card = { channel: 'cloud', to, type: 'contacts', contacts: [{ name: { formatted: 'Ada' } }] }
  t.equal((await board.call('POST', '/messages/validate', { body: card })).status, 200, 'a card needs a name only')
  const button = (id: string, title: string) => ({ id, title })
  t.strictSame(
    await faults({
      channel: 'cloud',
      to,
      type: 'buttons',
      buttons: { body: 'x', buttons: [button('a', 'A'), button('a', 'A')] }
    }),
    ['/buttons/buttons/1/id', '/buttons/buttons/1/title']
  )
  t.strictSame(
    await faults(text({ metadata: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`k${i}`, 'v'])) })),
    ['/metadata']
  )
  t.strictSame(
    await faults(
      text({ metadata: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, 'v'.repeat(230)])) })
    ),
    ['/metadata']
  )
  t.strictSame(await faults(text({ metadata: { k: 1 } })), ['/metadata/k'])
  const past = new Date(Date.now() - 1000).toISOString()
  const soon = new Date(Date.now() + 60_000).toISOString()
  t.strictSame(await faults(text({ expiresAt: past })), ['/expiresAt'])
  t.strictSame(await faults(text({ expiresAt: soon, sendAt: new Date(Date.now() + 120_000).toISOString() })), [
    '/sendAt'
  ])
  for (const instant of [
    '2027-12-31T23:59:60Z',
    '2027-01-01T00:00:00+05',
    '2027-02-30T00:00:00Z',
    '2027-01-01',
    '1893456000',
    ''
  ])
    t.ok((await faults(text({ expiresAt: instant }))).includes('/expiresAt'), `expiresAt ${instant}`)
  t.strictSame(sends(board), [], 'nothing was sent')
  t.equal(
    (
      await post(
        board,
        text({ metadata: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, 'v'.repeat(190)])) })
      )
    ).status,
    201,
    'CONTROL: 20 keys within 4 KiB'
  )
  t.equal((await post(board, text({ expiresAt: soon.replace('Z', '+00:00') }))).status, 201, 'CONTROL: an offset')
  const echoed = await post(board, text({ metadata: { k: 'v' }, reference: 'order-1' }))
  t.match(echoed.body, { metadata: { k: 'v' }, reference: 'order-1' })
  t.notMatch(JSON.stringify(sends(board)), /order-1|"k":"v"/, 'neither is ever sent')
})

t.test('the list is filtered and paged, and a cursor survives what is added meanwhile', async t => {
  const board = await startBoard(t)
  const made: string[] = []
  for (let i = 0; i < 7; i++) {
    const channel = i % 2 ? 'wati' : 'cloud'
    const answer = await post(board, text({ channel, to: `1415555${1000 + (i % 3)}`, reference: `r${i % 2}` }))
    made.unshift(answer.body.id)
  }
  const refused = await post(board, text({ to: '15550100001' }))
  const list = async (query: string) => (await board.call('GET', `/messages${query}`)).body
  const all = (await list('')).items
  t.strictSame(ids(all), [refused.body.messageId, ...made], 'newest first')
  const first = await list('?limit=3')
  t.equal(first.items.length, 3)
  await post(board, text())
  const second = await list(`?limit=3&cursor=${first.nextCursor}`)
  const third = await list(`?limit=3&cursor=${second.nextCursor}`)
  t.strictSame(ids([...first.items, ...second.items, ...third.items]), [refused.body.messageId, ...made])
  t.equal(third.nextCursor, null)
  const matching = async (query: string) => ids((await list(query)).items)
  t.equal((await matching('?channel=wati')).length, 3)
  t.equal((await matching(`?contact=${encodeURIComponent('+1 (415) 555-1001')}`)).length, 2)
  t.equal((await matching('?reference=r1&channel=wati')).length, 3)
  t.equal((await matching('?reference=r1&channel=cloud')).length, 0)
  t.strictSame(await matching('?status=failed'), [refused.body.messageId])
  t.equal((await matching('?direction=inbound')).length, 0)
  t.strictSame(
    await matching(`?since=${all[2].createdAt}&until=${all[0].createdAt}`),
    made
      .slice(0, 2)
      .filter(id => all.find((m: { id: string; createdAt: string }) => m.id === id)!.createdAt < all[0].createdAt)
  )
  for (const [query, path] of [
    ['?limit=0', 'query/limit'],
    ['?limit=101', 'query/limit'],
    ['?limit=x', 'query/limit'],
    ['?limit=1&limit=2', 'query/limit'],
    ['?colour=red', 'query/colour'],
    ['?cursor=!', 'query/cursor'],
    ['?cursor=AAAA', 'query/cursor'],
    ['?since=yesterday', 'query/since'],
    ['?since=2026-12-31T23:59:60Z', 'query/since'],
    ['?status=done', 'query/status'],
    ['?contact=nobody', 'query/contact'],
    ['?contact=0123', 'query/contact']
  ] as const) {
    const answer = await board.call('GET', `/messages${query}`)
    t.equal(answer.status, 400, query)
    t.equal(answer.body.errors[0].path, path, query)
  }
})

t.test('a service sees its own messages, in its own mode, and read_all sees them all', async t => {
  const board = await startBoard(t)
  const [mine, same, other, test, narrow, auditor] = await Promise.all([
    board.key(),
    board.key(),
    board.key({ service: 'shipping' }),
    board.key({ mode: 'test' }),
    board.key({ channels: ['wati'] }),
    board.key({ service: 'audit', scopes: ['messages:read', 'messages:send', 'read_all'] })
  ])
  const { body } = await post(board, text(), {}, mine)
  const path = `/messages/${body.id}`
  for (const [name, key, sees] of [
    ['its own key', mine, true],
    ['another key of the service', same, true],
    ['another service', other, false],
    ['a test key of the service', test, false],
    ['a key without the channel', narrow, false],
    ['read_all', auditor, true]
  ] as const) {
    for (const suffix of ['', '/timeline'])
      t.equal((await board.call('GET', path + suffix, { key })).status, sees ? 200 : 404, name + suffix)
    const { items } = (await board.call('GET', '/messages', { key })).body
    t.equal(items.length, sees ? 1 : 0, `${name}, listing`)
    if (!sees) t.equal((await board.call('POST', `${path}/cancel`, { key })).status, 404, `${name}, canceling`)
  }
  await until(
    () => board.call('GET', path, { key: mine }),
    answer => answer.body.status === 'accepted'
  )
})
