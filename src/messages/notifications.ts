/** Tells whoever waits for a message that something became of it, so that nobody polls for it. */
export interface Notifications {
  /** Something became of this message; its row is in the store already. */
  publish: (id: string) => void
  /** Resolves when something is told of this message, here or by another replica, or when the time is over. */
  wait: (id: string, ms: number) => Promise<void>
  /** From now on nobody waits: the server stops. */
  close: () => void
  closed: () => boolean
}

export function createNotifications(): Notifications {
  let closed = false
  const waiting = new Map<string, Set<() => void>>()
  return {
    publish: id => {
      for (const go of waiting.get(id) ?? []) go()
    },
    wait: (id, ms) =>
      new Promise(resolve => {
        if (closed) return resolve()
        const others = waiting.get(id) ?? new Set()
        const go = () => {
          clearTimeout(timer)
          others.delete(go)
          if (others.size === 0) waiting.delete(id)
          resolve()
        }
        const timer = setTimeout(go, ms)
        others.add(go)
        waiting.set(id, others)
      }),
    close: () => {
      closed = true
      for (const id of [...waiting.keys()]) for (const go of [...waiting.get(id)!]) go()
    },
    closed: () => closed
  }
}
