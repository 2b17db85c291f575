import { eventId } from '../../src/events/index.ts'
import type { Act, Attempt, BroadcastAct, History } from './history.ts'
import type { EventRow, HeardRow } from './rows.ts'
import type { Posted } from './subscriber.ts'

// A run by hand, for the judge to be tried with.

export const answer = (from: number, more: Partial<Attempt>): Attempt => ({ from, until: from + 1, ...more })
export const act = (to: string, ...attempts: Attempt[]): Act => ({ to, key: `key-${to}`, attempts })

export const broadcast = (key: string, recipients: string[], ...attempts: Attempt[]): BroadcastAct => ({
  ...{ key, recipients, attempts }
})

export const row = (id: string, contact: string, state: string, ...lines: string[]): HeardRow => ({
  ...{ id, contact, state, direction: 'outbound', provider_message_id: null },
  timeline: lines.map(status => JSON.stringify({ status, attempt: 1 })).join('\n')
})
let position = 0
export const event = (message_id: string, state: string, contact = message_id): EventRow => ({
  ...{ position: ++position, contact, channel_id: 'cloud' },
  type: `message.${state}`,
  message_id
})

export const posted = ({ position, type, message_id: message }: EventRow): Posted => ({
  id: eventId({ position, nonce: 'f'.repeat(18) } as never),
  type,
  message,
  sequence: position
})

/** With every event posted, and one of them twice. */
function withPosts(history: History): History {
  const all = history.heard!.rows.events.map(posted)
  history.heard!.posted.push(...all, all[2]!)
  return history
}

/** A run without a fault: one accepted, one refused, one unknown that was taken, one that was canceled. */
export const good = (): History =>
  withPosts({
    acts: [
      act('1', answer(0, { error: 'cut' }), answer(5, { status: 201, id: 'a', told: 'accepted' })),
      act('2', answer(0, { status: 422, id: 'b', told: 'over', outcome: 'not_sent' })),
      act('3', answer(0, { status: 202, id: 'c', told: 'sending' })),
      act('4', answer(0, { status: 202, id: 'd', told: 'queued' })),
      act('5', answer(0, { status: 503, outcome: 'not_sent' }))
    ],
    sights: [
      { id: 'c', status: 'unknown', final: false, from: 3, until: 4 },
      { id: 'd', status: 'canceled', final: true, from: 3, until: 4 }
    ],
    journal: [
      { id: 'a', to: '1', status: 'sent' },
      { id: 'b', to: '2', status: 'failed' },
      { id: 'c', to: '3', status: 'unknown' },
      { id: 'd', to: '4', status: 'canceled' }
    ],
    arrivals: [
      { to: '1', processed: true },
      { to: '2', processed: false },
      { to: '3', processed: true }
    ],
    dropped: 0,
    heard: {
      told: [
        { kind: 'sent', wamid: 'w1', to: '1', planted: true },
        { kind: 'wrote', wamid: 'w9', to: '1', planted: false }
      ],
      rows: {
        messages: [
          row('a', '1', 'sent', 'accepted', 'sent'),
          row('b', '2', 'failed', 'failed'),
          row('c', '3', 'unknown', 'sending', 'unknown'),
          row('d', '4', 'canceled', 'canceled'),
          { ...row('i', '1', 'received'), direction: 'inbound', provider_message_id: 'w9' }
        ],
        events: [
          event('a', 'accepted'),
          event('i', 'received'),
          event('a', 'sent'),
          event('b', 'failed'),
          event('c', 'unknown'),
          event('d', 'canceled')
        ],
        usage: { counters: 5, off: [] },
        unread: 0
      },
      posted: []
    }
  })

/** A run without a fault, and with a broadcast to three: one accepted, one refused, one unknown; its first answer was lost. */
export function withBroadcast(): History {
  const history = good()
  const { journal, arrivals, heard } = history
  history.broadcasts = [
    broadcast('may', ['6', '7', '8'], answer(0, { error: 'cut' }), answer(5, { status: 202, id: 'B', text: 'one' }))
  ]
  const states = { g: ['6', 'accepted'], h: ['7', 'failed'], k: ['8', 'unknown'] } as const
  for (const [id, [to, status]] of Object.entries(states)) {
    journal.push({ id, to, status, broadcast: 'B' })
    heard!.rows.messages.push(row(id, to, status, status))
    heard!.rows.events.push(event(id, status, to))
    heard!.posted.push(posted(heard!.rows.events.at(-1)!))
  }
  arrivals.push({ to: '6', processed: true })
  return history
}
