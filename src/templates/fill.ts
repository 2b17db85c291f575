import type { ContentByType } from '../../schemas/content.ts'
import type { FieldFault } from '../../schemas/problem.ts'
import type { TemplateVariable } from '../../schemas/templates.ts'
import type { ResolvedMedia, ResolvedTemplate, TemplateDefinition } from '../adapters/adapter.ts'
import { ServiceError } from '../errors.ts'

type Content = ContentByType['template']
const mediaKinds = ['image', 'video', 'document'] as const

/** The definition that a send means: its language, or the only one. Throws template_not_found or template_invalid. */
export function chooseDefinition(
  content: Content,
  definitions: TemplateDefinition[],
  channelId: string,
  near: string[]
): TemplateDefinition {
  if (definitions.length === 0) {
    const hint = near.length > 0 ? ` Did you mean ${near.join(', ')}?` : ''
    throw new ServiceError('template_not_found', `Channel ${channelId} has no template ${content.name}.${hint}`)
  }
  const spelt = (language: string) => language.toLowerCase().replace('-', '_')
  const languages = definitions.map(definition => definition.language).join(', ')
  const wanted = content.language
  const chosen =
    wanted === undefined ? definitions : definitions.filter(definition => spelt(definition.language) === spelt(wanted))
  if (chosen.length === 0)
    throw new ServiceError(
      'template_not_found',
      `Template ${content.name} has no language ${wanted}, only ${languages}.`
    )
  const usable = chosen.filter(definition => definition.status === 'approved')
  if (usable.length === 0)
    throw new ServiceError('template_not_found', `Template ${content.name} is ${chosen[0]!.status}, not approved.`)
  if (usable.length > 1) {
    throw new ServiceError('template_invalid', `Template ${content.name} has several languages.`, {
      errors: [
        {
          path: '/template/language',
          message: `must be one of ${usable.map(definition => definition.language).join(', ')}`
        }
      ]
    })
  }
  const [definition] = usable
  const parts = definition!.unsupportedParts ?? []
  if (parts.length > 0)
    throw new ServiceError(
      'unsupported',
      `Template ${content.name} has parts that cannot be filled here: ${parts.join(', ')}. Without them it would reach ` +
        'people as something else. Send one without them, or say it in the provider’s own words through the native route.'
    )
  const others = definitions.filter(other => other !== definition && other.status === 'approved')
  return others.length === 0 ? definition! : { ...definition!, otherLanguages: others.map(({ language }) => language) }
}

/** Line breaks of any kind, tabs, and five spaces in a row: Meta refuses every value that has one (docs/api.md 5). */
const unprintable = /[\t-\r\u0085\u2028\u2029]| {5}/
const wholeAddress = /^\s*(https?:\/\/|www\.)/i

/** What is wrong with a value, whatever the provider. */
function faultOf(
  value: string,
  { in: place, buttonIndex = 0 }: TemplateVariable,
  definition: TemplateDefinition
): string | undefined {
  if (value.trim() === '') return 'must not be empty'
  if (unprintable.test(value)) return 'must not have a line break, a tab or more than four spaces in a row'
  if (place !== 'button') return undefined
  const [prefix = ''] = definition.buttons?.[buttonIndex]?.url?.split('{{') ?? []
  // An address may be the value of a query's parameter.
  const takesWhole = prefix.trim() === '' || (prefix.includes('?') && !value.trim().startsWith(prefix))
  if (takesWhole || !wholeAddress.test(value)) return undefined
  return `must be only what comes after ${prefix}, which is part of the template`
}

/**
 * What a variable is called in `variables`: its own name, unless header, body and buttons each count from 1; then the
 * body keeps the numbers, and the others say where they stand (header.1, button.0).
 */
export function keyOf(variable: TemplateVariable, all: readonly TemplateVariable[]): string {
  const clash = all.some(other => other !== variable && other.name === variable.name)
  if (!clash || variable.in === 'body') return variable.name
  return variable.in === 'header' ? `header.${variable.name}` : `button.${variable.buttonIndex ?? 0}`
}

/** Hands out the caller's values by variable and keeps book of what is missing, empty or too much. */
function valuesOf(
  content: Content,
  definition: TemplateDefinition,
  faults: FieldFault[]
): Map<TemplateVariable, string> {
  const given = content.variables ?? {}
  const byButton = new Map((content.buttons ?? []).map((button, at) => [button.index, { at, value: button.value }]))
  const wanted = definition.variables.filter(
    variable => !(variable.in === 'button' && byButton.has(variable.buttonIndex ?? 0))
  )
  const values = new Map<TemplateVariable, string>()
  const take = (variable: TemplateVariable, value: string, path: string): void => {
    const message = faultOf(value, variable, definition)
    if (message !== undefined) faults.push({ path, message })
    else values.set(variable, value)
  }
  const used = new Set<string>()
  for (const [i, variable] of wanted.entries()) {
    const key = keyOf(variable, definition.variables)
    // A named variable that stands in header and body alike has one value.
    const names = Array.isArray(given)
      ? [String(i)]
      : definition.parameterFormat === 'named'
        ? [key, variable.name]
        : [key]
    const name = names.find(candidate => Object.hasOwn(given, candidate))
    const value = name === undefined ? codeAgain(variable, definition, values) : (given as Record<string, string>)[name]
    if (name !== undefined) used.add(name)
    const path = `/template/variables/${Array.isArray(given) ? i : key}`
    if (value === undefined)
      faults.push({ path, message: `is missing: the ${variable.in}'s variable ${variable.name}` })
    else take(variable, value, path)
  }
  const asked = wanted.map(variable => keyOf(variable, definition.variables)).join(', ') || 'none'
  for (const name of Object.keys(given)) {
    if (!used.has(name))
      faults.push({
        path: `/template/variables/${name}`,
        message: `is not a variable of this template; it has ${asked}`
      })
  }
  for (const variable of definition.variables) {
    const given = variable.in === 'button' ? byButton.get(variable.buttonIndex ?? 0) : undefined
    if (given !== undefined) take(variable, given.value, `/template/buttons/${given.at}/value`)
  }
  return values
}

/** An authentication template carries its code twice, in the body and in its button (docs/upstream.md 4.3): one value serves. */
function codeAgain(
  variable: TemplateVariable,
  definition: TemplateDefinition,
  values: Map<TemplateVariable, string>
): string | undefined {
  if (definition.category !== 'authentication' || variable.in !== 'button') return undefined
  return [...values].find(([other]) => other.in === 'body')?.[1]
}

/**
 * Checks a send against the template's definition and puts every value in its place.
 * @param resolve turns a media reference of ours into the provider's
 * @throws ServiceError template_invalid naming every fault
 */
export function resolveTemplate(
  content: Content,
  definition: TemplateDefinition,
  resolve: (
    media: { mediaId?: string; link?: string; filename?: string },
    kind: (typeof mediaKinds)[number]
  ) => ResolvedMedia
): ResolvedTemplate {
  const faults: FieldFault[] = []
  const values = valuesOf(content, definition, faults)
  const header = headerOf(content, definition, values, faults, resolve)
  const buttons = buttonsOf(content, definition, values, faults)
  if (faults.length > 0) {
    throw new ServiceError(
      'template_invalid',
      `Template ${content.name}: ${faults.map(fault => `${fault.path} ${fault.message}`).join('; ')}`,
      { errors: faults }
    )
  }
  const placed = (place: TemplateVariable['in']) =>
    definition.variables
      .filter(variable => variable.in === place)
      .map(variable => ({ name: variable.name, value: values.get(variable)! }))
  return {
    name: definition.name,
    language: definition.language,
    parameterFormat: definition.parameterFormat,
    category: definition.category,
    ...(definition.otherLanguages && { otherLanguages: definition.otherLanguages }),
    ...(definition.mediaVariable && { mediaVariable: definition.mediaVariable }),
    ...(definition.mediaPosition !== undefined && { mediaPosition: definition.mediaPosition }),
    ...(header && { header }),
    body: placed('body'),
    buttons,
    flat: definition.variables.map(variable => ({ name: variable.name, value: values.get(variable)! }))
  }
}

function headerOf(
  content: Content,
  definition: TemplateDefinition,
  values: Map<TemplateVariable, string>,
  faults: FieldFault[],
  resolve: Parameters<typeof resolveTemplate>[2]
): ResolvedTemplate['header'] {
  const format = definition.header?.format
  const given = Object.keys(content.header ?? {})[0] as 'image' | 'video' | 'document' | 'location' | undefined
  const asked = format === 'location' ? format : mediaKinds.find(kind => kind === format)
  if (asked && given === undefined)
    faults.push({
      path: `/template/header/${asked}`,
      message: `is missing: the template's header is ${asked === 'image' ? 'an' : 'a'} ${asked}`
    })
  if (given !== undefined && given !== asked) {
    faults.push({
      path: `/template/header/${given}`,
      message: asked ? `does not fit: the template's header is of the kind ${asked}` : 'is not part of this template'
    })
    return undefined
  }
  if (given === 'location') return { location: content.header!.location! }
  if (given !== undefined) return { kind: given, media: resolve(content.header![given]!, given) }
  const text = definition.variables
    .filter(variable => variable.in === 'header')
    .flatMap(variable => {
      const value = values.get(variable)
      return value === undefined ? [] : [{ name: variable.name, value }]
    })
  return text.length > 0 ? { values: text } : undefined
}

function buttonsOf(
  content: Content,
  definition: TemplateDefinition,
  values: Map<TemplateVariable, string>,
  faults: FieldFault[]
): ResolvedTemplate['buttons'] {
  const variables = definition.variables.filter(variable => variable.in === 'button')
  const typeOf = (index: number) => (definition.buttons?.[index]?.type === 'copy_code' ? 'copy_code' : 'url')
  const buttons: ResolvedTemplate['buttons'] = variables.flatMap(variable => {
    const index = variable.buttonIndex ?? 0
    const value = values.get(variable)
    return value === undefined ? [] : [{ index, type: typeOf(index), name: variable.name, value }]
  })
  for (const [i, button] of (content.buttons ?? []).entries()) {
    const path = `/template/buttons/${i}`
    const defined = definition.buttons?.[button.index]
    const fits =
      button.type === 'quick_reply'
        ? defined?.type === 'quick_reply'
        : variables.some(variable => (variable.buttonIndex ?? 0) === button.index) &&
          typeOf(button.index) === button.type
    if (!defined)
      faults.push({
        path: `${path}/index`,
        message: `is not a button of this template, which has ${definition.buttons?.length ?? 0}`
      })
    else if (!fits)
      faults.push({
        path: `${path}/type`,
        message: `does not fit: that button is a ${defined.type}${button.type === 'url' ? ' without a variable' : ''}`
      })
    else if (button.type === 'quick_reply')
      buttons.push({ index: button.index, type: 'quick_reply', value: button.value })
  }
  return buttons.sort((a, b) => a.index - b.index)
}
