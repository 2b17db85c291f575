import type { Heard } from '../adapters/adapter.ts'

/** Things with an effect, in one commit: on the embedded store it holds the event loop for about 1 ms. */
const mostEffects = 8
/** With what has none, which only moves the place in its body on. */
const mostItems = 500

/** Cuts what bodies tell into commits, in its order: a flood of what we know nothing to do with costs few. */
export function* slicesOf<T extends { heard: Heard }>(items: readonly T[]): Generator<T[]> {
  let slice: T[] = []
  let effects = 0
  for (const item of items) {
    slice.push(item)
    if (item.heard.kind !== 'other') effects++
    if (effects < mostEffects && slice.length < mostItems) continue
    yield slice
    slice = []
    effects = 0
  }
  if (slice.length > 0) yield slice
}
