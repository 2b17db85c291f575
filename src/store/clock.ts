/** The clock of a database on another machine, as this process knows it. */
export interface HeardClock {
  /** Milliseconds since 1970; at most a moment behind the database, and never ahead of it by more than clocks drift. */
  now: () => number
  /** The database has just said what time it is. */
  hear: (at: number) => void
}

/** Further back than this, the database's clock was set back, or another server took its place. */
const setBackMs = 1000
/** So often a later answer counts whatever it says: two clocks drift apart by some milliseconds a minute. */
const renewMs = 60_000

/**
 * Keeps what the database said last, and how long ago that was by a clock that nobody sets. An answer took a moment to
 * arrive, so each is a little late, and the one that makes it latest is the best.
 * @param monotonic milliseconds from any start, which only ever grow
 * @param unheard what it says before it has heard anything
 */
export function createHeardClock(
  monotonic: () => number = () => performance.now(),
  unheard: () => number = Date.now
): HeardClock {
  let heard: { at: number; when: number } | undefined
  const now = (): number => (heard ? Math.floor(heard.at + monotonic() - heard.when) : unheard())
  return {
    now,
    hear: at => {
      const when = monotonic()
      const ahead = now() - at
      if (!heard || ahead < 0 || ahead > setBackMs || when - heard.when > renewMs) heard = { at, when }
    }
  }
}
