/**
 * How exactly this process keeps to the instants that it is given, and what it leaves free on account of that. A quiet
 * machine uses the account's rate nearly whole; a busy one, or an account that counts otherwise than we do, widens it.
 */
export interface Punctuality {
  /** Milliseconds by which a slot may be used late. What was given away stands in the store with them. */
  lateMs: () => number
  /** Milliseconds left between two windows for what lies between our sending and the account's counting. */
  wayMs: () => number
  /** Notes by how many milliseconds a slot was used, or missed, too late. */
  left: (lateMs: number) => void
  /** Notes that the account refused a call though its slot had come: it is given more room, at once. */
  disagreed: () => void
}

/** A stall is forgotten by half in this time. */
const forgetMs = 5000
/** What a disagreement taught is forgotten by half in this time. */
const relearnMs = 600_000
/** Before anything is known: as on a busy machine. */
const firstMs = 35

/** @param clock milliseconds, rising */
export function createPunctuality(clock: () => number = () => performance.now()): Punctuality {
  let worst = { ms: firstMs, at: clock() }
  let learnt = { ms: 0, at: clock() }
  const faded = ({ ms, at }: { ms: number; at: number }, halfMs: number): number =>
    ms * 0.5 ** ((clock() - at) / halfMs)
  const between = (least: number, ms: number, most: number): number => Math.round(Math.min(Math.max(ms, least), most))
  return {
    lateMs: () => between(8, 1.5 * faded(worst, forgetMs) + 4, 60),
    wayMs: () => between(10, Math.max(Math.min(faded(worst, forgetMs) + 5, 40), faded(learnt, relearnMs)), 100),
    left: ms => {
      worst = { ms: Math.min(Math.max(ms, faded(worst, forgetMs)), 60), at: clock() }
    },
    disagreed: () => {
      learnt = { ms: Math.min(Math.max(25, 2 * faded(learnt, relearnMs)), 100), at: clock() }
      worst = { ms: 60, at: clock() }
    }
  }
}
