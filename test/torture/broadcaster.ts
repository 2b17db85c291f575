import { turnedDown } from './fates.ts'
import type { Act, BroadcastAct } from './history.ts'
import type { Random } from './random.ts'

/** The n-th broadcast of a run: through WATI a few dozen, whom one call takes together, through the Cloud API fewer. */
export function drawBroadcast(random: Random, n: number): BroadcastAct {
  const wati = random.chance(0.65)
  const count = wati ? random.whole(20, 48) : random.whole(5, 12)
  // Nobody else writes to these, so that whoever has two messages has them of this one.
  const recipients: string[] = Array.from({ length: count }, (_, i) => `4990${String(n * 100 + i).padStart(8, '0')}`)
  if (random.chance(0.6)) recipients.push(turnedDown[random.whole(0, turnedDown.length - 1)]!)
  const rows = [...recipients, ...(random.chance(0.2) ? [recipients[0]!] : [])]
  return {
    key: `broadcast-${n}`,
    recipients,
    attempts: [],
    body: {
      channel: wati ? 'wati' : 'cloud',
      name: `Broadcast ${n}`,
      template: { name: 'order_update', language: 'en_US' },
      recipients: rows.map((to, i) => ({ to, variables: { name: `Name ${i}`, ordernumber: `${n}-${i}` } })),
      ...(random.chance(0.2) && { startAt: new Date(Date.now() + random.whole(200, 1500)).toISOString() }),
      ...(random.chance(0.2) && { ratePerSecond: random.whole(10, 60) })
    }
  }
}

/** What a broadcast asks for: one message for each recipient, once for its key. Its answers name none of them. */
export const actsOf = ({ key, recipients, attempts }: BroadcastAct): Act[] =>
  recipients.map(to => ({
    to,
    key,
    attempts: attempts.map(({ from, until, status, outcome, error }) => ({
      ...{ from, until },
      ...(status !== undefined && { status }),
      ...(outcome !== undefined && { outcome }),
      ...(error !== undefined && { error })
    }))
  }))
