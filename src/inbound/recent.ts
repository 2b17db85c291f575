/** So long the same bytes are the same webhook, told again: where they tell neither an id nor an instant, they are news later. */
const sameMs = 60_000
/** More in a minute are a flood, of which only the latest are known again. */
const mostRecent = 10_000

/**
 * Keeps a webhook that is told again at once only once. In this process alone: what it spares is room, since what is told
 * twice has its effect once all the same (docs/decisions/0109).
 */
export interface Recent {
  /**
   * @param key what the same webhooks have in common
   * @param at when it came, in milliseconds
   * @param keep resolves when it is on disk; false: it was not to be kept
   * @returns false where it was not to be kept, or has been kept before
   */
  once: (key: string, at: number, keep: () => Promise<boolean>) => Promise<boolean>
}

export function createRecent(): Recent {
  /** Oldest first. */
  const recent = new Map<string, { at: number; kept: Promise<boolean> }>()
  const makeRoom = (at: number): void => {
    for (const [key, { at: cameAt }] of recent) {
      if (cameAt >= at - sameMs && recent.size < mostRecent) return
      recent.delete(key)
    }
  }
  return {
    once: async (key, at, keep) => {
      const before = recent.get(key)
      if (before && at - before.at <= sameMs) {
        const known = await before.kept.then(
          () => true,
          // What could not be kept is no reason to take the next one for kept.
          () => false
        )
        if (known) return false
      }
      const kept = keep()
      recent.delete(key)
      makeRoom(at)
      recent.set(key, { at, kept })
      return kept
    }
  }
}
