/** The greatest value of late: a greater one replaces it at once, and it is forgotten by half in each `halfMs`. */
export interface Fading {
  value: () => number
  raise: (value: number) => void
}

/** @param clock milliseconds, rising */
export function createFading(halfMs: number, first = 0, clock: () => number = () => performance.now()): Fading {
  let top = { value: first, at: clock() }
  const value = (): number => top.value * 0.5 ** ((clock() - top.at) / halfMs)
  return {
    value,
    raise: to => {
      top = { value: Math.max(to, value()), at: clock() }
    }
  }
}
