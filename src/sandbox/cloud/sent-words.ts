import type { Taken } from '../webhooks/happening.ts'

type Fields = Record<string, unknown>
interface Titled {
  id?: string
  title?: string
  description?: string
}

const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})
const list = (value: unknown): Fields[] => (Array.isArray(value) ? value.map(fields) : [])

/** What a message that was checked says, as far as somebody could answer it: its words, its buttons, its rows. */
export function sentWords(body: Fields): Omit<Taken, 'provider' | 'connectionId' | 'to' | 'at' | 'numberId' | 'wamid'> {
  const type = String(body.type)
  const content = fields(body[type])
  const action = fields(content.action)
  const titled = [
    ...list(action.buttons).map(button => fields(button.reply) as Titled),
    ...list(action.sections).flatMap(section => list(section.rows) as Titled[])
  ]
  const choices = titled.flatMap(({ id, title, description }) =>
    title === undefined
      ? []
      : [{ title, ...(id !== undefined && { id }), ...(description !== undefined && { description }) }]
  )
  const text = fields(body.text).body ?? fields(content.body).text
  const callbackData = body.biz_opaque_callback_data
  return {
    type,
    choices: type === 'template' ? quickReplies(content) : choices,
    ...(typeof text === 'string' && { text }),
    ...(type === 'template' && { templateName: String(content.name) }),
    ...(typeof callbackData === 'string' && { callbackData })
  }
}

/** The payloads of a template's quick replies; their titles stand in the definition. */
const quickReplies = (template: Fields): Taken['choices'] =>
  list(template.components)
    .filter(({ type, sub_type }) => type === 'button' && sub_type === 'quick_reply')
    .flatMap(({ parameters }) => list(parameters))
    .map(({ payload }) => ({ id: String(payload), title: String(payload) }))
