import { addTo, type Placed, takeFrom } from './unordered.ts'

/** What of ours a caller waits for: it begins with the request, rests while somebody else is waited for, and ends with the answer. */
export interface OwnWork {
  /** A provider, or a turn at one, is waited for. */
  rest: () => void
  resume: () => void
  end: () => void
}

/**
 * Lets what nobody waits for, the webhooks, give way for a moment to what a caller waits for (docs/decisions/0107).
 * There is one event loop in a process: a send that comes beside three webhooks would else be answered after them.
 */
export interface GivingWay {
  /** A caller's request has come in. */
  begin: () => OwnWork
  /**
   * Resolves as soon as no caller waits for work of ours: for one after another, each in a turn of the event loop of its own.
   * After 10 ms it does so all the same.
   */
  turn: () => Promise<void>
}

/** What gives way waits for so long at most. */
const mostMs = 10
/** Between two looks whether it may go, where no request has ended. */
const lookMs = 2
/** Work that takes longer waits for something that it does not tell: a stream, or a caller who wants to hear of a delivery. */
const longestMs = 50
/** A provider that answers within this finds the event loop free; one across the internet takes longer, and is not waited for. */
const briefMs = 3

interface Entry extends Placed {
  /** The instant until which others give way to it. */
  until: number
}

/** @param now milliseconds, of a clock that is never set back */
export function createGivingWay(now = () => performance.now()): GivingWay {
  /** What others give way to. */
  const under: Entry[] = []
  const waiting: { until: number; go: () => void }[] = []
  let scheduled = false
  let timed = false

  const add = (entry: Entry, forMs: number): void => {
    entry.until = now() + forMs
    addTo(under, entry)
  }
  const busy = (at: number): boolean => {
    for (let last = under.at(-1); last; last = under.at(-1)) {
      if (last.until > at) return true
      takeFrom(under, last)
    }
    return false
  }
  const run = (): void => {
    scheduled = false
    const at = now()
    const later = waiting.findIndex(({ until }) => until > at)
    const due = later < 0 ? waiting.length : later
    for (const { go } of waiting.splice(0, due === 0 && !busy(at) ? 1 : due)) go()
    look()
  }
  /** The first that waits has its turn when it may go, or has waited for long enough. */
  const look = (): void => {
    const [first] = waiting
    if (scheduled || !first) return
    const at = now()
    if (first.until <= at || !busy(at)) {
      scheduled = true
      setImmediate(run)
    } else if (!timed) {
      timed = true
      setTimeout(() => {
        timed = false
        look()
      }, lookMs)
    }
  }

  return {
    begin: () => {
      const entry: Entry = { until: 0, index: -1 }
      let ended = false
      add(entry, longestMs)
      return {
        rest: () => {
          if (!ended) add(entry, briefMs)
        },
        resume: () => {
          if (!ended) add(entry, longestMs)
        },
        end: () => {
          ended = true
          if (takeFrom(under, entry)) look()
        }
      }
    },
    turn: () =>
      new Promise(go => {
        waiting.push({ until: now() + mostMs, go })
        look()
      })
  }
}

/** That of this process, which has one event loop. */
export const givingWay = createGivingWay()
