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

/** What the validators of one set of providers share: schemas are compiled once in a process, however many listeners it has. */
interface Validators {
  readers: Readonly<Record<string, Reader>>
  /** The validator of a schema as a route has it. */
  body: (schema: TSchema) => ValidateFunction
  text: (schema: TSchema) => ValidateFunction
}

function validators(shared: readonly TSchema[], providers: readonly string[]): Validators {
  const readers: Readonly<Record<string, Reader>> = {
    phone: readPhone,
    person: readPerson,
    provider: text => (providers.includes(text) ? { value: text } : { fault: `must be one of ${providers.join(', ')}` })
  }
  const schemas = shared.map(lengthsFirst)
  const make = (coerceTypes: boolean): Validators['body'] => {
    const checks = new WeakMap<TSchema, ValidateFunction>()
    const ajv = new Ajv({
      // The schemas are ours, and test/openapi.test.ts compiles them as the document has them, with the meta-schema: compiling
      // that here is a third of the start.
      meta: false,
      validateSchema: false,
      allErrors: true,
      coerceTypes,
      removeAdditional: false,
      useDefaults: false,
      discriminator: true,
      strict: false,
      schemas
    })
    // The package is CommonJS: its function is the default member of what is imported.
    ;(formats as unknown as (ajv: Ajv) => void)(ajv)
    for (const [name, read] of Object.entries(readers))
      ajv.addFormat(name, (text: string) => read(text).fault === undefined)
    return schema => {
      const found = checks.get(schema) ?? ajv.compile(lengthsFirst(schema))
      checks.set(schema, found)
      return found
    }
  }
  return { readers, body: make(false), text: make(true) }
}

const made = new WeakMap<readonly TSchema[], Map<string, Validators>>()

function validatorsOnce(shared: readonly TSchema[], providers: readonly string[]): Validators {
  const ofShared = made.get(shared) ?? new Map<string, Validators>()
  made.set(shared, ofShared)
  const key = providers.join()
  const found = ofShared.get(key) ?? validators(shared, providers)
  ofShared.set(key, found)
  return found
}

/**
 * Validators for requests. Bodies are taken as they are: no coercion, no silent removal, every fault told. Query strings
 * and paths are text by nature, so there numbers and booleans are read from it.
 * @param shared the named schemas that others point at
 * @param providers the names of those that are registered
 */
export function validation(shared: readonly TSchema[], providers: readonly string[]): FastifySchemaCompiler<TSchema> {
  let ours: Validators | undefined
  // Compiled when first used: fifty schemas take more of the start than everything else of ours.
  return ({ schema, httpPart }) => {
    let check: ValidateFunction | undefined
    const validate = ((value: unknown) => {
      ours ??= validatorsOnce(shared, providers)
      const { readers, body, text } = ours
      check ??= (httpPart === 'body' ? body : text)(schema)
      const valid = check(value)
      // What is told of a length that was not kept tells nothing: the length's own fault stands beside it.
      const faults = check.errors?.filter(({ keyword }) => keyword !== 'if')
      validate.errors = faults ? bounded(faults).map(fault => explained(fault, value, readers)) : null
      return valid
    }) as ValidateFunction
    return validate
  }
}
