import { type Call, Refusal } from '../call.ts'
import { graphError, wrong } from './graph.ts'
import { checkMediaObject } from './media-types.ts'
import { type Component, type Template, type TemplateButton, templateKey, variables } from './seed-templates.ts'

interface Parameter {
  type: string
  parameter_name?: string
  text?: string
  [more: string]: unknown
}

interface SentComponent {
  type: string
  sub_type?: string
  index?: string | number
  parameters: Parameter[]
}

export interface SentTemplate {
  name: string
  language: { code: string }
  components?: SentComponent[]
}

/** Why a template that exists cannot be sent (docs/upstream.md 4.7, 4.10); what is not here is as if it were missing. */
const UNUSABLE: Record<string, readonly [number, string]> = {
  PAUSED: [132015, 'Template is paused due to low quality'],
  DISABLED: [132016, 'Template is disabled permanently']
}

/** Checks a template send against the definition (docs/upstream.md 4.3). */
export function checkTemplate(call: Call, sent: SentTemplate): void {
  const template = findTemplate(call, sent)
  call.template = true
  const components = sent.components ?? []
  const keys = components.map(one => `${one.type} ${one.index ?? ''}`)
  if (new Set(keys).size < keys.length) throw wrong(100, 'Param template components has a component twice')
  for (const one of components) {
    if (one.type !== 'button' && (one.sub_type !== undefined || one.index !== undefined)) {
      throw wrong(100, `Unexpected key "sub_type" or "index" in a ${one.type} component`)
    }
    for (const parameter of one.parameters) checkParameter(one, parameter)
  }
  const part = (type: string): Component | undefined => template.components.find(one => one.type === type)
  const given = (type: string): Parameter[] => components.find(one => one.type === type)?.parameters ?? []
  checkHeader(call, template, part('HEADER'), given('header'))
  checkTexts(template, 'body', part('BODY')?.text, given('body'))
  checkButtons(
    part('BUTTONS')?.buttons ?? [],
    components.filter(one => one.type === 'button')
  )
  const fixed = (part('BODY')?.text ?? '').replace(/\{\{[^{}]*\}\}/g, '').length
  const rendered = given('body').reduce((sum, { text = '' }) => sum + text.length, fixed)
  if (rendered > 1024) throw wrong(132005, `Translated text too long: ${rendered} characters`)
}

function findTemplate(call: Call, { name, language: { code } }: SentTemplate): Template {
  const template = call.state.templates.get(templateKey(name, code))
  if (template?.status === 'APPROVED') return template
  call.entry.refused = template === undefined ? `unknown template ${name} ${code}` : `template is ${template.status}`
  const [why, details] = UNUSABLE[template?.status ?? ''] ?? [
    132001,
    `template name (${name}) does not exist in ${code}`
  ]
  throw new Refusal(graphError(why, { details }))
}

/** Each parameter has the one object that its type names, and no other. */
function checkParameter({ type: component }: SentComponent, parameter: Parameter): void {
  const { type } = parameter
  const stray = Object.keys(parameter).find(key => key !== 'type' && key !== type && key !== 'parameter_name')
  if (stray !== undefined) throw wrong(100, `Unexpected key "${stray}" in a ${component} parameter of type ${type}`)
  if (parameter[type] === undefined || parameter[type] === '') {
    throw wrong(131008, `${component}: Parameter of type ${type} is missing ${type} value`)
  }
}

function checkHeader(call: Call, template: Template, header: Component | undefined, given: Parameter[]): void {
  const format = (header?.format ?? 'TEXT').toLowerCase()
  if (format === 'text') {
    checkTexts(template, 'header', header?.text, given)
    return
  }
  const [only, ...more] = given
  if (only === undefined || more.length > 0) {
    throw wrong(132012, `header: Format mismatch, expected ${format.toUpperCase()}, received UNKNOWN`)
  }
  if (only.type !== format) {
    throw wrong(
      132012,
      `header: Format mismatch, expected ${format.toUpperCase()}, received ${only.type.toUpperCase()}`
    )
  }
  if (format !== 'location') checkMediaObject(call, format, only[format] as Record<string, unknown>)
}

const TEXT_TYPES = new Set(['text', 'currency', 'date_time'])

function checkTexts(template: Template, where: string, text: string | undefined, given: Parameter[]): void {
  const expected = variables(text)
  if (given.length !== expected.length) {
    throw wrong(
      132000,
      `${where}: number of localizable_params (${given.length}) does not match the expected number ` +
        `of params (${expected.length})`
    )
  }
  const named = template.parameter_format === 'NAMED'
  for (const { type, parameter_name: name } of given) {
    if (!TEXT_TYPES.has(type)) throw wrong(132012, `${where}: Format mismatch, expected TEXT, received ${type}`)
    if (named && name === undefined) throw wrong(132012, `${where}: Parameter name is missing or empty`)
    if (named && !expected.includes(name ?? '')) throw wrong(132012, `${where}: Parameter name ${name} is not known`)
    if (!named && name !== undefined) throw wrong(132012, `${where}: this template has no parameter names`)
  }
  if (named && new Set(given.map(one => one.parameter_name)).size < given.length) {
    throw wrong(132012, `${where}: a parameter name is given twice`)
  }
}

interface ButtonRule {
  subType: string
  parameter: string
  /** whether the definition of this button has a part that each send must fill */
  needed: (button: TemplateButton) => boolean
}

/** What a send says of each kind of button (docs/upstream.md 4.3). */
const BUTTONS: Record<string, ButtonRule> = {
  URL: { subType: 'url', parameter: 'text', needed: ({ url }) => variables(url).length > 0 },
  COPY_CODE: { subType: 'copy_code', parameter: 'coupon_code', needed: () => true },
  OTP: { subType: 'url', parameter: 'text', needed: () => true },
  QUICK_REPLY: { subType: 'quick_reply', parameter: 'payload', needed: () => false },
  FLOW: { subType: 'flow', parameter: 'action', needed: () => false },
  CATALOG: { subType: 'catalog', parameter: 'action', needed: () => false },
  MPM: { subType: 'mpm', parameter: 'action', needed: () => true }
}

function checkButtons(buttons: TemplateButton[], given: SentComponent[]): void {
  for (const { index, sub_type: subType, parameters } of given) {
    if (index === undefined || subType === undefined) throw wrong(131008, 'buttons: index and sub_type are required')
    const button = buttons[Number(index)]
    const rule = BUTTONS[button?.type ?? '']
    if (button === undefined || rule?.subType !== subType) {
      throw wrong(132012, `buttons: there is no ${subType} button at index ${index}`)
    }
    if (subType === 'url' && !rule.needed(button)) throw wrong(132000, `buttons: the url at index ${index} is fixed`)
    if (parameters.length !== 1) throw wrong(132000, `buttons: one parameter is expected at index ${index}`)
    if (parameters[0]?.type !== rule.parameter) {
      throw wrong(132012, `buttons: Format mismatch at index ${index}, expected ${rule.parameter}`)
    }
  }
  buttons.forEach((button, at) => {
    if (BUTTONS[button.type]?.needed(button) && !given.some(({ index }) => Number(index) === at)) {
      throw wrong(131008, `buttons: Button at index ${at} of type ${button.type} requires a parameter`)
    }
  })
}
