// Several walks, each from the newest id to the oldest, as one.

/** An id that a walk came by. */
export interface Seen {
  id: string
  /** Whether it is what was asked for, as the database says it: 0, 1, null or a boolean. */
  fits: unknown
}

/** Looks at the next ids of a walk: those below one, the newest first, so many at most; fewer where it is at its end. */
export type Look = (below: string, size: number) => Promise<Seen[]>

/** A walk down one index, in portions. */
export interface Walk {
  /** What comes next is this id where one is found, and otherwise below it; empty: nothing comes any more. */
  readonly next: () => string
  readonly found: () => boolean
  readonly take: () => string
  /** Looks at one portion more. */
  readonly advance: () => Promise<void>
  /** Takes a portion of so many that was looked at for it. */
  readonly accept: (seen: readonly Seen[], size: number) => void
}

/**
 * Makes a walk that has not begun.
 * @param below where it begins
 * @param first how many it looks at first; twice as many each time
 * @param most how many it may look at now
 */
export function createWalk(look: Look, below: string, first: number, most: () => number): Walk {
  let found: string[] = []
  let position = below
  let portion = first
  const accept = (seen: readonly Seen[], size: number) => {
    found = [...found, ...seen.filter(({ fits }) => fits).map(({ id }) => id)]
    position = seen.length < size ? '' : seen.at(-1)!.id
    portion = 2 * size
  }
  return {
    next: () => found[0] ?? position,
    found: () => found.length > 0,
    take: () => found.shift()!,
    accept,
    advance: async () => {
      const size = Math.min(portion, most())
      accept(await look(position, size), size)
    }
  }
}

/** Whether a walk has to give, or to find, its next id before another. What is found at an id comes ahead of what comes below it. */
const isAhead = (one: Walk, other: Walk): boolean => {
  const [a, b] = [one.next(), other.next()]
  return a === b ? one.found() && !other.found() : a > b
}

export interface Merged {
  /** The next ids, newest first and each once; fewer at the end, or where the steps are used up. */
  take: (count: number) => Promise<string[]>
  /**
   * What take() has not given lies below this id; empty: it has given all. It may be an id that is found and not taken yet, which
   * only a full page stops at.
   */
  next: () => string
}

/** @param steps how many portions may be looked at */
export function merge(walks: readonly Walk[], steps = Number.POSITIVE_INFINITY): Merged {
  let left = steps
  let last = ''
  /** The one that is next comes first. */
  const order = walks.toSorted((one, other) => (isAhead(one, other) ? -1 : isAhead(other, one) ? 1 : 0))
  /** Puts the first walk, which has moved on, where it belongs now. */
  const reorder = (): void => {
    const walk = order.shift()!
    let [low, high] = [0, order.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (isAhead(walk, order[middle]!)) high = middle
      else low = middle + 1
    }
    order.splice(low, 0, walk)
  }
  return {
    next: () => order[0]?.next() ?? '',
    take: async count => {
      const ids: string[] = []
      while (ids.length < count) {
        const walk = order[0]
        if (!walk || walk.next() === '') break
        if (walk.found()) {
          const id = walk.take()
          // Two walks can come by the same: a person is found by each name.
          if (id !== last) ids.push(id)
          last = id
        } else if (left-- > 0) await walk.advance()
        else break
        reorder()
      }
      return ids
    }
  }
}
