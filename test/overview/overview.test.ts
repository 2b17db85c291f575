import t from 'tap'
import { startBoard } from '../helper.ts'

// The operator's figures: what is counted, and who sees them.

const text = (to: string, channel: string) => ({ channel, to, type: 'text', text: { body: 'Hello' } })

t.test('a channel’s line tells what was accepted, what failed and why, what is unknown, and what stops it', async t => {
  const board = await startBoard(t)
  for (const to of ['14155550001', '15550100017', '15550100003', '15550100004', '15550100005'])
    await board.call('POST', '/messages', { body: text(to, 'cloud') })
  await board.call('POST', '/channels/wati/pause')
  await board.call('POST', '/messages', { body: text('14155550001', 'wati'), headers: { prefer: 'respond-async' } })
  const { body } = await board.call('GET', '/overview')
  const [cloud, wati] = body.channels
  const of = async (status: string) => (await board.call('GET', `/messages?channel=cloud&status=${status}`)).body.items
  const failed = await of('failed')
  t.equal(cloud.failed.lastHour, failed.length)
  t.ok(failed.length > 0, 'there is something to count')
  const told = cloud.failed.codes.reduce((sum: number, { count }: { count: number }) => sum + count, 0)
  t.equal(told, failed.length)
  t.equal(cloud.accepted.lastHour, (await of('accepted')).length)
  t.equal(cloud.accepted.perMinute.length, 60)
  t.equal(cloud.unknown.open, (await of('unknown')).length)
  t.match(cloud.unknown.causes[0].cause, 'proves nothing')
  t.strictSame([cloud.paused, wati.paused, wati.waiting], [false, true, 1])
  const backlog = (await board.call('GET', '/backlog')).body
  const line = backlog.items.find(({ channel }: { channel: string }) => channel === 'wati')
  t.match(line, {
    service: 'admin',
    lane: 'interactive',
    waiting: 1,
    due: 1,
    stoppedBy: ['channel'],
    expectedEndAt: null
  })
})

t.test('a key sees its own channels and its own mode', async t => {
  const board = await startBoard(t)
  const key = await board.key({ scopes: ['read_all'], channels: ['cloud'] })
  await board.call('POST', '/channels/wati/pause')
  await board.call('POST', '/messages', { body: text('14155550001', 'wati'), headers: { prefer: 'respond-async' } })
  const ids = (await board.call('GET', '/overview', { key })).body.channels.map(({ id }: { id: string }) => id)
  t.strictSame(ids, ['cloud'])
  t.strictSame((await board.call('GET', '/backlog', { key })).body.items, [])
  const test = await board.key({ scopes: ['read_all'], mode: 'test' })
  t.equal((await board.call('GET', '/backlog', { key: test })).body.waiting, 0)
  t.equal((await board.call('GET', '/overview', { key: test })).body.mode, 'test')
})

t.test('a message is found by the provider’s id, and the unknown that are settled are left out', async t => {
  const board = await startBoard(t)
  const sent = (await board.call('POST', '/messages', { body: text('14155550001', 'cloud') })).body
  const at = `/messages?providerMessageId=${encodeURIComponent(sent.providerMessageId)}`
  t.equal((await board.call('GET', at)).body.items[0]?.id, sent.id)
  t.strictSame((await board.call('GET', at, { key: await board.key() })).body.items, [], 'not another service’s')
  const unknown = (await board.call('POST', '/messages', { body: text('15550100017', 'cloud') })).body
  const open = async () => (await board.call('GET', '/messages?status=unknown&final=false')).body.items.length
  t.equal(await open(), 1)
  await board.call('POST', `/messages/${unknown.id}/resolve`, { body: { verdict: 'abandon' } })
  t.equal(await open(), 0)
})

t.test('a check of a broadcast tells every fault and keeps nothing', async t => {
  const board = await startBoard(t)
  const people = ['14155550001', '14155550001', 'nobody'].map(to => ({
    to,
    variables: { name: 'Ada', ordernumber: '1' }
  }))
  const order = {
    channel: 'cloud',
    name: 'May',
    template: { name: 'order_update', language: 'en_US' },
    recipients: people
  }
  const { status, body } = await board.call('POST', '/broadcasts/validate', { body: order })
  t.equal(status, 200)
  t.match(body, { channel: 'cloud', total: 1, duplicates: 1, skipped: 1, errors: [{ path: '/recipients/2/to' }] })
  t.match(body.sample, [{ to: '14155550001', variables: { name: 'Ada' } }])
  t.strictSame((await board.call('GET', '/broadcasts')).body.items, [])
  t.equal((await board.call('POST', '/broadcasts', { body: order })).status, 400, 'which is then refused for it')
})
