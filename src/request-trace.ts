import { AsyncLocalStorage } from 'node:async_hooks'
import type { OwnWork } from './own-work.ts'

/** Where the time of a request goes beside our own work. */
export type Part = 'queue' | 'upstream'

/** Milliseconds of one request that went into waiting for its turn at the provider, and into the provider. */
export interface Timing {
  queue: number
  upstream: number
  /** What is under way: a caller's wait can be over before the provider answers. */
  open: { part: Part; since: number }[]
}

/** What is told of a request in logs and in Server-Timing, from wherever its work is done. */
export interface RequestTrace {
  requestId: string
  timing: Timing
  /** Absent where nobody gives way to it. */
  ownWork?: OwnWork | undefined
}

/** The request on whose behalf something is done; none where it is done in the background. */
export const requestTrace = new AsyncLocalStorage<RequestTrace>()

/** Measures a piece of work for the request that waits for it: the one place where queue and upstream are measured. */
export async function timed<T>(part: Part, work: () => Promise<T>): Promise<T> {
  const trace = requestTrace.getStore()
  if (!trace) return work()
  const { timing, ownWork } = trace
  const span = { part, since: performance.now() }
  timing.open.push(span)
  ownWork?.rest()
  try {
    return await work()
  } finally {
    timing.open.splice(timing.open.indexOf(span), 1)
    timing[part] += performance.now() - span.since
    if (timing.open.length === 0) ownWork?.resume()
  }
}

/**
 * Adds the wait for a message that somebody else sent, this process's worker or another replica, to its request.
 * @param waitedMs all of the wait
 * @param upstreamMs how long the provider took for it: so much of the wait was not the queue's
 */
export function waited(waitedMs: number, upstreamMs: number): void {
  const timing = requestTrace.getStore()?.timing
  if (!timing) return
  const upstream = Math.min(upstreamMs, waitedMs)
  timing.upstream += upstream
  timing.queue += waitedMs - upstream
}

/** The times of a request up to now, with what is still under way. */
export function spent({ queue, upstream, open }: Timing): Record<Part, number> {
  const now = performance.now()
  const total = { queue, upstream }
  for (const { part, since } of open) total[part] += now - since
  return total
}
