import type { Verdict } from '../adapters/adapter.ts'

// Every number and formula of trying again. Whether a failure may be tried again at all is told by the verdict: that is judged
// where the failure is seen, by dispatch/verdict.ts and each provider's errors.ts (docs/reliability.md 4).

/** How often, how soon, and when no more. */
export const retryPolicy = {
  /** Seconds that a doubling wait grows to, where nobody says how long (docs/reliability.md P18). */
  longestSeconds: 60,
  /** Milliseconds, at random, behind an instant that a provider names: not everybody at once. */
  spreadMs: 250,
  /** Tries after the first, of a message that the provider's own faults (5xx) keep from being taken (docs/reliability.md 4). */
  mostAfterFaults: 5,
  /** Faults of ours, or deaths, with a message in hand: at this many it is set aside, so that it cannot stop the line (docs/reliability.md P8). */
  mostSetbacks: 3,
  /** Milliseconds between messages that two processes died with: the one to blame must not have company at the third start. */
  apartMs: 2000,
  /** Milliseconds that a claimed message waits which could not be made ready, or had no turn. */
  laterMs: 5000,
  /** Milliseconds after which a result that the store would not take is offered again, as long as the process lives (docs/reliability.md 3.1 rule 5). */
  resultMs: 500,
  /** How a commit in doubt is made sure of: again and again, for less than any lock or lease lasts. */
  doubtfulCommit: { everyMs: 250, longestMs: 10_000 },
  /** Tries again that may go out in all: so many at once, one in so many milliseconds, a share of the first tries (docs/reliability.md P21). */
  budget: { most: 10, everyMs: 6000, share: 0.1, givenBack: 2 },
  /** Milliseconds, and as many more at random, that a message waits where that budget is used up. */
  overBudget: { leastMs: 2000, spreadMs: 3000 },
  /** A channel is stopped when this share of its last calls, of so long ago at most, got no answer; then one probe at a time asks (docs/reliability.md P22). */
  breaker: { calls: 20, windowMs: 30_000, share: 0.5, probeMs: 5000 },
  /** How events go to subscribers (docs/reliability.md P40, P41). */
  subscribers: {
    /** Seconds ahead of each attempt, from the one before: 75.6 hours in all. After the last one it is given up. */
    schedule: [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400],
    /** How far each wait is off, at random: a share of it, earlier or later. */
    spread: 0.1,
    /** Seconds that a Retry-After may ask for at most. */
    longestAskedSeconds: 86_400,
    /** Milliseconds of one attempt, from the look-up of the name to the last byte that is read. */
    timeoutMs: 15_000,
    /** Milliseconds after which an attempt's holder is taken for dead: longer than any attempt and its commit. */
    leaseMs: 45_000,
    /** Attempts at a time to one subscriber; to one that fails. */
    inFlight: { most: 10, failing: 2 },
    /** After so many failures in a row, milliseconds between two attempts to it: whatever waits loses none of its own. */
    pace: { failures: 20, everyMs: 500 },
    /** Nothing but failures for so long disables it; so much of it is told, in percent. */
    disable: { afterMs: 5 * 24 * 3600_000, told: [50, 70, 90] }
  }
} as const

/** Seconds: at random between one and 1, 2, 4 … 60 after so many failures (docs/reliability.md P18). */
export const backoffSeconds = (failures: number, random: () => number): number =>
  1 + random() * (Math.min(retryPolicy.longestSeconds, 2 ** failures) - 1)

/** Seconds: 1, 4, 16 …, Meta's rule for one recipient (docs/upstream.md 4.11), and ours after a fault of our own. */
export const fourfoldSeconds = (failures: number): number => 4 ** Math.min(failures, 6)

/**
 * Seconds for which an account, a channel or a recipient is left alone that asked us to wait.
 * @param asked what it asked for, where it said so
 * @param attempt the message's, counted from 1
 * @param times how often in a row it has asked before
 */
export const throttleSeconds = (
  scope: NonNullable<Verdict['throttles']>,
  asked: number | undefined,
  { attempt, times }: { attempt: number; times: number },
  random: () => number
): number => asked ?? (scope === 'recipient' ? fourfoldSeconds(attempt) : backoffSeconds(times, random))

/** Milliseconds until a message goes again that was not taken at its attempt, counted from 1. */
export function retryDelayMs(
  attempt: number,
  { retryAfterSeconds, throttles }: Pick<Verdict, 'retryAfterSeconds' | 'throttles'>,
  random: () => number
): number {
  if (retryAfterSeconds !== undefined) return retryAfterSeconds * 1000 + random() * retryPolicy.spreadMs
  if (throttles === 'recipient') return fourfoldSeconds(attempt) * 1000
  return backoffSeconds(attempt, random) * 1000
}

/** Whether the provider has said often enough that it did not take it: it will not at the next time either. */
export const isTired = ({ provider }: Pick<Verdict, 'provider'>, attempts: number): boolean =>
  (provider.status ?? 0) >= 500 && attempts > retryPolicy.mostAfterFaults

/** Milliseconds until a message goes again that a fault of ours kept from being made ready for the nth time. */
export const afterOwnFaultMs = (setbacks: number): number => fourfoldSeconds(setbacks) * 1000

/** Milliseconds until the one more attempt of a message whose process died: a holder who only slept has given up before (docs/reliability.md 3.1 rule 8). */
export const afterDeathMs = (timeoutMs: number): number => timeoutMs

/** Milliseconds that a message waits where the budget of tries is used up. */
export const overBudgetMs = (random: () => number): number =>
  retryPolicy.overBudget.leastMs + random() * retryPolicy.overBudget.spreadMs

/**
 * Milliseconds until an event goes to its subscriber again; undefined: it is given up.
 * @param attempts how many have failed, this one too
 * @param askedSeconds what the subscriber asked for (Retry-After), where it did: never earlier than that
 */
export function redeliveryMs(
  attempts: number,
  askedSeconds: number | undefined,
  random: () => number
): number | undefined {
  const { schedule, spread, longestAskedSeconds } = retryPolicy.subscribers
  const seconds = schedule[attempts]
  if (seconds === undefined) return undefined
  const spreadMs = seconds * 1000 * (1 + spread * (2 * random() - 1))
  return Math.round(Math.max(spreadMs, Math.min(askedSeconds ?? 0, longestAskedSeconds) * 1000))
}
