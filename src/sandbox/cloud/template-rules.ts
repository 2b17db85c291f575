import type { Refusal } from '../call.ts'
import { wrong } from './graph.ts'
import { type Component, type TemplateButton, variables } from './seed-templates.ts'

type Format = 'NAMED' | 'POSITIONAL'

/** Subcodes of template management (docs/upstream.md 4.10). */
const refuse = (subcode: number, userTitle: string, userMsg: string): Refusal =>
  wrong(100, `${userTitle}: ${userMsg}`, { subcode, userTitle, userMsg })

const tooLong = (what: string, most: number): Refusal =>
  refuse(2388040, 'Character Limit Exceeded', `The ${what} has more than ${most} characters.`)

const badFormat = (what: string, why: string): Refusal =>
  refuse(2388047, 'Invalid formatting', `The message ${what} ${why}.`)

/** A variable without a sample is refused (docs/upstream.md 4.7). */
const noExample = (what: string): Refusal =>
  refuse(
    2388043,
    'Message template "components" param is missing expected field(s)',
    `component of type ${what} is missing expected field(s) (example)`
  )

/** Checks what a schema cannot say of a new template's components. */
export function checkComponents(components: Component[], format: Format, category: string): void {
  const types = components.map(({ type }) => type)
  if (new Set(types).size < types.length) throw wrong(100, 'Param components has a component twice')
  const part = (type: string): Component | undefined => components.find(one => one.type === type)
  const [header, body, footer] = [part('HEADER'), part('BODY'), part('FOOTER')]
  if (body === undefined) throw wrong(100, 'Param components must have a BODY')
  if (header !== undefined) checkHeader(header, format)
  // Meta writes the text of authentication templates itself
  if (category !== 'AUTHENTICATION' || body.text !== undefined) checkBody(body, format)
  if (footer?.text !== undefined) checkFooter(footer.text)
  const buttons = part('BUTTONS')?.buttons ?? []
  if (buttons.length > 10) throw wrong(100, 'Param buttons has more than 10 buttons')
  buttons.forEach(checkButton)
}

function checkVariables(what: string, text: string, format: Format): string[] {
  const names = variables(text)
  const positional = names.every(name => /^\d+$/.test(name))
  if (format === 'POSITIONAL' && (!positional || names.some((name, at) => Number(name) !== at + 1))) {
    throw badFormat(what, 'has variables that are not numbered 1, 2, 3 in order')
  }
  if (format === 'NAMED' && names.some(name => !/^[a-z][a-z0-9_]*$/.test(name))) {
    throw badFormat(what, 'has variables that are not lower-case names')
  }
  return names
}

/** Samples in the form that the parameter format wants: a list, or names with a sample each. */
function checkExample(component: Component, key: string, names: string[], format: Format): void {
  if (names.length === 0) return
  const { example } = component
  const named = example?.[`${key}_named_params`] as { param_name: string }[] | undefined
  const plain = example?.[key] as unknown[] | undefined
  const given =
    format === 'NAMED' ? named?.map(({ param_name: name }) => name) : Array.isArray(plain?.[0]) ? plain[0] : plain
  if (given === undefined) throw noExample(component.type)
  const matches =
    format === 'NAMED'
      ? new Set([...names, ...given]).size === names.length && given.length === names.length
      : given.length === names.length
  if (!matches) throw noExample(component.type)
}

function checkHeader(header: Component, format: Format): void {
  if (header.format === 'LOCATION') return
  if (header.format !== 'TEXT') {
    const handles = header.example?.header_handle as string[] | undefined
    if (handles === undefined) throw noExample('HEADER')
    // an uploaded media id is not a handle (docs/upstream.md 4.7)
    if (handles.some(handle => /^\d+$/.test(handle))) throw badFormat('header', 'has a media id instead of a handle')
    return
  }
  const { text } = header
  if (text === undefined) throw wrong(100, 'Param text is required in a HEADER of format TEXT')
  if (text.length > 60) throw tooLong('header', 60)
  const names = checkVariables('header', text, format)
  if (names.length > 1) throw badFormat('header', 'has more than one variable')
  checkExample(header, 'header_text', names, format)
}

function checkBody(body: Component, format: Format): void {
  const text = body.text ?? ''
  if (text === '') throw wrong(100, 'Param text is required in a BODY')
  if (text.length > 1024) throw tooLong('body', 1024)
  const names = checkVariables('body', text, format)
  if (/^\s*\{\{|\}\}\s*$/.test(text)) {
    throw refuse(
      2388299,
      'Variables cannot be at the start or end',
      "Variables can't be at the start or end of the template."
    )
  }
  checkExample(body, 'body_text', names, format)
}

function checkFooter(text: string): void {
  if (text.length > 60) throw tooLong('footer', 60)
  if (variables(text).length > 0) throw refuse(2388073, 'Invalid footer', 'The footer cannot have variables.')
}

/** The fields of each kind of button; those with a mark may be left out. */
const BUTTON_FIELDS: Record<string, readonly string[]> = {
  QUICK_REPLY: ['text'],
  PHONE_NUMBER: ['text', 'phone_number'],
  URL: ['text', 'url', 'example?'],
  COPY_CODE: ['example', 'text?'],
  OTP: ['otp_type', 'text?', 'autofill_text?', 'supported_apps?', 'package_name?', 'signature_hash?'],
  FLOW: ['text', 'flow_id?', 'flow_name?', 'flow_json?', 'flow_action?', 'navigate_screen?'],
  CATALOG: ['text'],
  MPM: ['text']
}

/** Longest values (docs/upstream.md 4.7). */
const BUTTON_LENGTHS: Record<string, number> = { text: 25, url: 2000, phone_number: 20 }

function checkButton(button: TemplateButton): void {
  const fields = Object.hasOwn(BUTTON_FIELDS, button.type) ? BUTTON_FIELDS[button.type] : undefined
  if (fields === undefined) throw wrong(100, `Param buttons has an unknown type ${button.type}`)
  const names = fields.map(field => field.replace('?', ''))
  const stray = Object.keys(button).find(key => key !== 'type' && !names.includes(key))
  if (stray !== undefined) throw wrong(100, `Unexpected key "${stray}" in a button of type ${button.type}`)
  const lacking = fields.find(field => !field.endsWith('?') && button[field] === undefined)
  if (lacking !== undefined) throw wrong(100, `Param ${lacking} is required in a button of type ${button.type}`)
  for (const [name, most] of Object.entries(BUTTON_LENGTHS)) {
    const value = button[name]
    if (value !== undefined && typeof value !== 'string') throw wrong(100, `Param ${name} of a button must be a string`)
    if (value !== undefined && value.length > most) throw tooLong(`button ${name}`, most)
  }
  if (variables(button.url).length > 0 && button.example === undefined) throw noExample('BUTTONS')
}
