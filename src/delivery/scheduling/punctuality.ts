import { createFading, type Fading } from './fading.ts'

/**
 * How exactly this process keeps to the instants that it is given, and what it leaves free on account of that. A quiet
 * machine uses the account's rate nearly whole; a busy one, or an account that counts otherwise than we do, widens it.
 */
export interface Punctuality {
  /** Milliseconds by which a slot may be used late. What was given away stands in the store with them. */
  lateMs: () => number
  /** Milliseconds that a call may be on its way to the account while nothing better is known: its answer tells more. */
  wayMs: () => number
  /** Milliseconds left between two windows of a mode for what nobody can see, such as how the account counts. */
  spareMs: (mode: string) => number
  /** Notes by how many milliseconds a slot was used, or missed, too late. */
  left: (lateMs: number) => void
  /** Notes that the account refused a call of a mode though its slot had come: it is given more room, at once. */
  disagreed: (mode: string) => void
}

/** Before anything is known: as on a busy machine. */
const firstMs = 35
const between = (least: number, ms: number, most: number): number => Math.round(Math.min(Math.max(ms, least), most))

/** @param clock milliseconds, rising */
export function createPunctuality(clock?: () => number): Punctuality {
  // A slot that is missed costs its time, but a call that arrives too early is refused: what the way takes is forgotten more slowly.
  const timers = createFading(5000, firstMs, clock)
  const way = createFading(20_000, firstMs, clock)
  const disagreements = new Map<string, Fading>()
  return {
    lateMs: () => between(8, 1.5 * timers.value() + 4, 60),
    wayMs: () => between(16, way.value() + 5, 40),
    spareMs: mode => between(4, disagreements.get(mode)?.value() ?? 0, 100),
    left: lateMs => {
      timers.raise(Math.min(lateMs, 60))
      way.raise(Math.min(lateMs, 60))
    },
    disagreed: mode => {
      const known = disagreements.get(mode) ?? createFading(600_000, 0, clock)
      disagreements.set(mode, known)
      known.raise(Math.min(Math.max(25, 2 * known.value()), 100))
    }
  }
}
