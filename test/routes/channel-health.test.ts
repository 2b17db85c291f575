import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { patient } from '../held.ts'
import { type Board, startBoard } from '../helper.ts'
import { closedPort, openStub, type Play } from '../upstream/stub.ts'
import { hostile } from './hostile.ts'

const [watiOne, cloudOne, pending, failed] = ['1', '2', '3', '4'].map(
  digit => `${digit.repeat(8)}-${digit.repeat(4)}-4${digit.repeat(3)}-8${digit.repeat(3)}-${digit.repeat(12)}`
)
const health = async (board: Board, channel: string, key?: string) => {
  const answer = await board.call('GET', `/channels/${channel}/health`, key === undefined ? {} : { key })
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.body
}
const bind = (board: Board, channel: string, connectionId: string) =>
  board.call('PATCH', `/channels/${channel}`, { body: { connectionId } })
const send = (board: Board, channel: string, key?: string, to = '14155551234') =>
  board.call('POST', '/messages', { body: { channel, to, type: 'text', text: { body: 'Hi' } }, ...(key && { key }) })

t.test('the status of the connection is told in our words, by one read at Maton', async t => {
  const board = await startBoard(t)
  await bind(board, 'cloud', cloudOne!)
  const before = Date.now()
  const body = await health(board, 'cloud')
  const { connection, ...rest } = body
  t.strictSame(rest, {
    channel: 'cloud',
    lastSuccessAt: null,
    paused: false,
    breaker: { state: 'closed', since: null },
    bucket: { ratePerSecond: null, available: null, waiting: 0, throttledUntil: null }
  })
  t.equal(connection.status, 'active')
  t.ok(Date.parse(connection.checkedAt) >= before && Date.parse(connection.checkedAt) <= Date.now())
  t.match(board.sandbox.ledger.entries, [{ operation: 'maton.getConnection', path: `/connections/${cloudOne}` }])
  t.equal(board.sandbox.ledger.entries.length, 1)
  await bind(board, 'cloud', failed!)
  t.equal((await health(board, 'cloud')).connection.status, 'failed')
  await bind(board, 'wati', pending!)
  const seen = await board.call('GET', '/channels/wati/health')
  t.equal(seen.body.connection.status, 'pending')
  t.notMatch(seen.text, /session_token|https?:/, 'its link is told to nobody here')
  await bind(board, 'cloud', watiOne!)
  t.equal((await health(board, 'cloud')).connection.status, 'missing', 'an account of the other provider')
  await bind(board, 'cloud', 'nobody-knows')
  t.equal((await health(board, 'cloud')).connection.status, 'missing')
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('the last success is the last acceptance of this channel in this mode', async t => {
  const board = await startBoard(t)
  const test = await board.key({ mode: 'test' })
  t.equal((await send(board, 'wati', undefined, '15550100001')).body.code, 'recipient_invalid')
  t.equal((await health(board, 'wati')).lastSuccessAt, null, 'a refusal is no success')
  await send(board, 'wati')
  const last = (await send(board, 'wati')).body
  t.equal((await health(board, 'wati')).lastSuccessAt, last.acceptedAt)
  t.equal((await health(board, 'wati', test)).lastSuccessAt, null, 'not in the other mode')
  t.equal((await health(board, 'cloud')).lastSuccessAt, null, 'not of the other channel')
  const calls = board.sandbox.ledger.entries.length
  const tested = (await send(board, 'wati', test)).body
  t.equal((await health(board, 'wati', test)).lastSuccessAt, tested.acceptedAt)
  t.equal(board.sandbox.ledger.entries.length, calls, 'with a test key the account is not asked')
  await board.close()
  const db = new DatabaseSync(join(board.directory, 'switchboard.db'))
  const plan = db
    .prepare(
      `explain query plan select accepted_at from messages where channel_id = ? and mode = ? and accepted_at is not null
       order by accepted_at desc limit ?`
    )
    .all('wati', 'live', 1)
  db.close()
  t.strictSame(
    plan.map(({ detail }) => detail),
    ['SEARCH messages USING COVERING INDEX messages_accepted (channel_id=? AND mode=? AND accepted_at>?)']
  )
})

t.test('whatever Maton does it is a 200 that says what is known by it, after one try', async t => {
  let play: Play = 'reset'
  const stub = await openStub(() => play, {})
  t.teardown(() => stub.close())
  const patiently = await startBoard(t, { env: { MATON_CONTROL_URL: stub.url, ...patient } })
  const hastily = await startBoard(t, { env: { MATON_CONTROL_URL: stub.url, UPSTREAM_TIMEOUT_MS: '400' } })
  const plays: Play[] = ['reset', 'close', 'cut', 'silence', { status: 200, body: '<html>' }, { status: 200, body: {} }]
  for (const status of [302, 400, 401, 403, 404, 429, 500, 503]) plays.push({ status })
  const said: Record<number, string> = { 401: 'refused', 403: 'refused', 404: 'missing' }
  for (const each of plays) {
    play = each
    const asked = stub.seen.length
    // Only what never answers meets a deadline that a busy machine may miss.
    const { connection } = await health(each === 'silence' ? hastily : patiently, 'cloud')
    const status = (typeof each === 'object' && said[each.status]) || 'unknown'
    t.equal(connection.status, status, JSON.stringify(each))
    t.ok(stub.seen.length - asked <= 1, 'no hidden retry')
  }
  const one = { connection_id: 'cloud-connection', app: 'whatsapp-business' }
  play = { status: 200, body: { connection: { ...one, status: 'RESTING' } } }
  t.equal((await health(patiently, 'cloud')).connection.status, 'unknown', 'a word that is new')
  play = { status: 200, body: { connection: { ...one, status: 'ACTIVE' } } }
  t.equal((await health(patiently, 'cloud')).connection.status, 'active', 'CONTROL')
  const nobody = await startBoard(t, { env: { MATON_CONTROL_URL: `http://127.0.0.1:${await closedPort()}` } })
  t.equal((await health(nobody, 'cloud')).connection.status, 'unknown')
})

t.test('rights, unknown channels and hostile identifiers', async t => {
  const board = await startBoard(t)
  const key = await board.key({ channels: ['wati'] })
  t.equal((await board.call('GET', '/channels/cloud/health', { key })).status, 403)
  t.equal((await board.call('GET', '/channels/nowhere/health')).status, 404)
  for (const text of hostile)
    t.match(await board.call('GET', `/channels/${text}/health`), { status: 400, body: { code: 'invalid_request' } })
  t.match(await board.call('GET', '/channels/cloud/health?x=1'), { status: 400 })
  t.equal(board.sandbox.ledger.entries.length, 0)
})
