import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { order } from '../broadcasts/order.ts'
import { signedIn, type Walk, walk } from '../console.ts'
import { freePort } from '../free-port.ts'
import { type Board, matonKey, startBoard, until } from '../helper.ts'
import { unreadable } from './access-rows.ts'

// The drill: five nights, each found and ended from the overview by somebody who follows nothing but what the page shows.
// Every link that is opened and every form that is sent is a step.

const message = (to = '14155550001') => ({ channel: 'cloud', to, type: 'text', text: { body: 'Hello' } })
const send = (board: Board, to?: string) => board.call('POST', '/messages', { body: message(to) })

/** Somebody who has just signed in, and stands before the overview. */
async function woken(board: Board): Promise<Walk> {
  const way = walk(await signedIn(board))
  await way.open('/console')
  return way
}

t.test('a provider that answers 500: three steps to the stop, five from its end to a message that arrived', async t => {
  const board = await startBoard(t)
  board.sandbox.force({ fault: 'error_500', operation: 'cloud.sendMessage', times: 12 })
  for (let i = 0; i < 12; i++) await send(board)
  const way = await woken(board)
  t.match(way.words(), /Us nothing wrong is known/)
  t.match(way.words(), /Maton nothing wrong is known/)
  t.match(way.words(), /Providers \d findings?/)
  await way.follow(/^cloud: 12 of the last 12 calls got no answer/)
  await way.follow(/^Pause…/)
  t.match(way.words(), /0 messages waiting on the channel cloud will stand still/)
  await way.press()
  t.equal(way.steps(), 3)
  t.equal((await board.call('GET', '/channels/cloud')).body.paused, true)
  await t.rejects(way.follow(/^Pause…/), 'CONTROL: what the page does not show cannot be followed')

  const after = await woken(board)
  await after.follow(/^cloud: paused/)
  await after.follow(/^Resume…/)
  await after.press()
  await after.follow(/^Test message…/)
  await after.press({ to: '14155550002', text: 'Is anybody there?' })
  t.equal(after.steps(), 5)
  t.match(after.words(), /● accepted msg_/)
  t.equal(board.sandbox.ledger.sends().at(-1)!.to, '14155550002')
})

t.test('a broadcast that was a mistake: three steps to its end', async t => {
  const board = await startBoard(t)
  const { id } = (await board.call('POST', '/broadcasts', { body: order(40, { ratePerSecond: 1 }) })).body
  const way = await woken(board)
  await way.follow(/^Backlog$/)
  await way.follow(/^Cancel broadcast…/)
  t.match(way.words(), /\d+ messages of “May” will not be sent, for good/)
  await way.press()
  t.equal(way.steps(), 3)
  t.match(way.words(), /The broadcast is canceled/)
  const { body } = await until(
    () => board.call('GET', `/broadcasts/${id}`),
    ({ body }) => body.counts.queued === 0 && body.counts.sending === 0
  )
  t.equal(body.status, 'canceled')
  t.ok(body.counts.canceled > 20, `${body.counts.canceled} were not sent`)
  t.equal(board.sandbox.ledger.sends().length, 40 - body.counts.canceled)
})

t.test('fifty unknowns: three steps until all are settled', async t => {
  const board = await startBoard(t)
  for (let i = 0; i < 50; i++) await send(board, unreadable)
  const way = await woken(board)
  await way.follow(/nobody knows whether 50 messages arrived/)
  t.match(way.words(), /By cause/)
  await way.follow(/^Resolve all of cloud…/)
  t.match(way.words(), /50 messages on the channel cloud will be settled by your word/)
  await way.press({ verdict: 'abandon' })
  t.equal(way.steps(), 3)
  t.match(way.words(), /They are settled.*One by one None\./)
  t.equal((await board.call('GET', '/messages?status=unknown&final=false')).body.items.length, 0)
  t.equal((await board.call('GET', '/messages?status=unknown&final=true&limit=100')).body.items.length, 50)
})

t.test('a leaked key: four steps from its last letters to its end', async t => {
  const board = await startBoard(t)
  for (const service of ['shop', 'till']) await board.key({ service })
  const leaked = await board.key({ name: 'nightly' })
  await board.call('GET', '/keys/self', { key: leaked })
  const way = await woken(board)
  await way.follow(/^Keys$/)
  await way.follow(/./, new RegExp(`…${leaked.slice(-4)}`))
  t.match(way.words(), new RegExp(`billing: nightly .*…${leaked.slice(-4)}`))
  t.match(way.words(), /127\.0\.0\.1/, 'from where it was used')
  await way.follow(/^Revoke…/)
  t.match(way.words(), /From now on the key … ?\w{4} of billing \(nightly\) is refused/)
  await way.press()
  t.equal(way.steps(), 4)
  t.equal((await board.call('GET', '/keys/self', { key: leaked })).status, 401)
})

/** A board whose provider has switched a webhook off, as a start finds it ten minutes later. */
async function silent(t: Test): Promise<Board> {
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  t.teardown(() => sandbox.close())
  const directory = t.testdir()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const start = () => startBoard(t, { sandbox, directory, port, env: { PUBLIC_URL: url } })
  const first = await start()
  await first.call('POST', '/channels', {
    body: { id: 'wati', provider: 'wati', connectionId: 'wati-connection', settings: {} }
  })
  await first.call('POST', '/channels/wati/webhooks')
  await first.close()
  for (const [key, hooks] of sandbox.hooks()) if (key.startsWith('tenant/')) for (const hook of hooks) hook.status = 2
  const db = new DatabaseSync(join(directory, 'switchboard.db'))
  db.exec(`update webhook_registrations set checked_at = ${Date.now() - 11 * 60_000}`)
  db.close()
  return { ...(await start()), url }
}

t.test('a silent webhook: three steps until it is heard again', async t => {
  const board = await silent(t)
  const webhooks = async () => (await board.call('GET', '/channels/wati/webhooks')).body
  await until(webhooks, ({ silentSince }) => silentSince !== undefined)
  const way = await woken(board)
  await way.follow(/^wati: its webhooks have gone silent/)
  t.match(way.words(), /Silent for .*Register the webhooks again/)
  await way.follow(/^Register…/)
  await way.press()
  t.equal(way.steps(), 3)
  t.match(way.words(), /The provider was told/)
  t.notMatch(way.words(), /Silent for/)
  t.match(await webhooks(), { registered: { atProvider: true }, silentSince: undefined })
})
