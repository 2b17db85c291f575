import type { EventEmitter } from 'node:events'
import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How often it is looked whether anybody calls. */
const lookMs = 250
/** Looks until a server that is never quiet is left alone: its own collections have come by then. */
const mostLooks = 240

/** Collects all that can be, and gives the pages back: some 60 ms in which nothing else runs. */
export function collectAll(): void {
  v8.setFlagsFromString('--expose-gc')
  const collect = runInNewContext('globalThis.gc') as ((how: object) => void) | undefined
  collect?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/**
 * Gives back what reading the program has left, about 20 MB, which V8 would keep for as long as the server rests: once, as soon as a
 * quarter of a second has gone by without a request.
 * @param server what emits `request`
 * @param look has the next look made later
 */
export function giveBackMemory(
  server: EventEmitter,
  collect: () => void = collectAll,
  look: (next: () => void) => unknown = next => setTimeout(next, lookMs).unref()
): void {
  let asked = 0
  let looks = 0
  const count = (): void => void asked++
  server.on('request', count)
  const next = (before: number): void => {
    const quiet = asked === before
    if (!quiet && ++looks < mostLooks) {
      const now = asked
      look(() => next(now))
      return
    }
    server.off('request', count)
    if (quiet) collect()
  }
  look(() => next(-1))
}
