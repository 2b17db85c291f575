import type { TimelineEntry } from '../../schemas/messages.ts'

/** Points of a line for a row of figures, within a box of 120 by 24. */
export function sparkline(figures: readonly number[]): string {
  const most = Math.max(1, ...figures)
  const step = figures.length > 1 ? 120 / (figures.length - 1) : 0
  return figures.map((figure, i) => `${(i * step).toFixed(1)},${(23 - (figure / most) * 22).toFixed(1)}`).join(' ')
}

/** Where each state stands in the picture: the way of a message that arrives downwards, where it can end otherwise beside it; as wide as a phone. */
const places: Readonly<Record<string, readonly [x: number, y: number]>> = {
  queued: [180, 20],
  sending: [180, 70],
  accepted: [180, 120],
  sent: [180, 170],
  delivered: [180, 220],
  read: [180, 270],
  expired: [60, 70],
  canceled: [60, 20],
  unknown: [300, 70],
  failed: [300, 170]
}
const ways: readonly (readonly [from: string, to: string])[] = [
  ...([
    ['queued', 'sending'],
    ['sending', 'accepted'],
    ['accepted', 'sent'],
    ['sent', 'delivered'],
    ['delivered', 'read'],
    ['queued', 'expired'],
    ['queued', 'canceled'],
    ['sending', 'unknown'],
    ['sending', 'failed'],
    ['unknown', 'accepted'],
    ['accepted', 'failed'],
    ['sent', 'failed']
  ] as const)
]

export interface StatePicture {
  states: { name: string; x: number; y: number; seen: number; last: boolean }[]
  ways: { x1: number; y1: number; x2: number; y2: number; gone: boolean }[]
}

/** A message's way through the states, for the picture beside its timeline. */
export function statePicture(items: readonly TimelineEntry[]): StatePicture {
  const seen = new Map<string, number>()
  const gone = new Set<string>()
  for (const [i, { status }] of items.entries()) {
    seen.set(status, (seen.get(status) ?? 0) + 1)
    if (i > 0) gone.add(`${items[i - 1]!.status} ${status}`)
  }
  const last = items.at(-1)?.status
  const drawn = [...ways]
  // A way that the picture has not got, as a status that overtook another, is drawn all the same.
  for (const pair of gone) {
    const [from = '', to = ''] = pair.split(' ')
    if (from !== to && places[from] && places[to] && !drawn.some(way => way[0] === from && way[1] === to))
      drawn.push([from, to])
  }
  return {
    states: Object.entries(places).map(([name, [x, y]]) => ({
      name,
      x,
      y,
      seen: seen.get(name) ?? 0,
      last: name === last
    })),
    ways: drawn.map(([from, to]) => {
      const [x1, y1] = places[from]!
      const [x2, y2] = places[to]!
      return { x1, y1, x2, y2, gone: gone.has(`${from} ${to}`) }
    })
  }
}
