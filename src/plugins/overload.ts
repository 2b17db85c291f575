import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import underPressure from '@fastify/under-pressure'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.ts'
import type { App } from '../fastify.ts'

/** What a refused caller is told to wait. */
const retryAfterSeconds = 1
/**
 * How late the event loop may be, on average over a sample, before requests are refused. A message takes about eight turns
 * of it, so this is an eighth of what an answer may take under load (P23: 250 ms).
 */
const maxEventLoopDelay = 30
const sampleInterval = 50
/** Fewer than these at a time are no overload, whatever the loop says: then it is the machine that is slow, or a pause. */
const leastInFlight = 64

/** The container's memory; 0 where there is no limit but the machine's, which others fill too. */
function memoryLimit(): number {
  const limit = process.constrainedMemory()
  return limit > 0 && limit < totalmem() ? limit : 0
}

/**
 * Refuses requests before anything is done for them, while there is more to do than can be done in time or in memory
 * (P23). Health and metrics are answered all the same. Awaited, so that its hook stands before those that come after.
 */
export async function overload(app: App): Promise<void> {
  let inFlight = 0
  app.addHook('onRequest', (_request, _reply, done) => {
    inFlight++
    done()
  })
  app.addHook('onResponse', (_request, _reply, done) => {
    inFlight--
    done()
  })
  await app.register(underPressure, {
    sampleInterval,
    maxEventLoopDelay,
    maxHeapUsedBytes: getHeapStatistics().heap_size_limit * 0.9,
    maxRssBytes: memoryLimit() * 0.95,
    // A promise, since only that can refuse.
    pressureHandler: async (request: FastifyRequest, _: FastifyReply, kind: string) => {
      const late = kind === 'eventLoopDelay'
      if (request.routeOptions.config.vital || (late && inFlight <= leastInFlight)) return
      throw new ServiceError(
        'overloaded',
        `There is not enough ${late ? 'time' : 'memory'} for it just now. Nothing was done.`,
        {
          retryAfterSeconds
        }
      )
    }
  })
}
