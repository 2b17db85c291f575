import { request } from 'undici'
import { EgressError, type Guard, guardedAgent, orAborted, reasonOf } from './guard.ts'

/** What came back for a body that was posted to an address of a caller's. */
export interface PostAnswer {
  status: number
  retryAfter?: string
  /** The beginning of the answer's body, as text. */
  body: string
  /** What broke off while that was read; the status stands. */
  cutShort?: 'timeout' | 'unreachable'
}

export interface PostOptions {
  headers: Readonly<Record<string, string>>
  body: string
  /** For the whole call: look-up, connection, request, and what is read of the answer. */
  timeoutMs: number
  /** Most bytes of the answer that are read: what lies behind them is not waited for. */
  maxBytes: number
}

/** Posts to addresses that callers have given. */
export interface Poster {
  /**
   * Follows no redirect, and sends nothing of ours but what is asked for. Every connection is judged by the guard.
   * @throws {EgressError} where no answer came: forbidden_address, forbidden_url, unresolvable, unreachable, timeout
   */
  post: (url: string, options: PostOptions) => Promise<PostAnswer>
  close: () => Promise<void>
}

/** Milliseconds that an idle connection is kept: shorter than any server's, so that few are met as they close. */
const keepAliveMs = 4000

/** @param deadline makes the signal that ends a call after so many milliseconds; default `AbortSignal.timeout` */
export function createPoster(guard: Guard, deadline: (ms: number) => AbortSignal = AbortSignal.timeout): Poster {
  // The signal decides, not undici's own timers, which a dribble resets. Without a limit of connections to one host, so that
  // subscribers that share one do not wait for each other: how many go at a time is the caller's to say.
  const dispatcher = guardedAgent(guard, {
    ...{ headersTimeout: 0, bodyTimeout: 0 },
    ...{ keepAliveTimeout: keepAliveMs, keepAliveMaxTimeout: keepAliveMs }
  })
  return {
    post: async (text, { headers, body, timeoutMs, maxBytes }) => {
      const url = guard.check(text)
      const stop = deadline(timeoutMs)
      try {
        // undici heeds the signal only once it is connected, and a look-up may hang
        const answer = await orAborted(stop, request(url, { method: 'POST', dispatcher, signal: stop, headers, body }))
        const retryAfter = answer.headers['retry-after']
        return {
          status: answer.statusCode,
          ...(typeof retryAfter === 'string' && { retryAfter }),
          ...(await beginning(answer.body, maxBytes, stop))
        }
      } catch (error) {
        if (error instanceof EgressError) throw error
        if (stop.aborted)
          throw new EgressError('timeout', `${url.hostname} did not answer within ${timeoutMs / 1000} s`)
        const reason = reasonOf(error)
        if (reason === undefined) throw error
        throw new EgressError('unreachable', `the connection to ${url.hostname} broke off (${reason})`)
      }
    },
    close: () => dispatcher.destroy()
  }
}

type Body = Awaited<ReturnType<typeof request>>['body']

/** The first bytes of an answer. What lies behind them closes the connection; the end of the body keeps it. */
async function beginning(
  body: Body,
  maxBytes: number,
  stop: AbortSignal
): Promise<Pick<PostAnswer, 'body' | 'cutShort'>> {
  const parts: Buffer[] = []
  let size = 0
  let cutShort: PostAnswer['cutShort']
  try {
    for await (const part of body as AsyncIterable<Buffer>) {
      parts.push(part)
      size += part.length
      if (size > maxBytes) break
    }
  } catch (error) {
    if (!stop.aborted && reasonOf(error) === undefined) throw error
    cutShort = stop.aborted ? 'timeout' : 'unreachable'
  }
  return { body: Buffer.concat(parts).subarray(0, maxBytes).toString(), ...(cutShort && { cutShort }) }
}
