import t from 'tap'
import { startBoard } from '../helper.ts'

const ada = '14155551234'

t.test('WATI: a conversation holds chat, broadcast and ticket items, newest first, in our words', async t => {
  const board = await startBoard(t)
  board.sandbox.ledger.clear()
  const { body } = await board.call(
    'GET',
    `/contacts/+1 415 555 1234/messages?channel=wati&include=events`.replaceAll(' ', '%20')
  )
  const short = body.items.map(({ direction, type, status, text }: Record<string, unknown>) => [
    direction,
    type,
    status,
    text
  ])
  t.strictSame(short, [
    ['outbound', 'text', 'failed', { body: 'Anything else?' }],
    ['outbound', 'text', 'read', { body: 'It arrives tomorrow.' }],
    ['inbound', 'image', 'received', undefined],
    ['outbound', 'event', 'sent', { body: 'The chat has been assigned to agent@example.com' }],
    ['inbound', 'text', 'received', { body: 'Where is my parcel?' }],
    ['outbound', 'template', 'delivered', { body: 'Hi Ada, your order 12345 is on its way.' }]
  ])
  const [failed, read, image, event, asked, template] = body.items
  t.match(failed.error, { code: 'message_rejected', detail: 'Message undeliverable', type: '/errors#message_rejected' })
  t.match(read, { to: ada, channel: 'wati', provider: 'wati', mode: 'live', final: true })
  t.match(image, { from: ada, image: { mediaId: /^med_[0-9a-f]{32}$/, caption: 'this one' } })
  t.match(asked, { providerMessageId: 'wamid.HBgLMTQxNTU1NTEyMzQVAgASGBQzQUFB', createdAt: '2026-04-01T09:05:00.000Z' })
  t.equal(event.providerMessageId, null)
  t.strictSame(template.template, { name: 'order_update' })
  const [entry] = board.sandbox.ledger.entries
  t.match(entry, { method: 'GET', path: `/wati/api/v1/getMessages/${ada}` })
  t.strictSame({ ...entry!.query }, { pageSize: '25', pageNumber: '1' })
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('WATI: every page of a conversation once, without events, though a message comes in between', async t => {
  const board = await startBoard(t)
  const path = `/contacts/${ada}/messages?channel=wati`
  const all = (await board.call('GET', path)).body.items.map(({ id }: { id: string }) => id)
  t.equal(all.length, 5, 'the ticket event is left out')
  for (const limit of [1, 2, 4, 5]) {
    const seen: string[] = []
    let cursor = ''
    do {
      const { body } = await board.call('GET', `${path}&limit=${limit}${cursor && `&cursor=${cursor}`}`)
      t.ok(body.items.length <= limit)
      seen.push(...body.items.map(({ id }: { id: string }) => id))
      if (cursor === '')
        await board.call('POST', '/messages', {
          body: { channel: 'wati', to: ada, type: 'text', text: { body: 'New' } }
        })
      cursor = body.nextCursor ?? ''
    } while (cursor)
    t.strictSame(seen.slice(-5), all, `limit ${limit}`)
    t.equal(new Set(seen).size, seen.length, 'nothing twice')
  }
})

t.test('WATI: a file in a conversation streams by its id, for keys of that channel and mode alone', async t => {
  const board = await startBoard(t)
  const scopes = ['contacts:read', 'media:read', 'media:write', 'inbound:read']
  const key = await board.key({ scopes, service: 'crm' })
  const list = () => board.call('GET', `/contacts/${ada}/messages?channel=wati`, { key })
  const idOf = async () =>
    (await list()).body.items.find(({ type }: { type: string }) => type === 'image').image.mediaId as string
  const id = await idOf()
  t.equal(await idOf(), id, 'the same each time')
  t.match((await board.call('GET', `/media/${id}`, { key })).body, {
    id,
    channel: 'wati',
    mimeType: 'image/jpeg',
    size: null,
    sha256: null,
    expiresAt: /^20\d\d-/
  })
  board.sandbox.ledger.clear()
  const answer = await fetchBytes(board.url, id, key)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'image/jpeg')
  t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  t.match(answer.headers.get('content-disposition'), /^attachment; filename\*=/)
  t.strictSame([...answer.bytes.subarray(0, 3)], [0xff, 0xd8, 0xff], 'the bytes of a JPEG')
  t.equal(Number(answer.headers.get('content-length')), answer.bytes.length)
  const [entry] = board.sandbox.ledger.entries
  t.equal(entry?.path, '/wati/api/v1/getMedia')
  t.strictSame({ ...entry?.query }, { fileName: 'data/images/0b5e1c7a-6f0d-4c39-9a57-2f6a8f1f0c11.jpg' })
  t.strictSame(board.sandbox.ledger.violations(), [])
  const blind = await board.key({ scopes: scopes.filter(scope => scope !== 'inbound:read') })
  for (const other of [
    await board.key({ scopes, channels: ['cloud'] }),
    await board.key({ scopes, mode: 'test' }),
    blind
  ])
    t.equal((await board.call('GET', `/media/${id}/content`, { key: other })).status, 404)
  t.match(await board.call('DELETE', `/media/${id}`, { key }), { status: 422, body: { code: 'unsupported' } })
})

/** The board's own client reads answers as text, and these are bytes. */
async function fetchBytes(url: string, id: string, key: string) {
  const answer = await fetch(`${url}/media/${id}/content`, { headers: { authorization: `Bearer ${key}` } })
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) }
}

t.test('Cloud: a conversation is what this key may see of our own messages; its window is not known', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes: ['contacts:read', 'messages:send', 'inbound:read'], service: 'crm' })
  const send = (service: string | undefined) =>
    board.call('POST', '/messages', {
      ...(service && { key: service }),
      body: { channel: 'cloud', to: ada, type: 'text', text: { body: 'Hello' } }
    })
  const first = await send(key)
  const second = await send(key)
  await send(undefined)
  await board.call('POST', '/messages', {
    key,
    body: { channel: 'cloud', to: '14155551235', type: 'text', text: { body: 'x' } }
  })
  const { body } = await board.call('GET', `/contacts/${ada}/messages?channel=cloud&limit=1`, { key })
  t.strictSame(body.items, [second.body])
  const next = await board.call('GET', `/contacts/${ada}/messages?channel=cloud&limit=1&cursor=${body.nextCursor}`, {
    key
  })
  t.strictSame(next.body, { items: [first.body], nextCursor: null })
  t.strictSame((await board.call('GET', `/contacts/${ada}/window?channel=cloud`, { key })).body, { open: 'unknown' })
})

t.test('WATI: the window follows what the contact last wrote', async t => {
  const board = await startBoard(t)
  const closed = await board.call('GET', `/contacts/${ada}/window?channel=wati`)
  t.equal(closed.body.closesAt, '2026-04-02T09:07:00.000Z')
  t.equal(closed.body.open, Date.now() < Date.parse(closed.body.closesAt))
  t.strictSame((await board.call('GET', '/contacts/14155551235/window?channel=wati')).body, { open: false })
  t.strictSame(board.sandbox.ledger.violations(), [])
})
