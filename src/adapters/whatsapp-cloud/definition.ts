import type { TemplateVariable } from '../../../schemas/templates.ts'
import type { NativeAnswer, Operations, TemplateDefinition } from '../adapter.ts'
import { templateQuality, unfilled, unfilledPurpose } from '../template-parts.ts'
import { array, granted, graphId, record, string, unreadable, word } from './decode.ts'

// A template's definition: Graph's components → our words (docs/upstream.md 4.7).

type Json = Record<string, unknown>

export function templatePage(answer: NativeAnswer, channel: string): Operations['listTemplates']['output'] {
  const { data, paging } = granted(answer)
  if (!Array.isArray(data)) throw unreadable(answer, 'a list of templates')
  const { next, cursors } = record(paging)
  return {
    items: data.flatMap(item => template(record(item), channel)),
    // cursors are there on the last page too; `next` itself may hold an access token and goes no further (4.7)
    nextCursor: string(next) === undefined ? null : (string(record(cursors).after) ?? null)
  }
}

type Format = TemplateDefinition['parameterFormat']

/** One definition in our words; none if it lacks what it would be sent by. */
function template(item: Json, channel: string): TemplateDefinition[] {
  const name = string(item.name)
  const language = string(item.language)
  if (name === undefined || language === undefined) return []
  const components = array(item.components).map(record)
  const component = (type: string) => components.find(candidate => word(candidate.type) === type)
  const [header, body, footer] = [component('header'), component('body') ?? {}, component('footer')]
  const buttons = array(component('buttons')?.buttons).map(record)
  const headerText = string(header?.text)
  const bodyText = string(body.text) ?? ''
  const format = formatOf(item, `${headerText ?? ''}${bodyText}`)
  const providerTemplateId = graphId(item.id)
  const unsupportedParts = partsOf(item)
  const rejectedReason = word(item.rejected_reason)
  const quality = templateQuality(record(item.quality_score).score)
  return [
    {
      channel,
      name,
      language,
      category: word(item.category) ?? 'unknown',
      status: word(item.status) ?? 'unknown',
      ...(header && {
        header: { format: word(header.format) ?? 'text', ...(headerText !== undefined && { text: headerText }) }
      }),
      body: { text: bodyText },
      ...(footer && { footer: { text: string(footer.text) ?? '' } }),
      ...(buttons.length > 0 && { buttons: buttons.map(button) }),
      variables: [
        ...textVariables('header', headerText ?? '', record(header?.example), format),
        ...textVariables('body', bodyText, record(body.example), format),
        ...buttons.flatMap(buttonVariable)
      ],
      parameterFormat: format,
      ...(unsupportedParts.length > 0 && { unsupportedParts }),
      ...(providerTemplateId !== undefined && { providerTemplateId }),
      // Meta's word for a template that was never rejected
      ...(rejectedReason !== undefined && rejectedReason !== 'none' && { rejectedReason }),
      ...(quality && { quality })
    }
  ]
}

/** What cannot be filled, each once. A header without a format is of text; a part without a type is none that we know. */
function partsOf(item: Json): string[] {
  const components = array(item.components).map(record)
  const parts = components.flatMap(component => {
    const type = word(component.type) ?? 'unknown'
    if (type === 'header') return unfilled('header', word(component.format) ?? 'text')
    if (type !== 'buttons') return unfilled('component', type)
    return array(component.buttons).flatMap(each => unfilled('button', buttonType(record(each))))
  })
  return [...new Set([...parts, ...[item.sub_category, item.display_format].map(word).flatMap(unfilledPurpose)])]
}

/** Names in order of appearance, each once. */
const placeholders = (text: string): string[] => [
  ...new Set(Array.from(text.matchAll(/\{\{([^{}]{1,200})\}\}/g), ([, name = '']) => name.trim()).filter(Boolean))
]
const isNumber = (name: string): boolean => /^\d+$/.test(name)

/** Answers of older versions do not say the format; then the placeholders do. */
function formatOf(item: Json, text: string): Format {
  const stated = word(item.parameter_format)
  if (stated === 'named' || stated === 'positional') return stated
  return placeholders(text).every(isNumber) ? 'positional' : 'named'
}

function textVariables(part: 'header' | 'body', text: string, example: Json, format: Format): TemplateVariable[] {
  const all = placeholders(text)
  // parameters go by number, wherever in the text the number stands
  const names = format === 'named' ? all : all.filter(isNumber).sort((a, b) => Number(a) - Number(b))
  const examples = format === 'named' ? namedExamples(part, example) : positionalExamples(part, example, names)
  return names.map(name => withExample({ name, in: part }, examples.get(name)))
}

const withExample = (variable: TemplateVariable, example: unknown): TemplateVariable => {
  const value = string(example)
  return value === undefined ? variable : { ...variable, example: value }
}

const namedExamples = (part: string, example: Json): Map<unknown, unknown> =>
  new Map(
    array(example[`${part}_text_named_params`])
      .map(record)
      .map(param => [param.param_name, param.example])
  )

/** `header_text: ["Pablo"]`, but `body_text: [["SUMMER20", "10"]]` (4.7). */
function positionalExamples(part: string, example: Json, names: string[]): Map<unknown, unknown> {
  const values = array(example[`${part}_text`]).flat()
  return new Map(names.map((name, position) => [name, values[position]]))
}

/** How a button is sent, where that is not its own type: Meta lists a one-time-code button as either (4.3). */
const sentAs: ReadonlyMap<string, string> = new Map([['otp', 'url']])
const buttonType = ({ type }: Json): string => sentAs.get(word(type) ?? '') ?? word(type) ?? 'unknown'

function button(item: Json): NonNullable<TemplateDefinition['buttons']>[number] {
  const url = string(item.url)
  const phone = string(item.phone_number)
  return {
    type: buttonType(item),
    text: string(item.text) ?? '',
    ...(url !== undefined && { url }),
    ...(phone !== undefined && { phone })
  }
}

/** A quick reply's payload is no variable: left out, WhatsApp sends the button's text back. */
function buttonVariable(item: Json, buttonIndex: number): TemplateVariable[] {
  const name = variableOf.get(buttonType(item))?.(item)
  if (name === undefined) return []
  // one word or a list of one (4.7)
  return [withExample({ name, in: 'button', buttonIndex }, [item.example].flat()[0])]
}
const variableOf: ReadonlyMap<string, (item: Json) => string | undefined> = new Map([
  ['url', (item: Json) => placeholders(string(item.url) ?? '')[0] ?? (word(item.type) === 'otp' ? '1' : undefined)],
  // Meta's own name for the value (4.3)
  ['copy_code', () => 'coupon_code']
])
