import { retryPolicy } from '../retry-policy.ts'

/**
 * How many tries of what has failed before may go out, so that an upstream in trouble is not asked ever more
 * (docs/reliability.md P21): one for ten first tries, and ten a minute in any case. A try that comes to an end gives two back,
 * so that after an outage what waited flows as soon as the first of it gets through.
 */
export interface RetryBudget {
  may: () => boolean
  /** First tries went out. */
  first: (count: number) => void
  /** One more try went out. */
  again: () => void
  /** It came to an end, whichever. */
  ended: () => void
}

const { most, share, everyMs, givenBack } = retryPolicy.budget

/** @param now milliseconds of a clock that does not jump */
export function createRetryBudget(now: () => number = () => performance.now()): RetryBudget {
  let left: number = most
  let at = now()
  const add = (tries: number): void => {
    left = Math.min(most, left + tries + (now() - at) / everyMs)
    at = now()
  }
  return {
    may: () => {
      add(0)
      return left >= 1
    },
    first: count => add(count * share),
    again: () => add(-1),
    ended: () => add(givenBack)
  }
}
