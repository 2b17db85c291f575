import { type Act, type Call, Refusal } from '../call.ts'
import { graphError, wrong } from './graph.ts'
import { objectId, page, pick } from './objects.ts'
import { qualityOf, type Template } from './seed-templates.ts'

const FIELDS = [
  'id',
  'name',
  'status',
  'category',
  'language',
  'parameter_format',
  'components',
  'rejected_reason',
  'previous_category',
  'quality_score',
  'sub_category'
] as const

const DEFAULTS = ['name', 'parameter_format', 'components', 'language', 'status', 'category', 'rejected_reason', 'id']

/** The values that a filter takes (docs/upstream.md 4.7); the statuses are an open set and only their form is checked. */
const FORMS: Record<string, RegExp> = {
  status: /^[A-Z_]+$/,
  category: /^(AUTHENTICATION|MARKETING|UTILITY)$/,
  language: /^[a-z]{2,3}(_[A-Z]{2})?$/,
  quality_score: /^(GREEN|YELLOW|RED|UNKNOWN)$/
}

function holds(template: Template, query: Record<string, string>): boolean {
  const { status, category, language, name, name_or_content: part, quality_score: quality } = query
  return (
    (status === undefined || template.status === status) &&
    (category === undefined || template.category === category) &&
    (language === undefined || template.language === language) &&
    (name === undefined || template.name === name) &&
    (quality === undefined || qualityOf(template) === quality) &&
    (part === undefined ||
      template.name.includes(part) ||
      template.components.some(({ text }) => text?.toLowerCase().includes(part.toLowerCase())))
  )
}

/** Row 35. */
export function listTemplates(call: Call): Act {
  objectId(call)
  for (const [name, form] of Object.entries(FORMS)) {
    const value = call.query[name]
    if (value !== undefined && !form.test(value)) throw wrong(100, `Param ${name} has an unknown value ${value}`)
  }
  const found = call.state.templates.values().filter(template => holds(template, call.query))
  const shown = [...found].map(template =>
    pick(
      call,
      { ...template, quality_score: { score: qualityOf(template) } },
      FIELDS,
      DEFAULTS,
      'WhatsAppMessageTemplate'
    )
  )
  const body = page(call, shown, 'message_templates')
  return () => ({ status: 200, body })
}

/** Row 37: every language of the name, or the one with that id (docs/upstream.md 4.7). */
export function deleteTemplate(call: Call): Act {
  objectId(call)
  const { name, hsm_id: id } = call.query
  if (!name) throw wrong(100, 'The parameter name is required.')
  const doomed = [...call.state.templates].filter(([, one]) => one.name === name && (id === undefined || one.id === id))
  if (doomed.length === 0) {
    call.entry.refused = `unknown template ${name}`
    throw new Refusal(
      graphError(100, {
        subcode: 2593002,
        userTitle: 'Message template not found',
        userMsg: `The message template with the name ${name} was not found.`
      })
    )
  }
  return () => {
    for (const [key, { status }] of doomed) {
      call.state.templates.delete(key)
      if (status === 'APPROVED') call.state.lockedNames.add(key)
    }
    return { status: 200, body: { success: true } }
  }
}
