import t from 'tap'
import { type Board, startBoard, until } from '../helper.ts'

// One person by several names: WhatsApp's own form of a number, and a user id where no number is shared (docs/api.md 4 and 6).

const userId = 'US.13491208655302741918'
const text = { type: 'text', text: { body: 'Hello' } }
const send = (board: Board, to: string, more: Record<string, unknown> = {}, key?: string) =>
  board.call('POST', '/messages', { body: { channel: 'cloud', to, ...text, ...more }, ...(key && { key }) })
const last = (board: Board) => board.sandbox.ledger.sends().at(-1)!
const ids = (answer: { body: { items: { id: string }[] } }) => answer.body.items.map(({ id }) => id)

t.test(
  'the number that WhatsApp knows is kept, and both find the message, the contact and the conversation',
  async t => {
    const board = await startBoard(t)
    const sent = await send(board, '+52 55 1234 5678')
    t.match(sent, { status: 201, body: { to: '525512345678', recipient: { waId: '5215512345678' } } })
    await board.call('POST', '/contacts', { body: { channel: 'cloud', phone: '525512345678', name: 'Ada' } })
    const other = await send(board, '5215512345678')
    const both = [other.body.id, sent.body.id]
    for (const phone of ['525512345678', '5215512345678', '+52 1 55 1234 5678']) {
      const path = encodeURIComponent(phone)
      t.strictSame(ids(await board.call('GET', `/messages?contact=${path}`)), both, phone)
      t.strictSame(ids(await board.call('GET', `/messages?contact=${path}&channel=cloud`)), both, phone)
      t.strictSame(ids(await board.call('GET', `/contacts/${path}/messages?channel=cloud`)), both, phone)
      const contact = await board.call('GET', `/contacts/${path}?channel=cloud`)
      t.match(contact, { status: 200, body: { phone: '525512345678', name: 'Ada', userIds: [] } }, phone)
    }
    const changed = await board.call('POST', '/contacts', {
      body: { channel: 'cloud', phone: '+52 1 55 1234 5678', name: 'Ada King' }
    })
    t.match(changed, { status: 200, body: { phone: '525512345678', name: 'Ada King' } }, 'no second one')
    t.strictSame(ids(await board.call('GET', '/messages?contact=525512345679')), [], 'and nobody else')
  }
)

t.test('a user id reaches Meta as recipient, and is found by it', async t => {
  const board = await startBoard(t)
  const sent = await send(board, ` ${userId} `)
  t.match(sent, { status: 201, body: { to: userId, userId, recipient: { userId }, status: 'accepted' } })
  t.match(last(board), { to: userId, body: { recipient: userId, type: 'text' } })
  t.notOk('to' in (last(board).body as object), 'never in `to`, where Meta answers 200 and drops it')
  t.strictSame(ids(await board.call('GET', `/messages?contact=${userId}`)), [sent.body.id])
  t.strictSame(ids(await board.call('GET', `/contacts/${userId}/messages?channel=cloud`)), [sent.body.id])
  for (const wrong of ['us.1', 'US.', 'US.ENT.', 'US.1-2', 'USA.1', `US.${'1'.repeat(129)}`])
    t.match(await send(board, wrong), { status: 400, body: { errors: [{ path: '/to' }] } }, wrong)
  const dry = await board.call('POST', '/messages/validate', { body: { channel: 'cloud', to: userId, ...text } })
  t.match(dry, { status: 200, body: { request: { body: { recipient: userId } } } })
})

t.test('a key with prefixes writes to a user id only where it names the country', async t => {
  const board = await startBoard(t)
  const digits = await board.key({ recipientPrefixes: ['1', '49'] })
  const country = await board.key({ recipientPrefixes: ['49', 'US.'] })
  t.equal((await send(board, userId, {}, digits)).status, 403)
  t.equal((await send(board, userId, {}, country)).status, 201)
  t.equal((await send(board, 'US.ENT.11815799212886844830', {}, country)).status, 201)
  t.equal((await send(board, 'DE.11815799212886844830', {}, country)).status, 403)
  t.equal((await send(board, '14155551234', {}, country)).status, 403, 'a country of user ids allows no number')
})

t.test('an authentication template to a user id: a warning ahead, and Meta’s refusal in our words', async t => {
  const board = await startBoard(t)
  const login = { type: 'template', template: { name: 'login_code', language: 'en_US', variables: { 1: '123456' } } }
  const dry = await board.call('POST', '/messages/validate', { body: { channel: 'cloud', to: userId, ...login } })
  t.match(dry, { status: 200, body: { warnings: [/131062/] } })
  const refused = await board.call('POST', '/messages', { body: { channel: 'cloud', to: userId, ...login } })
  t.match(refused, { status: 422, body: { code: 'recipient_invalid', provider: { code: 131062 } } })
  const number = await board.call('POST', '/messages', { body: { channel: 'cloud', to: '14155551234', ...login } })
  t.match(number, { status: 201, body: { warnings: [] } }, 'CONTROL: to a number it goes')
})

t.test('WATI gets a user id as its target, in every kind of message', async t => {
  const board = await startBoard(t)
  const interactive = { body: 'Choose', buttons: [{ title: 'Yes' }] }
  const order = { name: 'order_update', language: 'en_US', variables: { name: 'Ada', ordernumber: '1' } }
  for (const content of [text, { type: 'buttons', buttons: interactive }, { type: 'template', template: order }]) {
    const sent = await send(board, userId, { channel: 'wati', text: undefined, ...content })
    t.match(sent, { status: 201, body: { to: userId, userId } }, content.type)
    t.match(last(board), { to: userId, query: { target: userId } }, content.type)
    t.notOk('whatsappNumber' in last(board).query, content.type)
  }
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('a broadcast of WATI’s reaches those without a number one by one', async t => {
  const board = await startBoard(t)
  const variables = { name: 'Ada', ordernumber: '1' }
  const people = ['14155550001', userId, '14155550002', 'US.2']
  const made = await board.call('POST', '/broadcasts', {
    body: {
      channel: 'wati',
      name: 'x',
      template: { name: 'order_update', language: 'en_US' },
      recipients: people.map(to => ({ to, variables }))
    }
  })
  t.match(made, { status: 202, body: { total: 4 } })
  const broadcast = async () => (await board.call('GET', `/broadcasts/${made.body.id}`)).body
  await until(broadcast, ({ status }) => status === 'finished')
  const taken = board.sandbox.ledger.sends().flatMap(({ deliveries }) => deliveries.map(({ to }) => to))
  t.strictSame(taken.sort(), [...people].sort(), 'everybody once')
  t.strictSame(board.sandbox.ledger.violations(), [])
  const { body } = await board.call('GET', `/broadcasts/${made.body.id}/messages?contact=${userId}`)
  t.match(body.items, [{ to: userId, userId, status: 'accepted' }])
})

t.test('a contact of WATI’s without a number has none, and its id’s digits are nobody’s', async t => {
  const board = await startBoard(t)
  const id = 'US.123456789012345'
  const made = await board.call('POST', `/channels/wati/native/api/v1/addContact/${id}`, {
    body: { name: 'Ada Nobody' }
  })
  t.equal(made.status, 200, made.text)
  const { body } = await board.call('GET', '/contacts?channel=wati&name=nobody')
  t.match(body.items, [{ phone: null, userIds: [id], name: 'Ada Nobody' }])
  t.match(await board.call('GET', `/contacts/${id}?channel=wati`), {
    status: 200,
    body: { phone: null, userIds: [id] }
  })
  t.equal((await board.call('GET', '/contacts/123456789012345?channel=wati')).status, 404)
})

t.test('every call of WATI’s that takes the channel’s number carries it, and no other does', async t => {
  const board = await startBoard(t)
  const number = '85264318722'
  await board.call('POST', '/channels', {
    body: { id: 'hk', provider: 'wati', connectionId: 'wati-connection', settings: { channelPhoneNumber: number } }
  })
  const to = '14155551234'
  const body = (content: Record<string, unknown>) => ({ channel: 'hk', to, ...content })
  const order = { name: 'order_update', language: 'en_US', variables: { name: 'Ada', ordernumber: '1' } }
  const list = { body: 'x', button: 'Open', sections: [{ title: 'A', rows: [{ title: 'Row' }] }] }
  await board.call('POST', '/messages', { body: body(text) })
  await board.call('POST', '/messages', { body: body({ type: 'list', list }) })
  await board.call('POST', '/messages', {
    body: body({ type: 'buttons', buttons: { body: 'x', buttons: [{ title: 'Yes' }] } })
  })
  await board.call('POST', '/messages', { body: body({ type: 'template', template: order }) })
  await board.call('GET', `/contacts/${to}/messages?channel=hk`)
  await board.call('GET', `/contacts/${to}/window?channel=hk`)
  await board.call('GET', `/contacts/${to}?channel=hk`)
  await board.call('PUT', `/contacts/${to}/assignee?channel=hk`, { body: { email: 'agent@example.com' } })
  const contacts = ['wati.getContacts', 'wati.addContact', 'wati.updateContactAttributes']
  const calls = board.sandbox.ledger.entries.filter(({ operation }) => operation.startsWith('wati.'))
  const seen = new Set(calls.map(({ operation }) => operation))
  for (const name of ['sendSessionMessage', 'sendInteractiveListMessage', 'sendInteractiveButtonsMessage'])
    t.ok(seen.has(`wati.${name}`), name)
  for (const name of ['sendTemplateMessageV2', 'getMessageTemplates', 'getMessages', 'assignOperator', 'getContacts'])
    t.ok(seen.has(`wati.${name}`), name)
  for (const { operation, query, body } of calls) {
    const told = query.channelPhoneNumber ?? (body as { channel_number?: string } | null)?.channel_number
    t.equal(told, contacts.includes(operation) ? undefined : number, operation)
  }
})

t.test('another service’s file or message in a body is not there', async t => {
  const board = await startBoard(t)
  const [mine, theirs] = [await board.key(), await board.key({ service: 'shop' })]
  const form = new FormData()
  form.set('channel', 'cloud')
  form.set('file', new Blob(['Hello'], { type: 'text/plain' }), 'a.txt')
  const made = new Response(form)
  const media = await board.call('POST', '/media', {
    key: theirs,
    body: Buffer.from(await made.arrayBuffer()),
    headers: { 'content-type': made.headers.get('content-type')! }
  })
  const message = await send(board, '14155551234', {}, theirs)
  const before = board.sandbox.ledger.sends().length
  const refer: [string, Record<string, unknown>][] = [
    ['/document/mediaId', { text: undefined, type: 'document', document: { mediaId: media.body.id } }],
    ['/replyTo', { replyTo: message.body.id }],
    [
      '/reaction/messageId',
      { text: undefined, type: 'reaction', reaction: { messageId: message.body.id, emoji: '👍' } }
    ],
    [
      '/template/header/document/mediaId',
      {
        text: undefined,
        type: 'template',
        template: {
          name: 'invoice_ready',
          variables: { name: 'Ada' },
          header: { document: { mediaId: media.body.id } }
        }
      }
    ]
  ]
  for (const [path, content] of refer) {
    t.match(await send(board, '14155551234', content, mine), { status: 400, body: { errors: [{ path }] } }, path)
    const validated = await board.call('POST', '/messages/validate', {
      key: mine,
      body: { channel: 'cloud', to: '14155551234', ...text, ...content }
    })
    t.equal(validated.status, 400, `${path}, dry`)
  }
  t.equal(board.sandbox.ledger.sends().length, before, 'nothing was sent')
  for (const [path, content] of refer)
    t.equal((await send(board, '14155551234', content, theirs)).status, 201, `CONTROL: ${path} is there for its own`)
})
