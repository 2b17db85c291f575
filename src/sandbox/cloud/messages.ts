import { type Act, type Call, Refusal, take } from '../call.ts'
import { checker, isMistake } from '../check.ts'
import { wamid } from '../ids.ts'
import { graphError, wrong, wrongParam } from './graph.ts'
import { checkMediaObject, mediaKind } from './media-types.ts'
import { MarkRead, messageSchemas } from './message-schemas.ts'
import { objectId } from './objects.ts'
import { recipientOf } from './recipient.ts'
import { DEMO_NUMBER_ID, DEMO_PHONE } from './seed-numbers.ts'
import { templateKey } from './seed-templates.ts'
import { sentWords } from './sent-words.ts'
import { checkTemplate, type SentTemplate } from './template-send.ts'

const checks = new Map(Object.entries(messageSchemas).map(([type, schema]) => [type, checker(schema)]))
const readMarkRead = checker(MarkRead)

type Fields = Record<string, unknown>

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Rows 21 to 31: every kind of message, and mark as read. */
export function postMessages(call: Call): Act {
  const sender = objectId(call)
  const body = call.body.kind === 'json' ? call.body.value : undefined
  if (!isFields(body)) throw wrong(100, 'The body is not an object')
  if ('status' in body) return markRead(call, body)
  const { to, contact } = recipientOf(call, sender, body)
  checkMessage(call, body)
  if (contact.user_id !== undefined && isAuthentication(call, body)) {
    call.entry.refused = 'an authentication template to a user id'
    throw new Refusal(graphError(131062, { details: 'This message cannot be sent to a business-scoped user id.' }))
  }
  if (sender === DEMO_NUMBER_ID && to === DEMO_PHONE) {
    call.entry.refused = 'the sender itself'
    throw new Refusal(graphError(131021, { details: 'Recipient phone number can not be the sender.' }))
  }
  return () => {
    const id = wamid(to)
    take(call, to, id, { ...sentWords(body), numberId: sender, wamid: id })
    const message = call.template ? { id, message_status: 'accepted' } : { id }
    return {
      status: 200,
      body: { messaging_product: 'whatsapp', contacts: [contact], messages: [message] }
    }
  }
}

/** Authentication templates go to telephone numbers alone (docs/upstream.md 4.10, 131062). */
function isAuthentication(call: Call, body: Fields): boolean {
  const { name, language } = (body.template ?? { language: {} }) as SentTemplate
  return call.state.templates.get(templateKey(name, language.code))?.category === 'AUTHENTICATION'
}

/** The one id that no message has. */
const UNKNOWN_MESSAGE = 'wamid.unknown'

function markRead(call: Call, body: Fields): Act {
  call.name = 'cloud.markRead'
  call.entry.operation = call.name
  call.entry.kind = 'write'
  const mistake = readMarkRead(body)
  if (isMistake(mistake)) throw wrongParam(mistake)
  if (body.message_id === UNKNOWN_MESSAGE) {
    call.entry.refused = 'unknown message'
    throw new Refusal(graphError(131009, { details: 'Message ID is invalid' }))
  }
  return () => ({ status: 200, body: { success: true } })
}

function checkMessage(call: Call, body: Fields): void {
  const { type } = body
  if (type === undefined) throw wrong(131008, 'type is required')
  const content = body[String(type)]
  const key = type === 'interactive' && isFields(content) ? `interactive ${String(content.type)}` : String(type)
  const check = checks.get(key)
  if (check === undefined) throw wrong(100, `Param type is not one of the known types: ${key}`)
  const mistake = check(body)
  if (isMistake(mistake)) throw wrongParam(mistake)
  if (type === 'interactive') checkInteractive(call, content as Fields)
  else if (type === 'template') checkTemplate(call, content as SentTemplate)
  else if (mediaKind(String(type))) checkMediaObject(call, String(type), content as Fields)
}

interface Row {
  id: string
  title: string
}

/** What a schema cannot say of buttons and lists (docs/upstream.md 4.2). */
function checkInteractive(call: Call, content: Fields): void {
  const header = content.header as Fields | undefined
  if (header !== undefined && content.type !== 'product') checkHeader(call, header)
  const action = content.action as Fields
  if (content.type === 'button') {
    unique(
      (action.buttons as { reply: Row }[]).map(({ reply }) => reply),
      'buttons'
    )
    return
  }
  if (content.type !== 'list') return
  const sections = action.sections as { title?: string; rows: Row[] }[]
  const rows = sections.flatMap(section => section.rows)
  if (rows.length > 10) throw wrong(131009, `Total row count exceed max allowed count: 10, got ${rows.length}`)
  if (sections.length > 1 && sections.some(({ title }) => title === undefined)) {
    throw wrong(131009, 'Section title is required when there is more than one section')
  }
  const ids = rows.map(({ id }) => id)
  if (new Set(ids).size < ids.length) throw wrong(131009, 'Duplicated row id')
}

function checkHeader(call: Call, header: Fields): void {
  const type = String(header.type)
  const stray = Object.keys(header).find(key => key !== 'type' && key !== type)
  if (stray !== undefined) throw wrong(100, `Unexpected key "${stray}" in a header of type ${type}`)
  if (header[type] === undefined) throw wrong(131008, `header.${type} is required`)
  if (type !== 'text') checkMediaObject(call, type, header[type] as Fields)
}

function unique(replies: Row[], what: string): void {
  for (const key of ['id', 'title'] as const) {
    const values = replies.map(reply => reply[key])
    if (new Set(values).size < values.length) throw wrong(131009, `Duplicated ${key} in ${what}`)
  }
}
