import type { TSchema } from '@sinclair/typebox'
import { Ajv, type ValidateFunction } from 'ajv'
import formats from 'ajv-formats'
import type { FastifySchemaCompiler } from 'fastify'

/**
 * Validators for requests. Bodies are taken as they are: no coercion, no silent removal, every fault told. Query strings
 * and paths are text by nature, so there numbers and booleans are read from it.
 * @param shared the named schemas that others point at
 */
export function validation(shared: readonly TSchema[]): FastifySchemaCompiler<TSchema> {
  const make = (coerceTypes: boolean): Ajv => {
    const ajv = new Ajv({
      allErrors: true,
      coerceTypes,
      removeAdditional: false,
      useDefaults: false,
      discriminator: true,
      strict: false,
      schemas: [...shared]
    })
    // The package is CommonJS: its function is the default member of what is imported.
    ;(formats as unknown as (ajv: Ajv) => void)(ajv)
    return ajv
  }
  const body = make(false)
  const text = make(true)
  // Compiled when first used: fifty schemas take more of the start than everything else of ours.
  return ({ schema, httpPart }) => {
    const ajv = httpPart === 'body' ? body : text
    let check: ValidateFunction | undefined
    const validate = ((value: unknown) => {
      check ??= ajv.compile(schema)
      const valid = check(value)
      validate.errors = check.errors ?? null
      return valid
    }) as ValidateFunction
    return validate
  }
}
