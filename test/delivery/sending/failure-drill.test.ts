import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { heldSandbox, patient } from '../../held.ts'
import { type Board, startBoard, until } from '../../helper.ts'

// The failure drill: every way in which a send can end, through both providers, told truthfully and sent at most once.

interface Case {
  to: string
  name: string
  status: number
  /** `code` of the problem, or the message's status. */
  cloud: string
  wati?: string
  watiStatus?: number
  outcome?: 'not_sent' | 'unknown'
}
const cases: Case[] = [
  { to: '14155551234', name: 'an ordinary number', status: 201, cloud: 'accepted' },
  { to: '15550100001', name: 'not on WhatsApp', status: 422, cloud: 'recipient_invalid' },
  { to: '15550100002', name: 'window closed', status: 409, cloud: 'window_closed' },
  {
    to: '15550100003',
    name: 'not on the allow-list',
    status: 422,
    cloud: 'recipient_invalid',
    wati: 'message_rejected'
  },
  { to: '15550100004', name: 'throttled by the provider', status: 202, cloud: 'queued' },
  { to: '15550100005', name: 'too many to one person', status: 202, cloud: 'queued' },
  { to: '15550100006', name: 'throttled by Maton', status: 202, cloud: 'queued' },
  { to: '15550100007', name: 'slow', status: 201, cloud: 'accepted' },
  { to: '15550100009', name: 'reset after sending', status: 202, cloud: 'unknown' },
  { to: '15550100010', name: 'reset before processing', status: 202, cloud: 'unknown' },
  {
    to: '15550100011',
    name: 'a failure inside a 200',
    status: 202,
    cloud: 'unknown',
    wati: 'message_rejected',
    watiStatus: 422
  },
  { to: '15550100012', name: '500 without a body', status: 202, cloud: 'unknown' },
  { to: '15550100013', name: '502 with HTML', status: 202, cloud: 'unknown' },
  { to: '15550100014', name: '504', status: 202, cloud: 'unknown' },
  { to: '15550100015', name: '503', status: 202, cloud: 'queued', wati: 'unknown' },
  { to: '15550100016', name: 'an empty 200', status: 202, cloud: 'unknown' },
  { to: '15550100017', name: 'HTML with 200', status: 202, cloud: 'unknown' },
  { to: '15550100018', name: '200 without an id', status: 202, cloud: 'unknown', wati: 'accepted', watiStatus: 201 },
  { to: '15550100019', name: '401 of Maton', status: 502, cloud: 'channel_rejected' },
  { to: '15550100020', name: '403', status: 502, cloud: 'channel_rejected' },
  { to: '15550100021', name: 'cut in the middle of the answer', status: 202, cloud: 'unknown' },
  { to: '15550100022', name: 'a redirect', status: 202, cloud: 'unknown' },
  { to: '15550100024', name: 'the content refused', status: 422, cloud: 'message_rejected' },
  { to: '15550100025', name: 'the credential expired', status: 502, cloud: 'channel_rejected' }
]

const sendsTo = (board: Board, to: string) => board.sandbox.ledger.entries.filter(entry => entry.to === to)
const text = (channel: string, to: string) => ({ channel, to, type: 'text', text: { body: 'Hello' } })

/** What is asked to wait holds up everything after it, so these have a board to themselves. */
const throttled = ['15550100004', '15550100005', '15550100006']
const groups = [
  cases.filter(({ to }) => !throttled.includes(to)),
  ...throttled.map(number => cases.filter(({ to }) => to === number))
]

for (const provider of ['cloud', 'wati'] as const)
  for (const group of groups) {
    t.test(
      `through ${provider}, ${group.length > 1 ? 'each answer means what happened, and one POST makes at most one request' : group[0]!.name}`,
      async t => {
        const board = await startBoard(t, { env: patient })
        await Promise.all(
          group.map(async each => {
            const word = provider === 'wati' ? (each.wati ?? each.cloud) : each.cloud
            const status = provider === 'wati' ? (each.watiStatus ?? each.status) : each.status
            const answer = await board.call('POST', '/messages', { body: text(provider, each.to) })
            const label = `${each.name} (${each.to})`
            t.equal(answer.status, status, `${label}: status`)
            t.equal(answer.body.code ?? answer.body.status, word, `${label}: word`)
            const seen = sendsTo(board, each.to)
            t.equal(seen.length, 1, `${label}: one request upstream`)
            if (status === 201) {
              t.ok(seen[0]!.processed, `${label}: what is called accepted was processed`)
            }
            if (answer.body.outcome === 'not_sent')
              t.notOk(seen[0]!.processed, `${label}: what is called not sent was not processed`)
            const id = answer.body.messageId ?? answer.body.id
            t.equal(answer.headers.location, `/messages/${id}`, `${label}: Location`)
            const row = await board.call('GET', `/messages/${id}`)
            t.equal(row.status, 200, `${label}: the row is there`)
            t.match(answer.headers['server-timing'], /queue;dur=.*upstream;dur=.*own;dur=/, `${label}: Server-Timing`)
          })
        )
        t.same(board.sandbox.ledger.violations(), [], 'nothing that a strict provider would refuse')
        const everything = board.log.join('\n')
        t.notMatch(everything, /1555010\d{4}|14155551234/, 'no phone number in full in the log')
        t.notMatch(everything, /maton-canary/, 'no Maton key in the log')
      }
    )
  }

t.test('a silent upstream holds a caller no longer than its wait', async t => {
  const { sandbox } = await heldSandbox(t)
  const board = await startBoard(t, { sandbox, env: patient })
  const begun = performance.now()
  const answer = await board.call('POST', '/messages', {
    body: text('cloud', '15550100008'),
    headers: { prefer: 'wait=1' }
  })
  t.ok(performance.now() - begun >= 990, 'after its wait')
  t.equal(answer.status, 202)
  t.equal(answer.body.status, 'sending', 'and not after the deadline')
  t.equal(answer.headers['preference-applied'], 'wait=1')
  await sandbox.close()
})

t.test('a silent upstream ends as unknown', async t => {
  const board = await startBoard(t, { env: { UPSTREAM_TIMEOUT_MS: '1500' } })
  const answer = await board.call('POST', '/messages', { body: text('cloud', '15550100008') })
  const after = await until(
    () => board.call('GET', `/messages/${answer.body.id}`),
    row => row.body.status === 'unknown'
  )
  t.equal(after.body.error.code, 'outcome_unknown')
  t.equal(after.body.error.outcome, 'unknown')
  t.equal(sendsTo(board, '15550100008').length, 1, 'and was not sent again')
  const timeline = await board.call('GET', `/messages/${answer.body.id}/timeline`)
  t.same(
    timeline.body.items.map((item: { status: string }) => item.status),
    ['queued', 'sending', 'unknown']
  )
})

t.test('respond-async answers at once with a durable row, which is then delivered', async t => {
  const board = await startBoard(t)
  const answer = await board.call('POST', '/messages', {
    body: text('cloud', '15550100007'),
    headers: { prefer: 'respond-async' }
  })
  t.equal(answer.status, 202)
  t.equal(answer.headers['preference-applied'], 'respond-async')
  await until(
    () => board.call('GET', `/messages/${answer.body.id}`),
    row => row.body.status === 'accepted'
  )
})

t.test('what was certainly refused for now is tried again by itself, and sent once', async t => {
  const board = await startBoard(t)
  const answer = await board.call('POST', '/messages', { body: text('cloud', '15550100023') })
  t.equal(answer.status, 202)
  t.equal(answer.body.status, 'queued')
  t.equal(answer.body.error.code, 'rate_limited', 'it says why it waits')
  const after = await until(
    () => board.call('GET', `/messages/${answer.body.id}`),
    row => row.body.status === 'accepted'
  )
  t.equal(after.body.attempts, 2)
  t.equal(sendsTo(board, '15550100023').filter(entry => entry.processed).length, 1)
})

t.test('a gateway that cannot be reached leaves the message queued and nothing sent', async t => {
  const board = await startBoard(t, { env: { MATON_BASE_URL: 'http://127.0.0.1:9' } })
  const answer = await board.call('POST', '/messages', { body: text('cloud', '14155551234') })
  t.equal(answer.status, 202)
  t.equal(answer.body.status, 'queued')
  t.equal(answer.body.error.code, 'provider_unavailable')
  t.equal(answer.body.error.outcome, 'not_sent')
  const canceled = await board.call('POST', `/messages/${answer.body.id}/cancel`)
  t.equal(canceled.body.status, 'canceled')
  t.equal((await board.call('POST', `/messages/${answer.body.id}/cancel`)).status, 409, 'once is enough')
})

t.test('a message that may not be sent before a time waits for it', async t => {
  const board = await startBoard(t)
  const far = new Date(Date.now() + 3600_000).toISOString()
  const body = { ...text('cloud', '14155559999'), sendAt: far }
  const answer = await board.call('POST', '/messages', { body })
  t.equal(answer.body.status, 'queued')
  t.equal(sendsTo(board, '14155559999').length, 0)
  const db = new DatabaseSync(join(board.directory, 'switchboard.db'))
  const near = Date.now() + 1200
  t.match(db.prepare('update messages set run_at = ?').run(near), { changes: 1 })
  db.close()
  const after = await until(
    () => board.call('GET', `/messages/${answer.body.id}`),
    row => row.body.status === 'accepted'
  )
  t.ok(Date.parse(after.body.acceptedAt) >= near, 'not before it')
})
