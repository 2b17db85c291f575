import t from 'tap'
import { judge, mayFollow, type Rule, report, rules } from './check.ts'
import { answer, event, good, posted } from './histories.ts'
import type { History } from './history.ts'

// A judge that never finds anything would pass every run: here each rule is broken by hand.

const bad: Record<string, [Rule, (history: History) => void]> = {
  'an acknowledged message that is not there': ['lost', h => h.journal.splice(3, 1)],
  'an acknowledged message that is somebody else’s': ['lost', h => (h.journal[3]!.to = '1')],
  'a second message for one key': [
    'oneId',
    h => {
      h.acts[0]!.attempts.push(answer(9, { status: 201, id: 'e', told: 'accepted' }))
      h.journal.push({ id: 'e', to: '1', status: 'accepted' })
    }
  ],
  'a kept answer that is not the first one': [
    'replay',
    h => {
      h.acts[0]!.attempts[1]!.text = 'one'
      h.acts[0]!.attempts.push(answer(9, { status: 201, id: 'a', text: 'other', replayed: true }))
    }
  ],
  'a double send': ['twice', h => h.arrivals.push({ to: '1', processed: true })],
  'a third send of one that may be sent once more': [
    'twice',
    h => {
      h.acts[0]!.twice = true
      h.arrivals.push({ to: '1', processed: true }, { to: '1', processed: true })
    }
  ],
  'a failed message that was taken': ['falseNo', h => h.arrivals.push({ to: '2', processed: true })],
  'a canceled message that was taken': ['falseNo', h => h.arrivals.push({ to: '4', processed: true })],
  'an expired message that was taken': ['falseNo', h => (h.journal[2]!.status = 'expired')],
  'an accepted message that was not taken': ['falseYes', h => (h.arrivals[0]!.processed = false)],
  'a message that is still queued': ['limbo', h => (h.journal[2]!.status = 'queued')],
  'a message that is still sending': ['limbo', h => (h.journal[2]!.status = 'sending')],
  'an accepted one that is unknown later': ['backwards', h => (h.journal[0]!.status = 'unknown')],
  'a canceled one that is accepted later': ['backwards', h => (h.journal[3]!.status = 'accepted')],
  'an unknown one that waits again': [
    'backwards',
    h => h.sights.push({ id: 'c', status: 'queued', final: false, from: 5, until: 6 })
  ],
  'a final unknown that changes': [
    'backwards',
    h => {
      h.sights[0]!.final = true
      h.journal[2]!.status = 'accepted'
    }
  ],
  'a caller who was told not_sent of what was taken': ['notSent', h => h.arrivals.push({ to: '5', processed: true })],
  'a message that nobody asked for': ['stranger', h => h.journal.push({ id: 'x', to: '9', status: 'unknown' })],
  'a send without a message': ['stranger', h => h.arrivals.push({ to: '9', processed: true })],
  'two living messages of one key': ['stranger', h => h.journal.push({ id: 'x', to: '3', status: 'unknown' })],
  'a status that had no effect': ['unheard', h => h.heard!.told.push({ ...h.heard!.told[0]!, kind: 'read' })],
  'something written that is not there': ['unheard', h => (h.heard!.rows.messages.at(-1)!.provider_message_id = 'w8')],
  'something there that nobody wrote': ['stranger', h => (h.heard!.rows.messages.at(-1)!.provider_message_id = 'w8')],
  'something written that is there twice': [
    'echo',
    h => h.heard!.rows.messages.push({ ...h.heard!.rows.messages.at(-1)!, id: 'j' })
  ],
  'a status that stands in the timeline twice': [
    'echo',
    h => (h.heard!.rows.messages[0]!.timeline += `\n${JSON.stringify({ status: 'sent', attempt: 1 })}`)
  ],
  'a delivered one that nobody told of': ['falseYes', h => (h.heard!.rows.messages[0]!.state = 'delivered')],
  'a state without an event': ['eventless', h => h.heard!.rows.events.splice(2, 1)],
  'a state that was shown and has no event': [
    'eventless',
    h => h.sights.push({ id: 'd', status: 'accepted', final: false, from: 1, until: 2 })
  ],
  'an event of what did not happen': ['ghost', h => h.heard!.rows.events.splice(2, 0, event('a', 'delivered'))],
  'an event of a message that is not there': ['ghost', h => h.heard!.rows.events.push(event('x', 'sent'))],
  'a state with two events': ['ghost', h => h.heard!.rows.events.splice(2, 0, event('a', 'accepted'))],
  'events in another order than the states': [
    'backwards',
    h => h.heard!.rows.events.unshift(h.heard!.rows.events.splice(2, 1)[0]!)
  ],
  'an event that was not posted': ['untold', h => h.heard!.posted.splice(0, 1)],
  'an event that was posted under two ids': [
    'untold',
    h => h.heard!.posted.push({ ...h.heard!.posted[0]!, id: h.heard!.posted[0]!.id.replace(/f$/, '0') })
  ],
  'an event that was posted with two sequences': [
    'order',
    h => h.heard!.posted.push({ ...h.heard!.posted[0]!, sequence: 1 })
  ],
  'a sequence that does not rise within a contact': [
    'order',
    h => (h.heard!.posted = h.heard!.posted.map(one => ({ ...one, sequence: -one.sequence })))
  ],
  'a counter that is off': ['usage', h => h.heard!.rows.usage.off.push('2026-11-29 … sent: counted 1 more')],
  'nothing that was counted': ['blind', h => (h.heard!.rows.usage.counters = 0)],
  'something posted that is no event': ['ghost', h => h.heard!.posted.push(posted(event('a', 'read')))],
  'a webhook that nobody read': ['blind', h => (h.heard!.rows.unread = 1)],
  'a record that has lost something': ['blind', h => (h.dropped = 1)],
  'a record that is empty': ['blind', h => (h.arrivals = [])]
}

t.test('a run without a fault passes every rule, and every rule was held against something', async t => {
  const { violations, checked, counts } = judge(good())
  t.strictSame(violations, [])
  // No key has more than one answer with a message here.
  t.strictSame(
    Object.entries(checked).filter(([, count]) => count === 0),
    [
      ['oneId', 0],
      ['replay', 0]
    ]
  )
  t.match(counts, { acts: 5, ok: 3, refused: 2, unanswered: 1, unknown: 1, unknownButTaken: 1 })
})

for (const [name, [rule, spoil]] of Object.entries(bad))
  t.test(`${name} is found`, async t => {
    const history = good()
    spoil(history)
    const judgement = judge(history)
    t.ok(
      judgement.violations.some(one => one.rule === rule),
      `against ${rule}: ${JSON.stringify(judgement.violations)}`
    )
    t.match(report(judgement).join('\n'), `VIOLATION ${rule}`)
  })

t.test('every rule has a bad history', async t => {
  const broken = new Set(Object.values(bad).map(([rule]) => rule))
  t.strictSame(
    Object.keys(rules).filter(rule => !broken.has(rule as Rule)),
    []
  )
})

t.test('a failed message whose answer was a 5xx makes room for another of the same key', async t => {
  const history = good()
  history.acts[1]!.attempts = [
    answer(0, { status: 502, id: 'b', told: 'over', outcome: 'not_sent' }),
    answer(5, { status: 201, id: 'e', told: 'accepted' })
  ]
  history.journal.push({ id: 'e', to: '2', status: 'accepted' })
  history.arrivals.push({ to: '2', processed: true })
  t.strictSame(judge(history).violations, [])
})

t.test('one that may be sent once more may be taken twice', async t => {
  const history = good()
  history.acts[0]!.twice = true
  history.arrivals.push({ to: '1', processed: true })
  t.strictSame(judge(history).violations, [])
})

t.test('two sights that overlap in time have no order', async t => {
  const history = good()
  history.sights.push({ id: 'c', status: 'sending', final: false, from: 3.5, until: 5 })
  t.strictSame(judge(history).violations, [])
})

t.test('a kept answer tells how it was then, and contradicts nothing', async t => {
  const history = good()
  history.acts[2]!.attempts.push(answer(9, { status: 202, id: 'c', told: 'sending', replayed: true }))
  t.strictSame(judge(history).violations, [])
})

t.test('a status never goes backwards', async t => {
  const forward: [string, string][] = [
    ['queued', 'sending'],
    ['sending', 'queued'],
    ['sending', 'unknown'],
    ['unknown', 'accepted'],
    ['unknown', 'failed'],
    ['accepted', 'read'],
    ['over', 'expired'],
    ['expired', 'over'],
    ['unknown', 'over']
  ]
  for (const [before, after] of forward) t.ok(mayFollow(before, after), `${before} → ${after}`)
  const back: [string, string][] = [
    ['accepted', 'queued'],
    ['read', 'delivered'],
    ['unknown', 'sending'],
    ['unknown', 'canceled'],
    ['failed', 'accepted'],
    ['expired', 'queued'],
    ['canceled', 'sending'],
    ['over', 'accepted'],
    ['accepted', 'over']
  ]
  for (const [before, after] of back) t.notOk(mayFollow(before, after), `${before} → ${after}`)
})
