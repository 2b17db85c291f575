/** The least of the last values, of which there have to be some before it says anything. */
export interface Quickest {
  /** Undefined: too few values are known. */
  value: () => number | undefined
  note: (value: number) => void
}

/** How many values stand for what is usual, and after how many an old one is forgotten at the latest. */
const enough = 10
const part = 50

/** By their count and not by their age: after a rest nothing is known anew, and the first value may be the one that is not usual. */
export function createQuickest(): Quickest {
  let before = Number.POSITIVE_INFINITY
  let now = Number.POSITIVE_INFINITY
  let count = 0
  let seen = 0
  return {
    value: () => (seen < enough ? undefined : Math.min(before, now)),
    note: value => {
      seen = Math.min(seen + 1, enough)
      now = Math.min(now, value)
      count++
      if (count < part) return
      before = now
      now = Number.POSITIVE_INFINITY
      count = 0
    }
  }
}
