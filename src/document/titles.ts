import { messageTypes } from '../../schemas/content.ts'
import { arriving } from '../../schemas/inbound.ts'
import { type Document, pascal, type Schema } from './document.ts'

// What people and generators call the schemas: titles, and a union where one member tells which of many objects it is.

/** Types that a message can have: those that are sent, those that only arrive, and what happened in a conversation. */
const shownTypes = [...messageTypes, ...Object.keys(arriving), 'event']

const words = (name: string): string => {
  const [first = '', ...rest] = name.split(/(?=[A-Z][a-z])/)
  return [first, ...rest.map(word => word.toLowerCase())].join(' ')
}
const pointer = (name: string) => ({ $ref: `#/components/schemas/${name}` })

/**
 * Message as one object for each type, so that what is asked for its `type` has that type's content and no other's. The
 * answers stay as they are; the runtime has the one schema of them all.
 */
export function narrowMessages({ components: { schemas } }: Document): void {
  const { properties, required, ...whole } = schemas.Message as {
    properties: Record<string, Schema>
    required: string[]
  }
  const contents = Object.fromEntries(shownTypes.map(type => [type, properties[type]]))
  // Of any type: what can be read of it, where its provider tells words alone.
  const common = Object.entries(properties).filter(([name]) => name === 'text' || !Object.hasOwn(contents, name))
  schemas.MessageBase = {
    ...whole,
    title: 'What every message has',
    additionalProperties: undefined,
    required,
    properties: Object.fromEntries(common)
  }
  const names = shownTypes.map(type => [type, `${pascal(type)}Message`] as const)
  for (const [type, name] of names) {
    const content = contents[type]
    schemas[name] = {
      title: `${words(pascal(type))} message`,
      allOf: [
        pointer('MessageBase'),
        {
          type: 'object',
          required: ['type'],
          properties: { type: { type: 'string', const: type }, ...(content && { [type]: content }) }
        }
      ],
      unevaluatedProperties: false
    }
  }
  schemas.Message = {
    title: 'Message',
    type: 'object',
    required: ['type'],
    oneOf: names.map(([, name]) => pointer(name)),
    discriminator: {
      propertyName: 'type',
      mapping: Object.fromEntries(names.map(([type, name]) => [type, pointer(name).$ref]))
    }
  }
}

/** What a nameless choice is called: by what it must have, or by what it is. */
function choice(schema: Schema): string | undefined {
  if (schema.title !== undefined || schema.$ref !== undefined) return undefined
  const { required, properties, type } = schema as { required?: string[]; properties?: object; type?: string }
  if (required && required.length > 0) return `with ${required.join(' and ')}`
  if (type === 'array') return 'a list'
  if (type === 'object') return properties ? `with ${Object.keys(properties).slice(0, 3).join(', ')}` : 'by name'
  return undefined
}

function nameChoices(node: unknown): void {
  if (typeof node !== 'object' || node === null) return
  const schema = node as Schema
  for (const word of ['anyOf', 'oneOf'])
    if (Array.isArray(schema[word]))
      for (const each of schema[word] as Schema[]) {
        const title = choice(each)
        if (title !== undefined) each.title = title
      }
  for (const inner of Object.values(schema)) nameChoices(inner)
}

/** Gives every named schema and every choice a title, where it has none. */
export function nameSchemas({ components: { schemas } }: Document): void {
  for (const [name, schema] of Object.entries(schemas)) {
    const type = messageTypes.find(each => name === `Send${pascal(each)}`)
    schema.title ??= type ? `${words(pascal(type))} message` : words(name)
    nameChoices(schema)
  }
}
