import { placeOf } from '../../src/events/index.ts'
import { grouped, type Hold, sightsOf } from './check.ts'
import type { Heard, History } from './history.ts'
import type { EventRow, Usage } from './rows.ts'

// In what order a caller is told things, and how many of them were counted.

/** Whether an event tells of what a client was shown: a problem with a messageId says only that all is over. */
const tells = ({ type }: EventRow, status: string): boolean =>
  status === 'over' ? /failed|expired|canceled/.test(type) : type === `message.${status}`

/**
 * The sequence that a subscriber is told rises within a contact and channel (docs/reliability.md P53): with the place in the
 * journal, and from what a client had seen of one message to all that befell a message it asked for afterwards.
 */
export function checkSequence(history: History, { rows, posted }: Heard, hold: Hold): void {
  const told = new Map<number, number>()
  for (const { id, sequence } of posted) {
    const place = placeOf(id) ?? 0
    hold('order', (told.get(place) ?? sequence) === sequence, () => `${id} was posted with two sequences`)
    told.set(place, sequence)
  }
  const begun = new Map<string, number>()
  for (const { attempts } of history.acts)
    for (const { id } of attempts) if (id !== undefined && !begun.has(id)) begun.set(id, attempts[0]!.from)
  const sights = grouped(sightsOf(history), ({ id }) => id)
  // What nobody was told is found by another rule.
  const known = rows.events.filter(({ position }) => told.has(position))
  const sequence = ({ position }: EventRow): number => told.get(position)!
  for (const [whose, events] of grouped(known, ({ contact, channel_id }) => `${contact} in ${channel_id}`)) {
    for (const [i, event] of events.entries())
      if (i > 0)
        hold(
          'order',
          sequence(events[i - 1]!) < sequence(event),
          () => `${whose}: ${sequence(event)} after ${sequence(events[i - 1]!)}`
        )
    const messages = [...grouped(events, ({ message_id }) => message_id)]
    for (const [earlier, before] of messages)
      for (const { status, until } of sights.get(earlier) ?? []) {
        const shown = before.find(event => tells(event, status))
        if (!shown) continue
        for (const [later, after] of messages)
          if (later !== earlier && (begun.get(later) ?? 0) > until)
            hold(
              'order',
              after.every(event => sequence(event) > sequence(shown)),
              () => `${whose}: ${earlier} was ${status} before ${later} was asked for, and is told after it`
            )
      }
  }
}

/** @param off a sentence for each counter that is not what the rows say */
export function checkUsage({ counters, off }: Usage, hold: Hold): void {
  for (let right = counters - off.length; right > 0; right--) hold('usage', true, () => '')
  for (const counter of off) hold('usage', false, () => counter)
  hold('blind', counters > 0, () => 'nothing was counted as usage')
}
