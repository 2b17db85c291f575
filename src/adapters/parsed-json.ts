/** So deep may be what is stored and told on: what is deeper cannot be written as JSON by everybody. */
const deepest = 64

/** What a JSON text says; undefined where it is none, or nests deeper than anything that somebody fills in. */
export function parsedJson(text: string): unknown {
  try {
    return shallow(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** A value; undefined where it nests too deeply. */
export const shallow = (value: unknown): unknown => (nestsAtMost(value, deepest) ? value : undefined)

function nestsAtMost(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return depth > 0 && Object.values(value).every(member => nestsAtMost(member, depth - 1))
}
