/** Numbers that a seed decides, so that a run can be had again. */
export interface Random {
  /** From 0 up to, and without, 1. */
  next: () => number
  /** A whole number from `from` to `to`, both included. */
  whole: (from: number, to: number) => number
  chance: (probability: number) => boolean
  /** One of the keys, the likelier the heavier. */
  weighted: <K extends string>(weights: Partial<Record<K, number>>) => K
  /** Another one, so that who draws more elsewhere does not change what is drawn here. */
  fork: () => Random
}

/** mulberry32: 32 bits of state are plenty for choosing faults. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = state
    x = Math.imul(x ^ (x >>> 15), x | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
  const self: Random = {
    next,
    whole: (from, to) => from + Math.floor(next() * (to - from + 1)),
    chance: probability => next() < probability,
    weighted: weights => {
      const entries = Object.entries(weights) as [never, number][]
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [name, weight] of entries) {
        left -= weight
        if (left < 0) return name
      }
      return entries.at(-1)![0]
    },
    fork: () => createRandom(Math.floor(next() * 2 ** 32))
  }
  return self
}
