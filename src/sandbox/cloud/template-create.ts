import { type Static, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { type Act, type Call, Refusal } from '../call.ts'
import { checker, isMistake } from '../check.ts'
import { digits } from '../ids.ts'
import { graphError, wrong, wrongParam } from './graph.ts'
import { objectId } from './objects.ts'
import { type Component, templateKey } from './seed-templates.ts'
import { checkComponents } from './template-rules.ts'

const object = <P extends TProperties>(properties: P) => Type.Object(properties, { additionalProperties: false })
const optional = Type.Optional
const constant = (value: string) => Type.Literal(value)
const text = () => Type.String({ minLength: 1 })

const Named = Type.Array(object({ param_name: text(), example: text() }), { minItems: 1 })

/** Each kind of component, with the fields that it may have (docs/upstream.md 4.7). */
const COMPONENTS: Record<string, TSchema> = {
  HEADER: object({
    type: constant('HEADER'),
    format: Type.String({ pattern: '^(TEXT|IMAGE|VIDEO|DOCUMENT|GIF|LOCATION)$' }),
    text: optional(text()),
    example: optional(
      object({
        header_text: optional(Type.Array(text(), { minItems: 1 })),
        header_text_named_params: optional(Named),
        header_handle: optional(Type.Array(text(), { minItems: 1 }))
      })
    )
  }),
  BODY: object({
    type: constant('BODY'),
    text: optional(text()),
    add_security_recommendation: optional(Type.Boolean()),
    example: optional(
      object({
        body_text: optional(Type.Array(Type.Array(text(), { minItems: 1 }), { minItems: 1 })),
        body_text_named_params: optional(Named)
      })
    )
  }),
  FOOTER: object({
    type: constant('FOOTER'),
    text: optional(text()),
    code_expiration_minutes: optional(Type.Integer({ minimum: 1, maximum: 90 }))
  }),
  BUTTONS: object({ type: constant('BUTTONS'), buttons: Type.Array(Type.Object({ type: text() }), { minItems: 1 }) })
}

const checks = new Map(Object.entries(COMPONENTS).map(([type, schema]) => [type, checker(schema)]))

/** A name has at most 512 characters, lower-case letters, digits and underscores (docs/upstream.md 4.7). */
const Create = object({
  name: Type.String({ pattern: '^[a-z0-9_]{1,512}$' }),
  category: Type.String({ pattern: '^(AUTHENTICATION|MARKETING|UTILITY)$' }),
  language: Type.String({ pattern: '^[a-z]{2,3}(_[A-Z]{2})?$' }),
  parameter_format: optional(Type.String({ pattern: '^(NAMED|POSITIONAL)$' })),
  allow_category_change: optional(Type.Boolean()),
  components: Type.Array(Type.Object({ type: Type.String() }), { minItems: 1 })
})

const readCreate = checker(Create)

/** Row 36: new templates wait for review. */
export function createTemplate(call: Call): Act {
  objectId(call)
  const body = readCreate(call.body.kind === 'json' ? call.body.value : undefined)
  if (isMistake(body)) throw wrongParam({ ...body, rule: body.rule === 'unknown' ? 'unknown' : 'invalid' })
  body.components.forEach((component, at) => {
    const mistake = checks.get(component.type)?.(component)
    if (mistake === undefined) throw wrong(100, `Param components[${at}].type is not known: ${component.type}`)
    if (isMistake(mistake)) throw wrongParam({ ...mistake, rule: 'invalid', text: `${mistake.text} (${mistake.path})` })
  })
  const components = body.components as Component[]
  const format = body.parameter_format === 'NAMED' ? 'NAMED' : 'POSITIONAL'
  checkComponents(components, format, body.category)
  const key = templateKey(body.name, body.language)
  refuseTaken(call, key, body)
  return () => {
    const id = digits(16)
    const { name, category, language } = body
    call.state.templates.set(key, {
      id,
      name,
      category,
      language,
      status: 'PENDING',
      parameter_format: format,
      components
    })
    call.entry.messageId = id
    return { status: 200, body: { id, status: 'PENDING', category } }
  }
}

/** A name is taken while it exists, and stays locked for 30 days after an approved one was deleted (docs/upstream.md 4.7). */
function refuseTaken(call: Call, key: string, { name, language }: Static<typeof Create>): void {
  if (call.state.templates.has(key)) {
    call.entry.refused = `template ${key} exists`
    throw new Refusal(
      graphError(100, {
        subcode: 2388024,
        userTitle: 'Content in This Language Already Exists',
        userMsg: `There is already ${language} content for ${name}. You can create a new template and try again.`
      })
    )
  }
  if (call.state.lockedNames.has(key)) {
    call.entry.refused = `template ${key} was deleted`
    throw new Refusal(
      graphError(100, {
        subcode: 2388023,
        userTitle: 'Message Template Language Is Being Deleted',
        userMsg: `New ${language} content cannot be added for 30 days while the existing content is being deleted.`
      })
    )
  }
}
