import t from 'tap'
import { cloudSettings, matonKey, startBoard } from '../helper.ts'

t.test('one question at the start tells a line for each channel, and /readyz what is wrong', async t => {
  const board = await startBoard(t)
  const sandbox = new Map<string, string>()
  for (const { id, provider } of (await board.call('GET', '/connections?status=active')).body.items)
    sandbox.set(provider, id)
  const wati = sandbox.get('wati')!
  await board.call('PATCH', '/channels/wati', { body: { connectionId: wati } })
  const asked = board.sandbox.ledger.entries.length
  await board.board.connectionWatch.run()
  t.match(board.sandbox.ledger.entries.slice(asked), [{ operation: 'maton.listConnections' }])
  t.equal(board.sandbox.ledger.entries.length, asked + 1, 'one for all')
  const lines = () => board.log.map(line => JSON.parse(line)).filter(line => line.connection !== undefined)
  const told = Object.fromEntries(lines().map(line => [line.channel, line]))
  t.match(told.cloud, { connection: 'missing', level: 50, msg: /look at its connectionId/ })
  t.match(told.wati, { connection: 'active', level: 30 })
  t.match((await board.call('GET', '/readyz')).body, { status: 'degraded', reason: /cloud: missing/, mode: 'live' })
  const count = lines().length
  await board.board.connectionWatch.run()
  t.equal(lines().length, count, 'said once, until it changes')

  // A connection of the other provider is none of this channel's.
  await board.call('PATCH', '/channels/cloud', { body: { connectionId: wati } })
  await board.board.connectionWatch.run()
  t.match((await board.call('GET', '/readyz')).body, { reason: /cloud: missing/ })
  await board.call('PATCH', '/channels/cloud', { body: { connectionId: sandbox.get('whatsapp-cloud')! } })
  await board.call('DELETE', '/channels/wati')
  await board.board.connectionWatch.run()
  t.match(lines().at(-1), { channel: 'cloud', connection: 'active', level: 30 })
  t.equal((await board.call('GET', '/readyz')).body.status, 'ok')
})

t.test('a connection that stands otherwise than at the last look is told of once', async t => {
  const board = await startBoard(t)
  const events = async () => (await board.call('GET', '/events?type=connection.changed')).body.items
  const { items } = (await board.call('GET', '/connections?status=active')).body
  const { id } = items.find(({ provider }: { provider: string }) => provider === 'wati')
  await board.call('PATCH', '/channels/wati', { body: { connectionId: id } })
  const { run } = board.board.connectionWatch
  await run()
  t.strictSame(await events(), [], 'CONTROL: how it stands at first is no change')
  await board.call('DELETE', `/connections/${id}?force=true`)
  await run()
  await run()
  t.match(await events(), [
    {
      channel: null,
      mode: 'live',
      data: { id, provider: 'wati', status: 'missing', before: 'active', channels: ['wati'] }
    }
  ])
  t.equal((await events()).length, 1)
})

t.test('a wrong Maton key is told as that, in the log, in /readyz and in the health of a channel', async t => {
  const board = await startBoard(t, { env: { MATON_API_KEY: `${matonKey}-of-another` } })
  await board.board.connectionWatch.run()
  t.match((await board.call('GET', '/readyz')).body, { status: 'degraded', reason: /refuses our key.*MATON_API_KEY/ })
  t.equal((await board.call('GET', '/channels/cloud/health')).body.connection.status, 'refused')
  t.equal(board.log.filter(line => line.includes('"connection":"refused"')).length, 2, 'a line a channel')
  t.notMatch(board.log.join(), matonKey)
})

t.test('channels of sandbox mode have no connection, and nobody looks for one', async t => {
  const board = await startBoard(t)
  for (const id of ['cloud', 'wati']) await board.call('DELETE', `/channels/${id}`)
  await board.call('POST', '/channels', {
    body: {
      id: 'demo-cloud',
      provider: 'whatsapp-cloud',
      connectionId: 'demo-cloud-connection',
      settings: cloudSettings
    }
  })
  const asked = board.sandbox.ledger.entries.length
  await board.board.connectionWatch.run()
  t.equal(board.sandbox.ledger.entries.length, asked)
  t.equal((await board.call('GET', '/readyz')).body.status, 'ok')
})
