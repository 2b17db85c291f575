import type { FieldFault } from '../../schemas/problem.ts'
import type { CreateTemplate, TemplateVariable } from '../../schemas/templates.ts'
import type { TemplateDraft } from '../adapters/adapter.ts'
import { ServiceError } from '../errors.ts'
import { keyOf } from './fill.ts'

// What a caller says of a new template, checked and with an example for every variable. The provider judges the rest.

type Fault = (path: string, message: string) => void
type Button = NonNullable<CreateTemplate['buttons']>[number]
type Draft = TemplateDraft['variables'][number]

const isNumber = (name: string): boolean => /^\d+$/.test(name)
/** Names in order of appearance, each once. */
const placeholders = (text = ''): string[] => [
  ...new Set(Array.from(text.matchAll(/\{\{([^{}]{0,200})\}\}/g), ([, name = '']) => name))
]

/** What each kind of button needs beside its type; what is not named it cannot have. */
const buttonFields: Record<Button['type'], { needs: (keyof Button)[]; may?: (keyof Button)[] }> = {
  quick_reply: { needs: ['text'] },
  url: { needs: ['text', 'url'] },
  phone_number: { needs: ['text', 'phone'] },
  copy_code: { needs: [], may: ['text'] }
}

function checkHeader({ format, text, handle }: NonNullable<CreateTemplate['header']>, fault: Fault): void {
  if (format === 'text' && text === undefined) fault('/header/text', 'is required')
  if (format !== 'text' && text !== undefined) fault('/header/text', `must not stand in a header of format ${format}`)
  if ((format === 'text' || format === 'location') && handle !== undefined)
    fault('/header/handle', `must not stand in a header of format ${format}`)
  if (placeholders(text).length > 1) fault('/header/text', 'must not have more than one variable')
}

function checkButton(button: Button, path: string, fault: Fault): void {
  const { needs, may = [] } = buttonFields[button.type]
  for (const field of needs) if (button[field] === undefined) fault(`${path}/${field}`, 'is required')
  for (const field of ['text', 'url', 'phone'] as const)
    if (button[field] !== undefined && !needs.includes(field) && !may.includes(field))
      fault(`${path}/${field}`, `must not stand in a button of type ${button.type}`)
  if (placeholders(button.url).length > 1) fault(`${path}/url`, 'must not have more than one variable')
}

/** Named ones are lower-case words; positional ones count 1, 2, 3 in the order of the text. */
function checkNames(names: string[], format: TemplateDraft['parameterFormat'], path: string, fault: Fault): void {
  if (format === 'named') {
    for (const name of names)
      if (!/^[a-z][a-z0-9_]{0,99}$/.test(name))
        fault(path, `has the variable {{${name}}}: a name is lower-case letters, digits and underscores`)
  } else if (names.some((name, at) => name !== String(at + 1)))
    fault(path, 'must number its variables {{1}}, {{2}}, … in order')
}

function variablesOf({ header, body, buttons = [] }: CreateTemplate): TemplateVariable[] {
  return [
    ...placeholders(header?.text).map(name => ({ name, in: 'header' as const })),
    ...placeholders(body.text).map(name => ({ name, in: 'body' as const })),
    ...buttons.flatMap(({ type, url }, buttonIndex) => {
      const [name] = type === 'copy_code' ? ['coupon_code'] : placeholders(url)
      return name === undefined ? [] : [{ name, in: 'button' as const, buttonIndex }]
    })
  ]
}

/** By the name that a send would give it; header.1 and button.0 always mean theirs. */
function withExamples(input: CreateTemplate, named: boolean, fault: Fault): Draft[] {
  const { examples = {} } = input
  const all = variablesOf(input)
  const used = new Set<string>()
  const drafts = all.flatMap(variable => {
    const key = keyOf(variable, all)
    const exact = variable.in === 'button' ? `button.${variable.buttonIndex}` : `${variable.in}.${variable.name}`
    // a named variable that stands in header and body alike has one value
    const keys = [exact, key, ...(named && variable.in !== 'button' ? [variable.name] : [])]
    const found = keys.find(candidate => Object.hasOwn(examples, candidate))
    if (found === undefined) {
      fault(`/examples/${key}`, `is missing: an example of the ${variable.in}'s variable ${variable.name}`)
      return []
    }
    used.add(found)
    return [{ ...variable, example: examples[found]! }]
  })
  const asked = all.map(variable => keyOf(variable, all)).join(', ') || 'none'
  for (const key of Object.keys(examples))
    if (!used.has(key)) fault(`/examples/${key}`, `is not a variable of this template; it has ${asked}`)
  return drafts
}

/** The draft that an adapter takes. Throws a 400 that names every fault. */
export function toTemplateDraft(input: CreateTemplate): TemplateDraft {
  const errors: FieldFault[] = []
  const fault: Fault = (path, message) => void errors.push({ path, message })
  const { name, language, category, header, body, footer, buttons = [] } = input
  const [headerNames, bodyNames] = [placeholders(header?.text), placeholders(body.text)]
  const numbers = [...headerNames, ...bodyNames].every(isNumber)
  const parameterFormat = input.parameterFormat ?? (numbers ? 'positional' : 'named')
  if (header) checkHeader(header, fault)
  checkNames(headerNames, parameterFormat, '/header/text', fault)
  checkNames(bodyNames, parameterFormat, '/body/text', fault)
  if (placeholders(footer?.text).length > 0) fault('/footer/text', 'must not have a variable')
  for (const [at, button] of buttons.entries()) checkButton(button, `/buttons/${at}`, fault)
  const variables = withExamples(input, parameterFormat === 'named', fault)
  if (errors.length > 0) {
    const detail = errors.map(({ path, message }) => `${path} ${message}`).join('; ')
    throw new ServiceError('invalid_request', detail.slice(0, 1000), { errors })
  }
  return {
    name,
    language,
    category,
    ...(header && { header }),
    body,
    ...(footer && { footer }),
    buttons,
    variables,
    parameterFormat
  }
}
