import t from 'tap'
import { adapters } from '../../src/adapters/index.ts'
import { permutations } from '../conformance/heard-rows.ts'
import { spentMs } from '../cost.ts'
import { type Board, cloudSettings, startBoard } from '../helper.ts'
import { until } from '../until.ts'

// From the door to what callers see, over real HTTP (docs/reliability.md P5, P36–P38; docs/webhooks.md E).

const scopes = ['messages:send', 'messages:read', 'inbound:read']
const door = async (board: Board, channel: string) => (await board.board.app.door.pathOf(channel, 'live'))!
const post = async (board: Board, channel: string, body: unknown) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return board.call('POST', await door(board, channel), { key: '', body: text })
}
const meta = (value: object, field = 'messages', account = cloudSettings.businessAccountId) => ({
  object: 'whatsapp_business_account',
  entry: [{ id: account, changes: [{ field, value: { messaging_product: 'whatsapp', ...value } }] }]
})
const metadata = { display_phone_number: '+1 415-555-0199', phone_number_id: cloudSettings.phoneNumberId }
const status = (id: string, word: string, more: object = {}) => ({
  ...{ id, status: word, timestamp: '1795774460', recipient_id: '14155551234' },
  ...(word === 'failed' && { errors: [{ code: 131026, title: 'Message undeliverable' }] }),
  ...more
})
const statuses = (...all: object[]) => meta({ metadata, statuses: all })
const text = { type: 'text', text: { body: 'Hello' }, to: '+1 415 555 1234' }
const get = async (board: Board, id: string) => (await board.call('GET', `/messages/${id}`)).body
const reached = (board: Board, id: string, word: string) =>
  until(
    () => get(board, id),
    ({ status }) => status === word
  )

t.test('a message is told sent, delivered and read, with its price, and whoever waits is told', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes })
  const { body: sent } = await board.call('POST', '/messages', { key, body: { ...text, channel: 'cloud' } })
  const waiting = board.call('GET', `/messages/${sent.id}`, { key, headers: { prefer: 'wait=20' } })
  const pricing = { billable: true, pricing_model: 'PMP', category: 'utility', type: 'regular' }
  await post(board, 'cloud', statuses(status(sent.providerMessageId, 'sent', { pricing })))
  t.match(await reached(board, sent.id, 'sent'), { final: false, pricing: { category: 'utility', type: 'regular' } })
  await post(board, 'cloud', statuses(status(sent.providerMessageId, 'delivered')))
  const { body: delivered } = await waiting
  t.match(delivered, { status: 'delivered', final: true, recipient: { waId: '14155551234' } })
  await post(board, 'cloud', statuses(status(sent.providerMessageId, 'read')))
  await reached(board, sent.id, 'read')
  const { body } = await board.call('GET', `/messages/${sent.id}/timeline`, { key })
  t.strictSame(body.items.map((item: { status: string }) => item.status).slice(-4), [
    'accepted',
    'sent',
    'delivered',
    'read'
  ])
})

t.test('what a provider tells of tomorrow has happened now', async t => {
  const board = await startBoard(t)
  const { body: sent } = await board.call('POST', '/messages', { body: { ...text, channel: 'cloud' } })
  const tomorrow = Math.floor(Date.now() / 1000) + 86_400
  await post(board, 'cloud', statuses(status(sent.providerMessageId, 'delivered', { timestamp: String(tomorrow) })))
  const { deliveredAt } = await reached(board, sent.id, 'delivered')
  t.ok(Date.parse(deliveredAt) < tomorrow * 1000 - 3600_000, deliveredAt)
})

t.test('of all orders of bodies, with duplicates, the end is the same', async t => {
  const board = await startBoard(t)
  const words = ['sent', 'failed', 'delivered', 'read']
  const ids: string[] = []
  for (const [i, order] of permutations(words).entries()) {
    const { body } = await board.call('POST', '/messages', {
      body: { ...text, channel: 'cloud', to: `+1415555${1000 + i}` }
    })
    ids.push(body.id)
    for (const word of [...order, ...order]) await post(board, 'cloud', statuses(status(body.providerMessageId, word)))
  }
  for (const id of ids) t.match(await reached(board, id, 'read'), { final: true })
})

t.test('a thousand statuses in one body, of two accounts, beside calls and what nobody knows', async t => {
  const board = await startBoard(t)
  const { body: sent } = await board.call('POST', '/messages', { body: { ...text, channel: 'cloud' } })
  const many = Array.from({ length: 1000 }, (_, i) =>
    status(i === 999 ? sent.providerMessageId : `wamid.${i}`, 'delivered')
  )
  const body = statuses(...many)
  body.entry.unshift(
    ...meta(
      { metadata: { ...metadata, phone_number_id: '1' }, statuses: [status(sent.providerMessageId, 'failed')] },
      'messages',
      '2'
    ).entry
  )
  body.entry.push(...meta({ metadata, statuses: [{ id: 'wacid.1', type: 'call', status: 'RINGING' }] }, 'calls').entry)
  body.entry.push(...meta({ whatever: true }, 'field_of_tomorrow').entry)
  const ms = await spentMs(async () => t.equal((await post(board, 'cloud', body)).status, 200))
  t.ok(ms < 2000, `${ms} ms of the processor`)
  t.match(await reached(board, sent.id, 'delivered'), { error: undefined }, 'another number’s failure is not ours')
  // Counted when the commit has ended, which is seen before.
  const metrics = await until(
    async () => (await board.call('GET', '/metrics')).text,
    text => text.includes('kind="status",outcome="parked"} 999')
  )
  t.match(metrics, 'kind="status",outcome="foreign"')
})

t.test(
  'what names another channel’s number of the connection is that channel’s, also before one that names none',
  async t => {
    const board = await startBoard(t)
    const { body: wati } = await board.call('GET', '/channels/wati')
    const numbers = { first: '14155550801', second: '14155550802' }
    for (const [id, channelPhoneNumber] of Object.entries(numbers)) {
      const body = { id, provider: 'wati', connectionId: wati.connectionId, settings: { channelPhoneNumber } }
      t.equal((await board.call('POST', '/channels', { body })).status, 201)
    }
    const write = (at: string, text: string, channelPhoneNumber: string | null) => {
      const event = { eventType: 'message', id: text, waId: '14155550900', type: 'text', text, timestamp: '1795774460' }
      return post(board, at, { ...event, owner: false, channelPhoneNumber })
    }
    await write('wati', 'first at wati', numbers.first)
    await write('second', 'first at second', numbers.first)
    await write('first', 'second at first', numbers.second)
    await write('first', 'nobody at first', null)
    await write('wati', 'another at wati', '14155550803')
    const items = await until(
      async () => (await board.call('GET', '/messages?contact=14155550900')).body.items,
      items => items.length === 5
    )
    const read = items.map(({ channel, text }: { channel: string; text: { body: string } }) => [text.body, channel])
    t.strictSame(Object.fromEntries(read), {
      'first at wati': 'first',
      'first at second': 'first',
      'second at first': 'second',
      'nobody at first': 'first',
      'another at wati': 'wati'
    })
  }
)

t.test('an unknown message is proved by the id that we planted', async t => {
  const board = await startBoard(t)
  const body = { ...text, channel: 'cloud', to: '+15550100012' }
  const { body: sent } = await board.call('POST', '/messages', { body, headers: { prefer: 'wait=20' } })
  t.match(sent, { status: 'unknown' })
  await post(
    board,
    'cloud',
    statuses(status('wamid.PROVED', 'delivered', { biz_opaque_callback_data: `sb1.${sent.id}` }))
  )
  t.match(await reached(board, sent.id, 'delivered'), { final: true, providerMessageId: 'wamid.PROVED' })
})

t.test('a failure after acceptance has the code of a refusal; a closed window brings the fallback', async t => {
  const board = await startBoard(t)
  const fallback = { template: { name: 'order_update', language: 'en_US', variables: ['Ada', '12345'] } }
  const send = async (more: object) =>
    (await board.call('POST', '/messages', { body: { ...text, channel: 'cloud', ...more } })).body
  const failed = await send({})
  await post(board, 'cloud', statuses(status(failed.providerMessageId, 'failed')))
  t.match(await reached(board, failed.id, 'failed'), {
    error: { code: 'recipient_invalid', outcome: 'not_sent', provider: { code: '131026' } }
  })
  const { body: templates } = await board.call('GET', '/templates?channel=cloud')
  t.ok(templates.items.length > 0)
  const fallen = await send({ fallback })
  t.match(fallen, { status: 'accepted' })
  const closed = { errors: [{ code: 131047, title: 'Re-engagement message' }] }
  await post(board, 'cloud', statuses(status(fallen.providerMessageId, 'failed', closed)))
  const after = await until(
    () => get(board, fallen.id),
    ({ status, attempts }) => status === 'accepted' && attempts === 2
  )
  t.match(after, { type: 'template', warnings: [/fallback/] })
  t.not(after.providerMessageId, fallen.providerMessageId)
  await post(board, 'cloud', statuses(status(after.providerMessageId, 'read')))
  await reached(board, fallen.id, 'read')
})

t.test('what people write in every form can be read by whoever may, and by nobody else', async t => {
  const board = await startBoard(t)
  const [reader, sender] = [await board.key({ scopes, service: 'bot' }), await board.key({ service: 'billing' })]
  const { body: sent } = await board.call('POST', '/messages', { key: reader, body: { ...text, channel: 'cloud' } })
  const from = { from: '14155550100', timestamp: '1795774456' }
  const contacts = [{ profile: { name: 'Ada' }, wa_id: '14155550100', user_id: 'US.1349' }]
  const written = [
    { id: 'wamid.1', type: 'text', text: { body: 'hi' }, context: { id: sent.providerMessageId } },
    {
      id: 'wamid.2',
      type: 'interactive',
      interactive: { type: 'button_reply', button_reply: { id: 'b1', title: 'Yes' } }
    },
    { id: 'wamid.3', type: 'image', image: { id: '871', mime_type: 'image/jpeg' } },
    {
      id: 'wamid.4',
      type: 'order',
      order: { catalog_id: '1', product_items: [{ product_retailer_id: 'p', quantity: 1 }] }
    },
    { id: 'wamid.5', type: 'unsupported', errors: [{ code: 131051, title: 'Message type unknown' }] },
    { id: 'wamid.6', type: 'reaction', reaction: { message_id: 'wamid.1', emoji: '' } },
    { id: 'wamid.7', type: 'location', location: { latitude: 1, longitude: 2 } },
    { id: 'wamid.8', type: 'contacts', contacts: [{ phones: [{ phone: '+1', wa_id: '1' }] }] },
    { id: 'wamid.9', type: 'system', system: { type: 'user_changed_number', new_wa_id: '14155550101', body: 'x' } }
  ]
  await post(board, 'cloud', meta({ metadata, contacts, messages: written.map(each => ({ ...from, ...each })) }))
  const list = async (key: string) =>
    (await board.call('GET', '/messages?direction=inbound&limit=100', { key })).body.items
  const items = await until(
    () => list(reader),
    found => found.length === written.length
  )
  t.strictSame(items.map(({ type }: { type: string }) => type).reverse(), [
    'text',
    'reply',
    'image',
    'order',
    'unsupported',
    'reaction',
    'location',
    'contacts',
    'system'
  ])
  const first = items.at(-1)
  t.match(first, {
    status: 'received',
    from: '14155550100',
    replyTo: sent.id,
    sender: { name: 'Ada', userId: 'US.1349' },
    text: { body: 'hi' }
  })
  t.match(items.at(-2), { reply: { kind: 'button', id: 'b1', title: 'Yes' } })
  t.match(items.at(-3).image, { mediaId: /^med_/, mimeType: 'image/jpeg' })
  t.match(items.at(-6), { reaction: { messageId: first.id, emoji: '' } })
  t.strictSame(await list(sender), [], 'a service that only sends reads nobody’s replies')
  t.equal((await board.call('GET', `/messages/${first.id}`, { key: sender })).status, 404)
  t.equal((await board.call('GET', `/messages/${first.id}`, { key: reader })).status, 200, 'CONTROL')
  // Nor may it find one out by naming it: a check would show the provider's id.
  const quoting = { ...text, to: '14155550100', channel: 'cloud', replyTo: first.id }
  const { text: _, ...rest } = { ...quoting, type: 'reaction', reaction: { messageId: first.id, emoji: '👍' } }
  const { replyTo: __, ...reacting } = rest
  for (const [body, path] of [
    [quoting, '/replyTo'],
    [reacting, '/reaction/messageId']
  ] as const) {
    for (const way of ['/messages', '/messages/validate']) {
      const { status, body: problem } = await board.call('POST', way, { key: sender, body })
      t.match([status, problem.errors?.[0]?.path], [400, path], way)
    }
    t.equal((await board.call('POST', '/messages', { key: reader, body })).status, 201, 'CONTROL')
  }
})

t.test('every fixture of both providers is read to its end', async t => {
  const board = await startBoard(t)
  const { globSync, readFileSync } = await import('node:fs')
  for (const [channel, provider] of [
    ['cloud', 'whatsapp-cloud'],
    ['wati', 'wati']
  ] as const) {
    t.ok(adapters.get(provider)?.hear)
    for (const file of globSync(`test/adapters/fixtures/${provider}/*.json`))
      t.equal((await post(board, channel, JSON.parse(readFileSync(file, 'utf8')).body)).status, 200)
  }
  await post(board, 'cloud', 'not JSON')
  await post(board, 'cloud', '[]')
  await post(board, 'cloud', meta({ metadata, statuses: [] }))
  // What tells nothing leaves a trace, as what cannot be read does.
  await until(
    async () => (await board.call('GET', '/metrics', { key: '' })).text,
    figures => /heard_total\{.*"nothing"/.test(figures) && /heard_total\{.*"unreadable"/.test(figures)
  )
  await until(
    async () => (await board.call('GET', '/messages?direction=inbound&limit=100')).body.items,
    found => found.length > 20
  )
  t.strictSame(
    board.log.filter(line => line.includes('"level":50')),
    []
  )
})
