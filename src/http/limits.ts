import type { FastifyReply, FastifyRequest } from 'fastify'
import type { App } from './fastify.ts'

/** Whether a request that was let in counts for no quota: it was refused, or answered before. */
const countsNothing = (reply: FastifyReply): boolean =>
  (reply.statusCode >= 400 && reply.statusCode < 500) ||
  reply.statusCode === 503 ||
  reply.getHeader('idempotency-replayed') !== undefined

/**
 * What answers tell of their caller's limits, and what counts for no quota.
 * @returns lets a request in, or throws its 429, before anything is done for it; undefined: at once
 */
export function limits(app: App): (request: FastifyRequest) => Promise<void> | undefined {
  const { limiter } = app
  const letIn = new WeakSet<FastifyRequest>()
  app.addHook('onSend', (request, reply, payload, done) => {
    const { caller } = request
    if (caller?.limits) {
      // Once: an answer that fails while it is written is sent as another.
      if (countsNothing(reply) && letIn.delete(request)) limiter.giveBack(caller)
      reply.headers(limiter.headers(caller))
    }
    done(null, payload)
  })
  return request => {
    const taken = limiter.take(request.caller)
    if (request.caller.limits?.quota === undefined) return taken
    if (taken) return taken.then(() => void letIn.add(request))
    letIn.add(request)
    return undefined
  }
}
