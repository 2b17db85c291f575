import type { TSchema } from '@sinclair/typebox'
import { Ajv } from 'ajv'
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
  return ({ schema, httpPart }) => (httpPart === 'body' ? body : text).compile(schema)
}
