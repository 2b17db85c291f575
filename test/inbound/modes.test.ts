import t from 'tap'
import { type Board, cloudSettings, startBoard } from '../helper.ts'
import { until } from '../until.ts'

// A channel with an account has two doors: what is told at that of test mode touches no live row, and the other way round.

const scopes = ['messages:send', 'messages:read', 'inbound:read', 'contacts:read']
const send = async (board: Board, key: string, channel: string, to: string) =>
  (await board.call('POST', '/messages', { key, body: { channel, to, type: 'text', text: { body: 'Hello' } } })).body
const list = async (board: Board, key: string, query = '') =>
  (await board.call('GET', `/messages?limit=100${query}`, { key })).body.items as { id: string; status: string }[]

t.test('what the stand-in tells of a test key’s messages makes rows of test mode only', async t => {
  const board = await startBoard(t, { hears: true })
  const live = await board.key({ scopes })
  const test = await board.key({ scopes, mode: 'test' })
  for (const channel of ['cloud', 'wati']) {
    const untouched = await send(board, live, channel, '+15550100111')
    const { id } = await send(board, test, channel, '+15550100111')
    await until(
      async () => (await board.call('GET', `/messages/${id}`, { key: test })).body.status,
      status => status === 'read'
    )
    await until(
      () => list(board, test, `&direction=inbound&channel=${channel}`),
      items => items.length > 0
    )
    t.strictSame(
      await list(board, live, `&direction=inbound&channel=${channel}`),
      [],
      'nobody wrote to the live number'
    )
    t.match((await board.call('GET', `/messages/${untouched.id}`, { key: live })).body, { status: 'accepted' })
    const windowOf = async (key: string) =>
      (await board.call('GET', `/contacts/15550100111/window?channel=${channel}`, { key })).body.open
    t.not(await windowOf(live), true, 'the live window stays closed')
    t.equal(await windowOf(test), true, 'CONTROL: that of test mode is open')
    t.match((await board.call('GET', `/channels/${channel}/webhooks`)).body, { lastHeardAt: null, unmatched: 0 })
  }
})

t.test('an id that both modes know moves the message of the door it came to', async t => {
  const board = await startBoard(t)
  const live = await board.key({ scopes })
  const { id, providerMessageId } = await send(board, live, 'cloud', '+14155551234')
  const metadata = { display_phone_number: '1', phone_number_id: cloudSettings.phoneNumberId }
  const tell = async (mode: 'live' | 'test') => {
    const status = { id: providerMessageId, status: 'read', timestamp: '1795774460', recipient_id: '14155551234' }
    const change = { field: 'messages', value: { messaging_product: 'whatsapp', metadata, statuses: [status] } }
    const body = JSON.stringify({ entry: [{ id: cloudSettings.businessAccountId, changes: [change] }] })
    t.equal(
      (await board.call('POST', (await board.board.app.door.pathOf('cloud', mode))!, { key: '', body })).status,
      200
    )
  }
  await tell('test')
  const parked = /kind="status",outcome="parked"\} 1/
  await until(
    async () => (await board.call('GET', '/metrics')).text,
    text => parked.test(text)
  )
  t.match((await board.call('GET', `/messages/${id}`, { key: live })).body, { status: 'accepted' })
  await tell('live')
  const moved = await until(
    async () => (await board.call('GET', `/messages/${id}`, { key: live })).body.status,
    status => status === 'read'
  )
  t.equal(moved, 'read', 'CONTROL: at the live door it counts')
})
