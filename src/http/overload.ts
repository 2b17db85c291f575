import { totalmem } from 'node:os'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { ServiceError } from '../errors.ts'
import type { App } from './fastify.ts'

/** What a refused caller is told to wait. */
const retryAfterSeconds = 1
/** Between two looks at the event loop, in milliseconds: short, so that what is let in meanwhile is not too much already. */
const lookMs = 25
/**
 * How late the event loop may be on average. A message takes about eight turns of it, so this is an eighth of what an
 * answer may take under load (P23: 250 ms), with room for what differs.
 */
const lateMs = 20
/** A commit is late when it waits longer than this for its turn, in milliseconds: a message takes two commits. */
const storeLateMs = 80
/** And how much of its time it works: one that is late and rests is kept from its processor by others. */
const busyShare = 0.9
/** So long it has to be late without a break: what is done with in a second is a burst, after a start for instance. */
const patienceMs = 1000
/** So many at a time are never too many: what is late with fewer is the machine, or a pause. */
const least = 128
/** With fewer in hand for so many looks nobody watches the event loop any more: a server that rests is not woken 240 times a second. */
const watchedFrom = least / 2
const calmLooks = 40
/**
 * How long a refusal is held, on average. Whoever asks again at once would else be refused so often that no time is left for those who
 * were let in; it costs a socket's memory, so it is done for so many only.
 */
const holdMs = 400
const mostHeld = 2000
/** Between two looks at the memory. */
const memoryMs = 1000

/** Bytes that the process may use: the container's limit. Without one it is the machine's, which others fill too. */
function memoryLimit(): number {
  const limit = process.constrainedMemory()
  return limit > 0 && limit < totalmem() ? limit * 0.95 : Number.POSITIVE_INFINITY
}

/** Whether the process uses more than it may. To ask opens a file, which is not possible when there is no descriptor left. */
export function memoryFull(rssLimit: number, heapLimit: number, before: boolean): boolean {
  try {
    return process.memoryUsage.rss() > rssLimit || process.memoryUsage().heapUsed > heapLimit
  } catch {
    return before
  }
}

/** How many requests may be in hand; it shrinks by a share while the loop is late, and grows again step by step. */
export function nextLimit(limit: number, inHand: number, late: boolean): number {
  if (limit === Number.POSITIVE_INFINITY) return late ? Math.max(least, inHand * 0.8) : limit
  if (late) return Math.max(least, limit * 0.85)
  // Far above what is asked: there is no limit any more.
  return limit > 2 * inHand + 1000 ? Number.POSITIVE_INFINITY : limit * 1.05 + 1
}

/**
 * Refuses requests before anything is done for them, while there is more to do than can be done in time or in memory
 * (P23). What waits for a provider costs nothing, so it is not the number in hand that shows it but how late the event
 * loop is, or how long a commit waits; the number is what is then held down. (@fastify/under-pressure opens and shuts the door for all: in each moment
 * that it stands open as many come in as make the next one late.) Health and metrics are always answered. While the server
 * closes, everything else is refused at once.
 */
export function overload(app: App): void {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  const heapLimit = getHeapStatistics().heap_size_limit * 0.9
  const rssLimit = memoryLimit()
  let inHand = 0
  let held = 0
  let limit = Number.POSITIVE_INFINITY
  let full = false
  let inTimeAt = 0
  let usedBefore = performance.eventLoopUtilization()
  let closing = false
  let asked: number | undefined
  let waited = 0
  let calm = 0
  const leave = (): void => {
    inHand--
  }
  /** How long a commit waits for its turn; asked only while much is in hand, since the answer costs one. */
  const storeLate = (now: number): boolean => {
    if (inHand <= least) return false
    if (asked !== undefined) return now - asked > storeLateMs
    asked = now
    const told = () => {
      waited = performance.now() - now
      asked = undefined
    }
    app.notReady().then(told, told)
    return waited > storeLateMs
  }
  const look = (): void => {
    // NaN where nothing was measured: the loop stood still the whole time.
    const now = performance.now()
    const used = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(used, usedBefore)
    usedBefore = used
    const loopLate = !(delay.mean / 1e6 - 5 < lateMs) && utilization >= busyShare
    if (!loopLate && !storeLate(now)) inTimeAt = now
    delay.reset()
    // Once there is a limit, every look counts.
    const late = now - inTimeAt > (limit === Number.POSITIVE_INFINITY ? patienceMs : 0)
    limit = nextLimit(limit, inHand, late)
    // Not at the first one: callers who were all answered at once come back, and lateness is counted from its beginning.
    calm = limit === Number.POSITIVE_INFINITY && inHand < watchedFrom ? calm + 1 : 0
    if (calm >= calmLooks) rest()
  }
  let watch: NodeJS.Timeout | undefined
  const rest = (): void => {
    clearInterval(watch)
    watch = undefined
    delay.disable()
  }
  const begin = (): void => {
    delay.reset()
    delay.enable()
    calm = 0
    inTimeAt = performance.now()
    usedBefore = performance.eventLoopUtilization()
    watch = setInterval(look, lookMs).unref()
  }
  let memory: NodeJS.Timeout | undefined
  app.addHook('onListen', done => {
    memory = setInterval(() => {
      full = memoryFull(rssLimit, heapLimit, full)
    }, memoryMs).unref()
    done()
  })
  app.addHook('preClose', done => {
    closing = true
    done()
  })
  app.addHook('onClose', (_, done) => {
    clearInterval(memory)
    rest()
    done()
  })
  app.addHook('onRequest', (request, reply, done) => {
    if (closing && !request.routeOptions.config.vital)
      return done(new ServiceError('overloaded', 'The server is closing. Nothing was done.', { retryAfterSeconds }))
    if ((inHand < limit && !full) || request.routeOptions.config.vital) {
      if (++inHand >= watchedFrom && watch === undefined) begin()
      // Not onResponse: that is not called for a caller who went away.
      reply.raw.once('close', leave)
      return done()
    }
    const what = full ? 'memory' : 'time'
    const refused = new ServiceError('overloaded', `There is not enough ${what} for it just now. Nothing was done.`, {
      retryAfterSeconds
    })
    if (held >= mostHeld) return done(refused)
    held++
    setTimeout(
      () => {
        held--
        done(refused)
      },
      holdMs * (0.5 + Math.random())
    ).unref()
  })
}
