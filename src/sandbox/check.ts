import type { Static, TSchema } from '@sinclair/typebox'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'

/** The first thing wrong with a value: where, by which rule, in words. */
export interface Mistake {
  /** e.g. `text.body` or `sections.0.rows`; empty for the value itself */
  path: string
  rule: string
  text: string
}

let ajv: Ajv | undefined

/** Compiles a schema once, when it is first used; the check narrows the value or tells the first mistake. */
export function checker<S extends TSchema>(schema: S): (value: unknown) => Mistake | Static<S> {
  let validate: ValidateFunction | undefined
  return value => {
    ajv ??= new Ajv({ strict: false, allErrors: false })
    validate ??= ajv.compile(schema)
    return validate(value) ? (value as Static<S>) : toMistake(validate.errors?.[0])
  }
}

/** Tells a mistake from a checked value. */
export function isMistake(value: unknown): value is Mistake {
  return value instanceof Wrong
}

class Wrong implements Mistake {
  path: string
  rule: string
  text: string

  constructor(path: string, rule: string, text: string) {
    this.path = path
    this.rule = rule
    this.text = text
  }
}

function toMistake(error: ErrorObject | undefined): Mistake {
  const path = (error?.instancePath ?? '').slice(1).replaceAll('/', '.')
  const inside = (name: unknown): string => (path === '' ? String(name) : `${path}.${name}`)
  switch (error?.keyword) {
    case 'additionalProperties':
      return new Wrong(inside(error.params.additionalProperty), 'unknown', 'is not a known field')
    case 'required':
      return new Wrong(inside(error.params.missingProperty), 'required', 'is required')
    default:
      return new Wrong(path, error?.keyword ?? 'invalid', error?.message ?? 'is not valid')
  }
}
