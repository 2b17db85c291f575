import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { createOutcomes } from '../../../src/delivery/sending/outcome.ts'
import { messageQueries } from '../../../src/messages/queries.ts'
import { message } from '../../conformance/store-rows.ts'
import { patient } from '../../held.ts'
import { type Board, startBoard, until } from '../../helper.ts'
import { folder, open } from '../../store/embedded.ts'

// The providers' own limits, at an account that is much faster than they are.

const fast = { MATON_RATE_PER_SECOND: '200', UPSTREAM_TIMEOUT_MS: '1500' }
const later = { headers: { prefer: 'respond-async' } }
const seen = (board: Board, operation: string) =>
  board.sandbox.ledger.entries.filter(entry => entry.operation === operation).length
/** Slots of a window that are given away. A slot goes by unused where a busy machine is too late for it, and counts all the same. */
const booked = (board: Board, limit: string): number => {
  const db = new DatabaseSync(join(board.directory, 'switchboard.db'), { readOnly: true })
  const row = db.prepare('select log from paces where key like ?').get(`%${limit}%`) as { log: string } | undefined
  db.close()
  return row ? JSON.parse(row.log).length : 0
}
const text = (channel: string, to: number) => ({ channel, to: String(to), type: 'text', text: { body: 'Hello' } })

const read = (board: Board) => board.call('GET', '/contacts/14155551234/messages?channel=wati')
const reads = async (board: Board, count: number) =>
  (await Promise.all(Array.from({ length: count }, () => read(board)))).map(({ status }) => status)

t.test(
  'WATI’s window for histories is kept: the eleventh call in ten seconds is told to wait, and others go on',
  async t => {
    const patiently = await startBoard(t, { env: { ...fast, ...patient } })
    t.strictSame(await reads(patiently, 10), Array(10).fill(200))
    t.equal(booked(patiently, 'essages'), 10, 'the window is full')
    await patiently.close()
    // As if all of them had been made just now, however long they took.
    const db = new DatabaseSync(join(patiently.directory, 'switchboard.db'))
    const { changes } = db
      .prepare('update paces set log = ? where key like ?')
      .run(JSON.stringify(Array(10).fill(Date.now() + 5000)), '%essages%')
    db.close()
    t.equal(changes, 1)
    const { directory, sandbox } = patiently
    const board = await startBoard(t, { env: fast, directory, sandbox })
    t.strictSame(await reads(board, 2), [429, 429])
    t.equal(seen(board, 'wati.getMessages'), 10)
    t.equal((await board.call('GET', '/contacts?channel=wati')).status, 200, 'contacts have a window of their own')
    t.equal((await board.call('POST', '/messages', { body: text('wati', 14155551234) })).status, 201)
  }
)

t.test('control: without a pace all of them go out', async t => {
  const board = await startBoard(t, { env: { MATON_RATE_PER_SECOND: '0', ...patient } })
  t.strictSame(await reads(board, 12), Array(12).fill(200))
  t.equal(seen(board, 'wati.getMessages'), 12)
})

t.test('WATI’s window for templates is kept, thirty in ten seconds, and holds up its own line alone', async t => {
  const board = await startBoard(t, { env: fast })
  const template = { name: 'order_update', language: 'en_US', variables: { name: 'Ada', ordernumber: '1' } }
  for (let i = 0; i < 33; i++)
    await board.call('POST', '/messages', {
      body: { channel: 'wati', to: String(14155560000 + i), type: 'template', template },
      ...later
    })
  await until(
    () => booked(board, 'templates'),
    count => count >= 30
  )
  const other = await board.key({ service: 'other' })
  const free = await board.call('POST', '/messages', { body: text('wati', 14155551234), key: other })
  t.equal(free.status, 201, 'what stands in another line goes out')
  t.ok(seen(board, 'wati.sendTemplateMessageV2') <= 30)
  const { items } = (await board.call('GET', '/messages?status=queued')).body
  t.ok(items.length >= 3, `${items.length} wait`)
})

t.test('Meta’s pair rate: the 46th message to one person waits, and nobody else does', async t => {
  const board = await startBoard(t, { env: fast })
  for (let i = 0; i < 47; i++) await board.call('POST', '/messages', { body: text('cloud', 14155551234), ...later })
  await until(
    () => booked(board, 'pair/'),
    count => count >= 45
  )
  t.equal((await board.call('POST', '/messages', { body: text('cloud', 14155559999) })).status, 201)
  t.ok(seen(board, 'cloud.sendMessage') <= 46)
  const { items } = (await board.call('GET', '/messages?contact=14155551234&status=queued')).body
  t.ok(items.length >= 2, `${items.length} wait`)
})

t.test('the dry run tells how long the provider asked us to wait', async t => {
  const board = await startBoard(t, { env: fast })
  const wait = async () => (await board.call('POST', '/messages/validate', { body: text('wati', 14155551234) })).body
  t.equal((await wait()).expectedWaitSeconds, 0)
  const since = performance.now()
  await board.call('POST', '/messages', { body: text('wati', 15550100004), ...later })
  // A second or so is what the message itself waits for; what the provider asks for comes with its answer.
  const told = await until(wait, ({ expectedWaitSeconds }) => expectedWaitSeconds > 2)
  const gone = (performance.now() - since) / 1000
  t.ok(
    told.expectedWaitSeconds >= Math.floor(9 - gone) && told.expectedWaitSeconds <= 11,
    `${told.expectedWaitSeconds} s`
  )
})

t.test('what says each time that it took nothing is asked six times, and then it has failed', async t => {
  const store = await open(t, await folder(t))
  const { judged } = createOutcomes(store, messageQueries(store), '')
  const verdict = (status: number | null) => ({
    code: 'provider_unavailable' as const,
    outcome: 'not_sent' as const,
    later: true,
    detail: 'down',
    provider: { name: 'whatsapp-cloud', status }
  })
  const after = (attempts: number, status: number | null) =>
    judged(message({ state: 'sending', attempts }), verdict(status)).state
  t.strictSame(
    [1, 5, 6].map(attempts => after(attempts, 503)),
    ['queued', 'queued', 'failed']
  )
  t.equal(after(50, null), 'queued', 'a connection that is refused is asked for until the message expires')
})
