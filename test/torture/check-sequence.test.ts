import t from 'tap'
import { judge } from './check.ts'
import { act, answer, event, good, posted, row } from './histories.ts'
import type { History } from './history.ts'
import type { EventRow } from './rows.ts'

/** A second message to the first one's recipient, asked for when a client had seen that one accepted. */
function followed(): History {
  const history = good()
  const { acts, journal, arrivals, heard } = history
  acts.push(act('1', answer(10, { status: 201, id: 'f', told: 'accepted' })))
  journal.push({ id: 'f', to: '1', status: 'accepted' })
  arrivals.push({ to: '1', processed: true })
  heard!.rows.messages.push(row('f', '1', 'accepted', 'accepted'))
  for (const one of heard!.rows.events) one.contact = ['a', 'i'].includes(one.message_id) ? '1' : one.contact
  const told = event('f', 'accepted', '1')
  heard!.rows.events.push(told)
  heard!.posted.push(posted(told))
  return history
}
/** The place and the sequence of one event and another, changed for each other. */
function swap({ heard }: History, one: EventRow, other: EventRow): void {
  ;[one.position, other.position] = [other.position, one.position]
  heard!.rows.events.sort((a, b) => a.position - b.position)
  heard!.posted = heard!.rows.events.map(posted)
}

t.test('the messages of one contact have one order', async t => {
  t.strictSame(judge(followed()).violations, [])
  const against = (spoil: (history: History) => void) => {
    const history = followed()
    spoil(history)
    return judge(history).violations.map(({ rule }) => rule)
  }
  t.strictSame(
    against(h => swap(h, h.heard!.rows.events[0]!, h.heard!.rows.events.at(-1)!)).filter(rule => rule === 'order'),
    ['order'],
    'what was seen before the next was asked for is told after it'
  )
  t.strictSame(
    against(h => swap(h, h.heard!.rows.events[2]!, h.heard!.rows.events.at(-1)!)),
    [],
    'CONTROL: what nobody had seen by then may be told later'
  )
  t.strictSame(
    against(h => h.arrivals.push({ to: '1', processed: true })),
    ['twice'],
    'both together were sent once too often'
  )
  t.strictSame(
    against(h => h.arrivals.splice(0, 1)),
    ['falseYes', 'falseYes'],
    'one of the two was not sent'
  )
})
