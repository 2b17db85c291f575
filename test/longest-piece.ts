import { performance } from 'node:perf_hooks'
import { setImmediate as setImmediatePromise } from 'node:timers/promises'

/** What a piece of work has cost this process. */
export interface Cost {
  /** The longest time in one piece in which the loop did nothing else, in milliseconds of its processor. */
  pieceMs: number
  /** All of the process's processor time, in milliseconds. */
  cpuMs: number
}

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/**
 * Runs some work and measures how long it holds everybody else up. A piece is the smaller of what the clock and what the
 * processor say: a machine that is busy with others lengthens only the one, and the process's other threads only the other.
 */
export async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const begun = cpuMs()
  let pieceMs = 0
  let over = false
  let at = performance.now()
  let used = begun
  const look = () => {
    const [now, cpu] = [performance.now(), cpuMs()]
    pieceMs = Math.max(pieceMs, Math.min(now - at, cpu - used))
    at = now
    used = cpu
    if (!over) setImmediate(look)
  }
  setImmediate(look)
  await setImmediatePromise()
  await work()
  // The piece in which it ended is one too.
  await setImmediatePromise()
  over = true
  return { pieceMs, cpuMs: cpuMs() - begun }
}
