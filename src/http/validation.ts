import type { TSchema } from '@sinclair/typebox'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import formats from 'ajv-formats'
import type { FastifySchemaCompiler } from 'fastify'
import { type Reading, readPerson, readPhone } from '../phone.ts'
import { lengthsFirst } from './lengths-first.ts'

/** Formats of ours, each of which says what is wrong with a text. */
type Reader = (text: string) => Reading<string>

/** An answer tells so many faults, and how many more there are (docs/reliability.md P49). */
export const mostFaults = 100

/** The first of them; the last tells how many were left out. */
function bounded(faults: ErrorObject[]): ErrorObject[] {
  if (faults.length <= mostFaults) return faults
  const left = faults.length - mostFaults
  const last = { keyword: 'more', instancePath: '', schemaPath: '', params: {}, message: `${left} more faults` }
  return [...faults.slice(0, mostFaults), last]
}

/** What stands at a JSON pointer. */
const at = (value: unknown, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .reduce(
      (inner, name) => (inner as Record<string, unknown>)?.[name.replaceAll('~1', '/').replaceAll('~0', '~')],
      value
    )

/** Ajv tells only that a format was not kept: this is the reason in its place. */
function explained(fault: ErrorObject, value: unknown, readers: Readonly<Record<string, Reader>>): ErrorObject {
  const reader = fault.keyword === 'format' ? readers[fault.params.format] : undefined
  const message = reader?.(String(at(value, fault.instancePath))).fault
  return message === undefined ? fault : { ...fault, message }
}

/**
 * Validators for requests. Bodies are taken as they are: no coercion, no silent removal, every fault told. Query strings
 * and paths are text by nature, so there numbers and booleans are read from it.
 * @param shared the named schemas that others point at
 * @param providers the names of those that are registered
 */
export function validation(shared: readonly TSchema[], providers: readonly string[]): FastifySchemaCompiler<TSchema> {
  const readers: Readonly<Record<string, Reader>> = {
    phone: readPhone,
    person: readPerson,
    provider: text => (providers.includes(text) ? { value: text } : { fault: `must be one of ${providers.join(', ')}` })
  }
  const make = (coerceTypes: boolean): Ajv => {
    const ajv = new Ajv({
      allErrors: true,
      coerceTypes,
      removeAdditional: false,
      useDefaults: false,
      discriminator: true,
      strict: false,
      schemas: shared.map(lengthsFirst)
    })
    // The package is CommonJS: its function is the default member of what is imported.
    ;(formats as unknown as (ajv: Ajv) => void)(ajv)
    for (const [name, read] of Object.entries(readers))
      ajv.addFormat(name, (text: string) => read(text).fault === undefined)
    return ajv
  }
  const body = make(false)
  const text = make(true)
  // Compiled when first used: fifty schemas take more of the start than everything else of ours.
  return ({ schema, httpPart }) => {
    const ajv = httpPart === 'body' ? body : text
    let check: ValidateFunction | undefined
    const validate = ((value: unknown) => {
      check ??= ajv.compile(lengthsFirst(schema))
      const valid = check(value)
      // What is told of a length that was not kept tells nothing: the length's own fault stands beside it.
      const faults = check.errors?.filter(({ keyword }) => keyword !== 'if')
      validate.errors = faults ? bounded(faults).map(fault => explained(fault, value, readers)) : null
      return valid
    }) as ValidateFunction
    return validate
  }
}
