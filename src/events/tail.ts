import type { JournalEvent, JournalPage, JournalQuery } from './journal.ts'

/** Bounds of what is kept: so many events, of so many characters, for so long. */
const bounds = { events: 1000, characters: 4_000_000, ms: 5000 }

/**
 * The newest events, read from the store once for all who follow them: a thousand streams are a thousand looks into an
 * array. Who is further behind reads from the store.
 */
export interface Tail {
  /** Events in their order, which go on behind `after`. Anything but the next piece starts it anew. */
  add: (after: number, events: readonly JournalEvent[], next: number) => void
  /** Undefined: it does not reach so far back. */
  read: (query: JournalQuery) => JournalPage | undefined
}

export function createTail(): Tail {
  /** Complete for all that lies behind `from`, up to `to`. */
  let from = Number.POSITIVE_INFINITY
  let to = from
  let held: (JournalEvent & { until: number })[] = []
  let characters = 0

  const shorten = (): void => {
    let gone = 0
    const now = performance.now()
    const over = ({ until }: { until: number }) =>
      held.length - gone > bounds.events || characters > bounds.characters || until < now
    while (gone < held.length && over(held[gone]!)) {
      characters -= held[gone]!.text.length
      from = held[gone]!.head.position
      gone++
    }
    if (gone > 0) held = held.slice(gone)
  }
  return {
    add: (after, events, next) => {
      if (after !== to) {
        held = []
        characters = 0
        from = after
      }
      const until = performance.now() + bounds.ms
      for (const event of events) {
        held.push({ ...event, until })
        characters += event.text.length
      }
      to = next
      shorten()
    },
    read: ({ after, limit, filter }) => {
      shorten()
      if (after < from) return undefined
      if (after >= to) return { events: [], next: after, more: false }
      const events: JournalEvent[] = []
      let low = 0
      for (let high = held.length; low < high; ) {
        const middle = (low + high) >> 1
        if (held[middle]!.head.position > after) high = middle
        else low = middle + 1
      }
      for (; low < held.length && events.length < limit; low++) if (filter(held[low]!.head)) events.push(held[low]!)
      const more = low < held.length
      return { events, next: more ? held[low - 1]!.head.position : to, more }
    }
  }
}
