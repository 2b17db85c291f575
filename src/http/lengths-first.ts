import type { TSchema } from '@sinclair/typebox'

type Schema = Record<string, unknown>

/** What is only looked at once a length is within its bound: the word of the bound, and the words behind it. */
const guards: readonly (readonly [bound: string, behind: readonly string[]])[] = [
  ['maxLength', ['pattern', 'format']],
  ['maxItems', ['items', 'uniqueItems']],
  ['maxProperties', ['additionalProperties', 'patternProperties', 'propertyNames']]
]

/**
 * Puts a schema's rules in an order that costs no more than the value's bound: what is too long is told so, and nothing in it is
 * looked at (docs/reliability.md P49). A validator that tells every fault would go through all of it otherwise.
 */
export function lengthsFirst<S extends TSchema>(schema: S): S {
  return ordered(schema) as S
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered)
  if (typeof value !== 'object' || value === null) return value
  const made: Schema = {}
  // The symbols as well: TypeBox tells its own schemas by them.
  for (const key of Reflect.ownKeys(value)) made[key as string] = ordered((value as Schema)[key as string])
  for (const [bound, behind] of guards) {
    const found = behind.filter(word => made[word] !== undefined && made[word] !== false)
    if (typeof made[bound] !== 'number' || found.length === 0 || made.if !== undefined) continue
    made.if = { [bound]: made[bound] }
    // `additionalProperties` sees only what stands beside it.
    const seen = found.includes('additionalProperties') && made.properties ? { properties: made.properties } : {}
    // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema
    made.then = { ...seen, ...Object.fromEntries(found.map(word => [word, made[word]])) }
    for (const word of found) delete made[word]
  }
  return made
}
