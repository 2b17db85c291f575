import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ServiceError } from '../src/errors.ts'
import type { Caller } from '../src/keys/caller.ts'

/** A reader that takes nothing for so long is cut off; it connects again where it was. */
const stuckMs = 60_000
/** How often it is looked whether the key still may (docs/reliability.md P44). What is known of a key costs nothing to look at. */
const recheckMs = 1000

/** What a stream is bound to. */
export interface Watched {
  /** Given when the reader has gone, or its key may not have the stream any more. */
  signal: AbortSignal
  /** Who asks, as the key was at the last look. */
  caller: () => Caller
}

/**
 * Answers by a stream of server-sent events. They are made as they are read, so that a slow reader holds one of them and
 * what its socket takes. `X-Accel-Buffering` keeps nginx from gathering them.
 */
export async function stream(
  request: FastifyRequest,
  reply: FastifyReply,
  open: (watched: Watched) => Promise<AsyncIterable<string>> | AsyncIterable<string>
): Promise<FastifyReply> {
  const over = new AbortController()
  let { caller } = request
  const events = await open({ signal: over.signal, caller: () => caller })
  // The answer has begun by then: its end is all that can be said.
  const look = setInterval(async () => {
    try {
      caller = await request.authenticateAgain()
    } catch (error) {
      // A store that cannot be asked says nothing of the key.
      if (error instanceof ServiceError && (error.code === 'unauthenticated' || error.code === 'forbidden'))
        over.abort()
    }
  }, recheckMs).unref()
  reply.raw.once('close', () => {
    clearInterval(look)
    over.abort()
  })
  reply.raw.setTimeout(stuckMs)
  reply.headers({ 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' })
  return reply.send(Readable.from(events))
}
