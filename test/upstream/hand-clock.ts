import type { SetTimer } from '../../src/upstream/timers.ts'

/** Timers whose time passes when a test says so: what is asserted does not depend on how busy the machine is. */
export function handClock() {
  let now = 0
  const timers = new Map<object, { at: number; expire: () => void }>()
  const setTimer: SetTimer = (expire, ms) => {
    const timer = {
      refresh: () => timers.set(timer, { at: now + ms, expire }),
      [Symbol.dispose]: () => void timers.delete(timer)
    }
    timer.refresh()
    return timer
  }
  const pass = (ms: number): void => {
    now += ms
    for (const [timer, { at, expire }] of [...timers])
      if (at <= now) {
        timers.delete(timer)
        expire()
      }
  }
  return { setTimer, pass, running: () => timers.size }
}
