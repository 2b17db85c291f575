import t from 'tap'
import { type Board, cloudSettings, startBoard } from '../helper.ts'
import { until } from '../until.ts'

// One contact, one conversation, one window, by every name that WhatsApp tells for a person (docs/api.md 6, docs/webhooks.md C4, A12).

const metadata = { display_phone_number: '+1 415-555-0199', phone_number_id: cloudSettings.phoneNumberId }
const [phone, moved, userId] = ['14155550100', '14155550101', 'US.13491208655302741918']
const now = () => String(Math.floor(Date.now() / 1000))

async function hearing(t: Parameters<typeof startBoard>[0]) {
  const board = await startBoard(t)
  const door = (await board.board.app.door.pathOf('cloud', 'live'))!
  const tell = (value: object) => {
    const change = { field: 'messages', value: { messaging_product: 'whatsapp', metadata, ...value } }
    const entry = [{ id: cloudSettings.businessAccountId, changes: [change] }]
    return board.call('POST', door, { key: '', body: JSON.stringify({ object: 'whatsapp_business_account', entry }) })
  }
  const found = (name: string, count: number) =>
    until(
      async () => (await board.call('GET', `/messages?contact=${name}`)).body.items as { id: string }[],
      items => items.length === count
    )
  return { board, tell, found }
}
const write = (id: string, from: object, contact: object) => ({
  contacts: [{ profile: { name: 'Ada', username: '@ada.l' }, ...contact }],
  messages: [{ id, timestamp: now(), type: 'text', text: { body: id }, ...from }]
})
const send = (board: Board, to: string) =>
  board.call('POST', '/messages', { body: { channel: 'cloud', to, type: 'text', text: { body: 'Hello' } } })

t.test('what somebody without a shared number wrote is found by the number, once that is known', async t => {
  const { board, tell, found } = await hearing(t)
  await tell(write('wamid.1', { from_user_id: userId }, { user_id: userId }))
  await found(userId, 1)
  t.match((await board.call('GET', `/contacts/${userId}/window?channel=cloud`)).body, { open: true })
  const sent = await send(board, phone)
  t.strictSame(
    (await found(phone, 1)).map(({ id }) => id),
    [sent.body.id],
    'CONTROL: two people as yet'
  )
  await tell(write('wamid.2', { from: phone, from_user_id: userId }, { wa_id: phone, user_id: userId }))
  const all = (await found(phone, 3)).map(({ id }) => id)
  t.strictSame(
    (await found(userId, 3)).map(({ id }) => id),
    all,
    'one conversation'
  )
  await board.call('POST', '/contacts', { body: { channel: 'cloud', phone, name: 'Ada Lovelace' } })
  for (const name of [phone, userId]) {
    const { body } = await board.call('GET', `/contacts/${name}?channel=cloud`)
    t.match(body, { phone, userIds: [userId], username: 'ada.l', name: 'Ada Lovelace' }, 'one contact')
    t.match((await board.call('GET', `/contacts/${name}/window?channel=cloud`)).body, { open: true }, 'one window')
  }
})

t.test('a person who changes the number stays the same person', async t => {
  const { board, tell, found } = await hearing(t)
  await board.call('POST', '/contacts', { body: { channel: 'cloud', phone, name: 'Ada' } })
  await tell(write('wamid.1', { from: phone }, { wa_id: phone }))
  await found(phone, 1)
  const change = { type: 'user_changed_number', wa_id: moved, body: 'Ada changed' }
  await tell({ messages: [{ id: 'wamid.2', from: phone, timestamp: now(), type: 'system', system: change }] })
  const all = await found(moved, 2)
  t.strictSame(await found(phone, 2), all)
  const contact = await board.call('GET', `/contacts/${moved}?channel=cloud`)
  t.match(contact, { status: 200, body: { name: 'Ada', phone: moved } })
  t.strictSame((await board.call('GET', `/contacts/${phone}?channel=cloud`)).body, contact.body)
  t.match((await board.call('GET', `/contacts/${moved}/window?channel=cloud`)).body, { open: true })
})

t.test('a number that was given to somebody else is not who had it', async t => {
  const { board, tell, found } = await hearing(t)
  const [before, after, stranger] = ['US.111', 'US.222', 'US.333']
  const day = 24 * 3600
  const long = (seconds: number) => String(Math.floor(Date.now() / 1000) - seconds)
  await tell(
    write(
      'wamid.1',
      { from: phone, from_user_id: before, timestamp: long(day + 7200) },
      { wa_id: phone, user_id: before }
    )
  )
  await found(phone, 1)
  const change = { type: 'user_changed_number', wa_id: moved, user_id: after, previous_user_id: before }
  await tell({
    messages: [{ id: 'wamid.2', from: phone, timestamp: long(day + 3600), type: 'system', system: change }]
  })
  await found(moved, 2)
  t.equal((await found(phone, 2)).length, 2, 'CONTROL: one person as yet')
  await tell(write('wamid.3', { from: phone, from_user_id: stranger }, { wa_id: phone, user_id: stranger }))
  for (const name of [stranger, phone])
    t.match(await found(name, 1), [{ providerMessageId: 'wamid.3' }], `${name}: nothing of who had the number before`)
  for (const name of [moved, before, after]) t.equal((await found(name, 2)).length, 2, name)
  for (const name of [moved, before, after]) {
    const { items } = (await board.call('GET', `/messages?contact=${name}`)).body
    t.notMatch(JSON.stringify(items), 'wamid.3', `${name}: the stranger is another`)
    t.match((await board.call('GET', `/contacts/${name}/window?channel=cloud`)).body, { open: 'unknown' }, name)
  }
  t.match((await board.call('GET', `/contacts/${phone}/window?channel=cloud`)).body, { open: true })
  await board.call('POST', '/suppressions', { body: { to: `+${phone}`, channel: 'cloud', category: 'all' } })
  t.equal((await send(board, phone)).status, 409)
  t.equal((await send(board, moved)).status, 201)
})

t.test('an older word for a changed number means the same', async t => {
  const { tell, found } = await hearing(t)
  await tell(write('wamid.1', { from: phone }, { wa_id: phone }))
  await found(phone, 1)
  const change = { type: 'customer_changed_number', new_wa_id: moved }
  await tell({ messages: [{ id: 'wamid.2', from: phone, timestamp: now(), type: 'system', system: change }] })
  t.equal((await found(moved, 2)).length, 2)
})

t.test('a number that WhatsApp knows in another way is one person by both', async t => {
  const { board, tell, found } = await hearing(t)
  const [dialled, known] = ['5215512345678', '525512345678']
  await tell(write('wamid.1', { from: dialled }, { wa_id: known, user_id: 'MX.1350' }))
  const [message] = await found(dialled, 1)
  t.match(message, { from: dialled, userId: 'MX.1350', sender: { waId: known, userId: 'MX.1350', name: 'Ada' } })
  for (const name of [known, 'MX.1350']) {
    t.strictSame(await found(name, 1), [message], name)
    t.match((await board.call('GET', `/contacts/${name}/window?channel=cloud`)).body, { open: true }, name)
  }
})

t.test('a number that somebody shares when asked is that person’s; a card of somebody else is not', async t => {
  const { tell, found } = await hearing(t)
  const card = (id: string, origin: string, number: string) => ({
    contacts: [{ profile: { name: 'Ada' }, user_id: userId }],
    messages: [
      {
        id,
        timestamp: now(),
        type: 'contacts',
        from_user_id: userId,
        contacts: [{ origin, phones: [{ phone: number }] }]
      }
    ]
  })
  await tell(card('wamid.1', 'other', `+${moved}`))
  await found(userId, 1)
  await tell(card('wamid.2', 'contact_request', `+${phone}`))
  t.equal((await found(userId, 2)).length, 2)
  t.equal((await found(phone, 2)).length, 2)
  t.equal((await found(moved, 0)).length, 0, 'CONTROL')
})

t.test('the window is open by what the person wrote last, in whatever order it comes, and by nothing else', async t => {
  const { board, tell, found } = await hearing(t)
  const window = async (name = phone) =>
    (await board.call('GET', `/contacts/${name}/window?channel=cloud`)).body as { open: unknown; closesAt?: string }
  const change = { type: 'customer_identity_changed' }
  await tell({ messages: [{ id: 'wamid.1', from: phone, timestamp: now(), type: 'system', system: change }] })
  const group = write('wamid.2', { from: phone, group_id: 'Z3JvdXA' }, { wa_id: phone })
  await tell(group)
  await found(phone, 2)
  t.match(await window(), { open: 'unknown' }, 'neither WhatsApp’s own words nor what is said in a group')
  await tell(write('wamid.3', { from: phone }, { wa_id: phone }))
  await found(phone, 3)
  const open = await window()
  t.match(open, { open: true })
  const late = String(Math.floor(Date.now() / 1000) - 30 * 3600)
  await tell(write('wamid.4', { from: phone, timestamp: late }, { wa_id: phone }))
  await found(phone, 4)
  t.strictSame(await window(), open, 'an older message that comes late')
})

t.test('a status names its recipient in another way than the message did', async t => {
  const { board, tell, found } = await hearing(t)
  const { body: sent } = await send(board, userId)
  const status = { id: sent.providerMessageId, status: 'delivered', timestamp: now() }
  await tell({ statuses: [{ ...status, recipient_id: phone, recipient_user_id: userId }] })
  t.strictSame(
    (await found(phone, 1)).map(({ id }) => id),
    [sent.id]
  )
  const { body } = await board.call('GET', `/messages/${sent.id}`)
  t.match(body, { to: userId, recipient: { waId: phone, userId }, status: 'delivered' })
})

t.test('a contact that WATI keeps is found by another name of the person as well', async t => {
  const board = await startBoard(t)
  const door = (await board.board.app.door.pathOf('wati', 'live'))!
  const known = '14155551234'
  t.equal((await board.call('GET', `/contacts/${userId}?channel=wati`)).status, 404, 'CONTROL: not yet')
  const event = { eventType: 'message', id: 'w1', whatsappMessageId: 'wamid.1', waId: known, bsuid: userId }
  const body = { ...event, type: 'text', text: 'hi', timestamp: now(), owner: false }
  t.equal((await board.call('POST', door, { key: '', body: JSON.stringify(body) })).status, 200)
  const answer = await until(
    () => board.call('GET', `/contacts/${userId}?channel=wati`),
    ({ status }) => status === 200
  )
  t.match(answer.body, { phone: known, name: 'Ada Lovelace' })
})
