import t from 'tap'
import { startBoard } from '../helper.ts'

const path = '/contacts/14155551234'
/** Each act on a contact at WATI, and the call that is made to fail. */
const acts: [operation: string, write: boolean, method: string, path: string, body?: object][] = [
  ['wati.getContacts', false, 'GET', '/contacts?channel=wati'],
  ['wati.getContacts', false, 'GET', `${path}?channel=wati`],
  ['wati.getContacts', false, 'GET', '/contacts.csv?channel=wati'],
  ['wati.addContact', true, 'POST', '/contacts', { channel: 'wati', phone: '14155551234', name: 'Ada' }],
  ['wati.addContact', true, 'PATCH', `${path}?channel=wati`, { name: 'Ada' }],
  ['wati.updateContactAttributes', true, 'PATCH', `${path}?channel=wati`, { attributes: { a: 'b' } }],
  ['wati.getMessages', false, 'GET', `${path}/messages?channel=wati`],
  ['wati.getMessages', false, 'GET', `${path}/window?channel=wati`]
]
/** What a caller is told: of a read, of a write. */
const faults: Record<string, [read: string, write: string]> = {
  failure_inside_200: ['message_rejected', 'message_rejected'],
  error_500: ['provider_unavailable', 'outcome_unknown'],
  bad_gateway_html: ['provider_unavailable', 'outcome_unknown'],
  empty_200: ['provider_protocol', 'provider_protocol'],
  html_200: ['provider_protocol', 'provider_protocol'],
  maton_unauthorized: ['channel_rejected', 'channel_rejected'],
  maton_throttled: ['rate_limited', 'rate_limited'],
  cut: ['provider_unavailable', 'outcome_unknown'],
  redirect: ['provider_protocol', 'outcome_unknown']
}

t.test('a call that fails is never told as success, nor tried again behind the caller’s back', async t => {
  for (const [fault, [onRead, onWrite]] of Object.entries(faults)) {
    // A board each: so many failures would open the channel's breaker.
    const board = await startBoard(t)
    for (const [operation, write, method, where, body] of acts) {
      board.sandbox.force({ operation, fault, times: 1 })
      board.sandbox.ledger.clear()
      const answer = await board.call(method, where, body ? { body } : {})
      const name = `${method} ${where} ${fault}`
      t.equal(answer.body.code, write ? onWrite : onRead, name)
      const settled = !['outcome_unknown', 'provider_protocol'].includes(answer.body.code)
      t.equal(answer.body.outcome, write && !settled ? 'unknown' : 'not_sent', name)
      t.equal(board.sandbox.ledger.entries.length, 1, `${name}: once`)
    }
    t.strictSame(board.sandbox.ledger.violations(), [])
  }
})

t.test('a file that cannot be fetched is a problem, and never a page or a refusal told as its bytes', async t => {
  const board = await startBoard(t)
  const { body } = await board.call('GET', `${path}/messages?channel=wati`)
  const id = body.items.find(({ type }: { type: string }) => type === 'image').image.mediaId
  for (const [fault, [onRead]] of Object.entries(faults)) {
    // A file that is cut is in test/upstream/stream.test.ts: the answer's head has gone out by then.
    if (fault === 'cut') continue
    board.sandbox.force({ operation: 'wati.getMedia', fault, times: 1 })
    const answer = await board.call('GET', `/media/${id}/content`)
    t.equal(answer.body.code, onRead, fault)
  }
})
