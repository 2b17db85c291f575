import type { Heard } from '../../heard.ts'
import { bounded, digestOf, timeless } from '../../heard-parts.ts'
import { array, graphId, record, string, word } from '../decode.ts'
import { type Change, instant, someoneOrAlone } from './common.ts'

// The fields about templates, numbers, the account, and what people want (docs/webhooks.md C6).

/** Meta writes a language with either sign: compared with `_` (C6). */
const language = (value: unknown): string | undefined => string(value)?.replaceAll('-', '_')
const given = <T>(name: string, value: T | undefined): Record<string, T> =>
  value === undefined ? {} : { [name]: value }

const at = ({ at }: Change) => given('at', at)

type TemplateChange = Extract<Heard, { kind: 'template' }>['change']

/** Both values stand under other names in each field. */
const templateFields: Readonly<Record<string, { change: TemplateChange; value: string[]; before?: string[] }>> = {
  message_template_status_update: { change: 'status', value: ['event'] },
  message_template_quality_update: {
    change: 'quality',
    value: ['new_quality_score'],
    before: ['previous_quality_score']
  },
  message_template_components_update: { change: 'components', value: [] },
  // A day ahead of the change `new_category` is the one that it still has.
  template_category_update: {
    change: 'category',
    value: ['correct_category', 'new_category'],
    before: ['previous_category', 'new_category']
  },
  // What Meta takes to be right, and changes the template to later on.
  template_correct_category_detection: { change: 'category', value: ['correct_category'], before: ['category'] }
}

export function template(change: Change): Heard {
  const { field, value, scope } = change
  const { change: what, value: values, before = [] } = templateFields[field]!
  const id = graphId(value.message_template_id)
  const name = string(value.message_template_name)
  const lang = language(value.message_template_language)
  const said = values.map(key => word(value[key])).find(Boolean)
  const was = before.map(key => word(value[key])).find(each => each !== undefined && each !== said)
  const reason = [value.reason, record(value.rejection_info).reason, record(value.other_info).description]
    .map(string)
    .find(told => told !== undefined && told.toLowerCase() !== 'none')
  const effectiveAt = what === 'category' ? instant(value.category_update_timestamp) : undefined
  const ahead = effectiveAt === undefined ? [] : [effectiveAt]
  return {
    ...at(change),
    scope,
    kind: 'template',
    ...timeless(change.at, 'template', what, id ?? name, lang),
    identity: ['template', what, id ?? name ?? '', lang ?? '', said ?? '', change.at ?? '', ...ahead].join('/'),
    change: what,
    ...given('name', name),
    ...given('language', lang),
    ...given('providerTemplateId', id),
    ...given('value', said),
    ...given('before', was),
    ...given('effectiveAt', effectiveAt),
    ...given('reason', reason?.slice(0, 1024))
  }
}

export function preferences(change: Change): Heard[] {
  return array(change.value.user_preferences).map(item => {
    const told = record(item)
    const value = word(told.value) ?? ''
    const person = someoneOrAlone(change, told.wa_id, told.user_id)
    const when = instant(told.timestamp) ?? change.at
    const base = { ...given('at', when), scope: change.scope }
    const whose = person.phone ?? person.userId
    const identity = ['preference', whose ?? '', value, when ?? ''].join('/')
    if (value !== 'stop' && value !== 'resume')
      return { ...base, kind: 'other', identity, name: `user preference ${value}` }
    const category = word(told.category)?.startsWith('marketing') === false ? 'all' : 'marketing'
    return { ...base, kind: 'preference', ...timeless(when, 'preference', whose), identity, person, category, value }
  })
}

/** Who may answer now: control comes to us, or is taken from us (C6). */
export function handovers(change: Change): Heard[] {
  const { value, scope } = change
  const list = Array.isArray(value.messaging_handovers) ? value.messaging_handovers : [value]
  return list.map(item => {
    const told = record(item)
    const kinds: [string, boolean][] = [
      ['control_passed', true],
      ['control_taken', false]
    ]
    const [what, ours] = kinds.find(
      ([kind]) => told[kind] !== undefined || word(told.type) === kind || word(told.event) === kind
    ) ?? ['handover', undefined]
    const when = instant(told.timestamp) ?? change.at
    const sender = record(told.sender)
    const names = [told.wa_id, told.from, told.user_id, sender.phone_number, sender.wa_id, sender.user_id]
    const person = someoneOrAlone(change, ...names, record(told[what]).wa_id)
    const known = person.phone ?? person.userId
    return {
      ...given('at', when),
      scope,
      kind: 'ownership',
      ...timeless(when, 'ownership', known),
      identity: ['ownership', what, known ?? '', when ?? ''].join('/'),
      change: what,
      ...(known !== undefined && { person }),
      ...given('ours', ours),
      detail: bounded(told)
    }
  })
}

/** Numbers that the account field may be about stand here and not in `metadata`: `entity_id` of an alert (C6). */
export function account(change: Change): Heard {
  const { field, value, scope } = change
  const word_ = word(value.event) ?? word(value.decision) ?? word(record(value.alert_info).alert_type)
  const entity = string(value.entity_type) === 'PHONE_NUMBER' ? graphId(value.entity_id) : undefined
  const detail = bounded(value)
  return {
    ...at(change),
    scope: { ...scope, ...given('numberId', scope.numberId ?? entity) },
    kind: 'account',
    ...timeless(change.at, 'account', field, scope.numberId ?? entity ?? scope.phone),
    // Two of one word and second are two where anything else differs.
    identity: ['account', field, word_ ?? '', change.at ?? '', digestOf(detail)].join('/'),
    event: word_ ? `${field}.${word_}` : field,
    detail
  }
}

/** Something that nothing of ours follows from; it is kept and counted. */
export const other = (change: Change, name: string): Heard => ({
  ...at(change),
  scope: change.scope,
  kind: 'other',
  identity: ['other', change.field, change.at ?? '', name].join('/'),
  name
})
