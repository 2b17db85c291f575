import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Test } from 'tap'
import type { Sandbox } from '../../../src/sandbox/index.ts'

/** One call to the sandbox, at the moment at which it was handed to a socket. */
export interface Departure {
  /** performance.now() */
  at: number
  body: string
}

/**
 * Notes the calls to a sandbox as they leave. The pace is a promise of when they leave: when a loop that was held up gets to
 * read them is no sign of it, and two of them on sockets of their own have no order there.
 */
export function departures(t: Test, { url }: Sandbox): readonly Departure[] {
  const left: Departure[] = []
  const note = (message: unknown): void => {
    const { request } = message as { request: { origin?: string | URL; body?: unknown } }
    if (new URL(String(request.origin)).origin === url)
      left.push({ at: performance.now(), body: String(request.body ?? '') })
  }
  subscribe('undici:request:create', note)
  t.teardown(() => unsubscribe('undici:request:create', note))
  return left
}

/** The most calls in any sliding second. */
export function mostInASecond(left: readonly Departure[]): number {
  return Math.max(0, ...left.map(({ at: from }, i) => left.slice(i).filter(({ at }) => at - from < 1000).length))
}
