import t from 'tap'
import { judge, type Rule } from './check.ts'
import { answer, broadcast, withBroadcast } from './histories.ts'
import type { History } from './history.ts'

const bad: Record<string, [Rule, (history: History) => void]> = {
  'a recipient who was reached twice': ['twice', h => h.arrivals.push({ to: '6', processed: true })],
  'a recipient without a message': ['lost', h => h.journal.splice(-1, 1)],
  'a recipient whose message is of no broadcast': ['lost', h => delete h.journal.at(-1)!.broadcast],
  'a recipient with two messages': [
    'stranger',
    h => h.journal.push({ id: 'l', to: '8', status: 'failed', broadcast: 'B' })
  ],
  'a recipient who still waits': ['limbo', h => (h.journal.at(-1)!.status = 'queued')],
  'an accepted message that was not taken': ['falseYes', h => h.arrivals.pop()],
  'a failed message that was taken': ['falseNo', h => h.arrivals.push({ to: '7', processed: true })],
  'a second broadcast that its key was answered with': [
    'oneId',
    h => h.broadcasts![0]!.attempts.push(answer(9, { status: 202, id: 'C' }))
  ],
  'a second broadcast of its key that nobody was told of': [
    'oneId',
    h => h.journal.push({ id: 'l', to: '7', status: 'failed', broadcast: 'C' })
  ],
  'a kept answer that is not the first one': [
    'replay',
    h => h.broadcasts![0]!.attempts.push(answer(9, { status: 202, id: 'B', text: 'other', replayed: true }))
  ],
  'one that was told not_sent, and was sent': [
    'notSent',
    h => {
      h.broadcasts!.push(broadcast('june', ['10'], answer(0, { status: 503, outcome: 'not_sent' })))
      h.arrivals.push({ to: '10', processed: true })
    }
  ],
  'a message to somebody whom no broadcast named': [
    'stranger',
    h => h.journal.push({ id: 'l', to: '11', status: 'unknown', broadcast: 'B' })
  ]
}

t.test('a broadcast that reached whom it could, once, passes every rule', async t => {
  const { violations, counts } = judge(withBroadcast())
  t.strictSame(violations, [])
  t.match(counts, { acts: 5, broadcasts: 1, broadcastRows: 3 })
})

for (const [name, [rule, spoil]] of Object.entries(bad))
  t.test(`${name} is found`, async t => {
    const history = withBroadcast()
    spoil(history)
    const { violations } = judge(history)
    t.ok(
      violations.some(one => one.rule === rule),
      `against ${rule}: ${JSON.stringify(violations)}`
    )
  })

t.test('what is asked for by two broadcasts may be taken twice', async t => {
  const history = withBroadcast()
  history.broadcasts!.push(broadcast('june', ['6'], answer(0, { status: 202, id: 'C' })))
  history.journal.push({ id: 'l', to: '6', status: 'accepted', broadcast: 'C' })
  history.arrivals.push({ to: '6', processed: true })
  delete history.heard
  t.strictSame(judge(history).violations, [])
})
