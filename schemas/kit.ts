import { type Static, type TObject, type TProperties, type TSchema, type TUnsafe, Type } from '@sinclair/typebox'

/** A named schema: `$id` is its name in the OpenAPI document, and its type carries the same name. */
export type Named = TSchema & { $id: string }

/** Points at a named schema, so that Ajv, the OpenAPI document and TypeScript share one definition. */
export function ref<T extends TSchema>(schema: T): TUnsafe<Static<T>> {
  if (!schema.$id) throw new Error('only a schema with an $id can be pointed at')
  return Type.Unsafe<Static<T>>({ $ref: `${schema.$id}#` })
}

/** An object that refuses members it does not name. Bodies are strict: a misspelt field must not vanish. */
export function strict<P extends TProperties>(properties: P, options: Record<string, unknown> = {}): TObject<P> {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

/** One of the given words. TypeBox's own union of literals says `anyOf`, which tools show badly. */
export function stringEnum<const T extends readonly string[]>(values: T, options: Record<string, unknown> = {}) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: values, ...options })
}

/** The value or null, in the form that OpenAPI 3.1 and Ajv both read. */
export function nullable<T extends TSchema>(schema: T): TUnsafe<Static<T> | null> {
  const { type, ...rest } = schema as TSchema & { type?: string }
  if (!type) return Type.Unsafe<Static<T> | null>({ anyOf: [schema, { type: 'null' }] })
  return Type.Unsafe<Static<T> | null>({ ...rest, type: [type, 'null'] })
}

/**
 * One of several named objects, told apart by the member `tag`. TypeBox unions emit `anyOf`, Ajv's discriminator wants
 * `oneOf`; `discriminator` also makes Ajv report only the faults of the chosen member instead of those of all.
 */
export function oneOf<T extends Named[]>(tag: string, members: [...T], options: Record<string, unknown> = {}) {
  return Type.Unsafe<Static<T[number]>>({
    type: 'object',
    discriminator: { propertyName: tag },
    required: [tag],
    oneOf: members.map(member => ({ $ref: `${member.$id}#` })),
    ...options
  })
}
