import { AsyncLocalStorage } from 'node:async_hooks'

/** What is told of a request in logs and in Server-Timing, from wherever its work is done. */
export interface RequestTrace {
  requestId: string
  /** Milliseconds that it waited for its turn at the provider, and that the provider took. */
  timing: { queue: number; upstream: number }
}

/** The request on whose behalf something is done; none where it is done in the background. */
export const requestTrace = new AsyncLocalStorage<RequestTrace>()

/** Adds the time of a piece of work to the request that waits for it: the one place where both are measured. */
export async function timed<T>(part: 'queue' | 'upstream', work: () => Promise<T>): Promise<T> {
  const timing = requestTrace.getStore()?.timing
  if (!timing) return work()
  const since = performance.now()
  try {
    return await work()
  } finally {
    timing[part] += performance.now() - since
  }
}
