import { grouped, type Hold } from './check.ts'
import type { Act, BroadcastAct, Row } from './history.ts'

// What becomes of each message of a broadcast is judged as that of any other; here, that they are all there, and once.

/** @param acts everything that was asked for, each recipient of a broadcast on its own */
export function checkBroadcasts(
  broadcasts: readonly BroadcastAct[],
  acts: readonly Act[],
  journal: readonly Row[],
  hold: Hold
): void {
  const timesAsked = new Map([...grouped(acts, ({ to }) => to)].map(([to, all]) => [to, all.length]))
  const rowsTo = grouped(journal, ({ to }) => to)
  for (const { key, recipients, attempts } of broadcasts) {
    for (const id of new Set(attempts.flatMap(({ id }) => id ?? [])))
      for (const to of recipients) {
        const count = (rowsTo.get(to) ?? []).filter(({ broadcast }) => broadcast === id).length
        hold('lost', count > 0, () => `${id} was accepted, and has no message to ${to}`)
        hold('stranger', count < 2, () => `${id} has ${count} messages to ${to}`)
      }
    // Whether it was answered or not; whom others write to as well tell nothing of its key.
    const own = recipients.filter(to => timesAsked.get(to) === 1)
    const made = new Set(own.flatMap(to => rowsTo.get(to) ?? []).map(({ broadcast }) => broadcast))
    hold('oneId', made.size < 2, () => `${key} made ${[...made].join(' and ')}`)
  }
}
