/** What the stand-in's ledger tells of when calls came. */
type Arrivals = readonly { at: string }[]

/** The most calls in any sliding second. */
export function mostInASecond(entries: Arrivals): number {
  const times = entries.map(({ at }) => Date.parse(at)).sort((a, b) => a - b)
  return Math.max(0, ...times.map((from, i) => times.slice(i).filter(time => time - from < 1000).length))
}

/** Calls a second once it runs: the first ten may come all at once, or find everything cold. */
export function rateOf(entries: Arrivals): number {
  const times = entries
    .map(({ at }) => Date.parse(at))
    .sort((a, b) => a - b)
    .slice(10)
  return ((times.length - 1) / (times.at(-1)! - times[0]! || 1)) * 1000
}
