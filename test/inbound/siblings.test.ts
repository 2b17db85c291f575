import { createHmac } from 'node:crypto'
import t from 'tap'
import { cloudSettings, startBoard } from '../helper.ts'
import { until } from '../until.ts'

// Several numbers behind one address: what the door of one may tell of the others (docs/hearing.md).

const other = '106540352242999'
const appSecret = 'app-secret-of-one'
const metadata = (phone_number_id: string) => ({ display_phone_number: '14155550199', phone_number_id })
const entry = (field: string, value: object) =>
  JSON.stringify({
    object: 'whatsapp_business_account',
    entry: [{ id: cloudSettings.businessAccountId, time: Math.floor(Date.now() / 1000), changes: [{ field, value }] }]
  })
const text = (number: string, id: string) =>
  entry('messages', {
    ...{ messaging_product: 'whatsapp', metadata: metadata(number) },
    contacts: [{ wa_id: '14155550100', profile: { name: 'Ada' } }],
    messages: [
      { id, from: '14155550100', timestamp: String(Math.floor(Date.now() / 1000)), type: 'text', text: { body: id } }
    ]
  })

async function twoNumbers(t: Parameters<typeof startBoard>[0], secrets: { one?: string; two?: string }) {
  const board = await startBoard(t)
  const { connectionId } = (await board.call('GET', '/channels/cloud')).body
  const secret = (appSecret?: string) => (appSecret === undefined ? {} : { appSecret })
  await board.call('PATCH', '/channels/cloud', { body: { settings: { ...cloudSettings, ...secret(secrets.one) } } })
  const settings = { ...cloudSettings, phoneNumberId: other, ...secret(secrets.two) }
  const made = { id: 'two', provider: 'whatsapp-cloud', connectionId, settings }
  t.equal((await board.call('POST', '/channels', { body: made })).status, 201)
  const tell = async (body: string, channel = 'cloud', key = '') => {
    const door = (await board.board.app.door.pathOf(channel, 'live'))!
    const sign = `sha256=${createHmac('sha256', key).update(body).digest('hex')}`
    const headers: Record<string, string> = key === '' ? {} : { 'x-hub-signature-256': sign }
    return (await board.call('POST', door, { key: '', body, headers })).status
  }
  const bodies = async (channel: string) =>
    ((await board.call('GET', `/messages?channel=${channel}`)).body.items as { text: { body: string } }[]).map(
      message => message.text.body
    )
  return { board, tell, bodies }
}

t.test('a channel that asks for a signature is not told of through a door that checks none, or another', async t => {
  for (const one of [undefined, 'another-secret']) {
    const { board, tell, bodies } = await twoNumbers(t, { two: appSecret, ...(one && { one }) })
    t.equal(await tell(text(other, 'forged'), 'two'), 401)
    t.equal(await tell(text(other, 'forged'), 'cloud', one), 200, 'kept: it holds the token')
    t.equal(await tell(text(cloudSettings.phoneNumberId, 'own'), 'cloud', one), 200)
    await until(
      () => bodies('cloud'),
      list => list.includes('own')
    )
    t.strictSame(await bodies('two'), [])
    await until(
      () => board.log.some(line => line.includes('asks for a signature')),
      told => told
    )
    t.equal(await tell(text(other, 'genuine'), 'two', appSecret), 200)
    await until(
      () => bodies('two'),
      list => list.includes('genuine')
    )
    await board.close()
  }
})

t.test('one address may stand for many numbers: with one secret, or with none', async t => {
  for (const secret of [undefined, appSecret]) {
    const { board, tell, bodies } = await twoNumbers(t, secret === undefined ? {} : { one: secret, two: secret })
    t.match((await board.call('GET', '/channels/two/webhooks')).body, { lastHeardAt: null })
    t.equal(await tell(text(other, 'beside'), 'cloud', secret), 200)
    await until(
      () => bodies('two'),
      list => list.includes('beside')
    )
    const { body } = await until(
      () => board.call('GET', '/channels/two/webhooks'),
      ({ body }) => body.lastHeardAt !== null
    )
    t.match(body, { lastStatusAt: null }, 'it has been heard, and no status')
    const status = { id: 'wamid.none', status: 'delivered', timestamp: String(Math.floor(Date.now() / 1000)) }
    const value = { metadata: metadata(other), statuses: [status] }
    t.equal(await tell(entry('messages', value), 'cloud', secret), 200)
    await until(
      () => board.call('GET', '/channels/two/webhooks'),
      ({ body }) => body.lastStatusAt !== null
    )
    await board.close()
  }
})

t.test('what is told of the account is told of each of its channels, once', async t => {
  const { board, tell } = await twoNumbers(t, {})
  const update = entry('account_update', { event: 'DISABLED_UPDATE', ban_info: { waba_ban_state: 'DISABLE' } })
  const template = entry('message_template_status_update', {
    ...{ event: 'PAUSED', message_template_id: 1, message_template_name: 'offer', message_template_language: 'en' }
  })
  for (const channel of ['cloud', 'two']) for (const body of [update, template]) t.equal(await tell(body, channel), 200)
  const marker = text(cloudSettings.phoneNumberId, 'marker')
  t.equal(await tell(marker, 'two'), 200)
  type Event = { type: string; channel: string; data: { change?: string } }
  const events = async () => (await board.call('GET', '/events?limit=100')).body.items as Event[]
  const all = await until(events, list => list.some(({ type }) => type === 'message.received'))
  for (const [type, change] of [
    ['channel.updated', 'account'],
    ['template.updated', 'status']
  ] as const)
    t.strictSame(
      all
        .filter(event => event.type === type && event.data.change === change)
        .map(({ channel }) => channel)
        .sort(),
      ['cloud', 'two'],
      type
    )
})

t.test('two channels of one number, or of an account’s default, are told of each other', async t => {
  const board = await startBoard(t)
  const warnings = async (id: string) =>
    ((await board.call('GET', `/channels/${id}/webhooks`)).body.warnings as string[]).filter(text =>
      text.startsWith('The same number')
    )
  const like = async (of: string, id: string, settings?: object) => {
    const { body } = await board.call('GET', `/channels/${of}`)
    const made = { id, provider: body.provider, connectionId: body.connectionId, settings: settings ?? body.settings }
    t.equal((await board.call('POST', '/channels', { body: made })).status, 201)
  }
  for (const id of ['wati', 'cloud']) t.strictSame(await warnings(id), [])
  await like('wati', 'wati-numbered', { channelPhoneNumber: '85264318722' })
  await like('cloud', 'cloud-other', { ...cloudSettings, phoneNumberId: other })
  for (const id of ['wati', 'wati-numbered', 'cloud', 'cloud-other']) t.strictSame(await warnings(id), [], id)
  await like('wati', 'wati-too', {})
  await like('cloud', 'cloud-too')
  for (const [one, two] of [
    ['wati', 'wati-too'],
    ['cloud', 'cloud-too']
  ] as const) {
    t.match(await warnings(one), [two])
    t.match(await warnings(two), [new RegExp(`that of ${one}:`)])
  }
  await board.close()
})
