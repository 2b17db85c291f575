import { type Static, Type } from '@sinclair/typebox'
import { type Act, type Call, Refusal } from '../call.ts'
import { checker, isMistake } from '../check.ts'
import { badField, badRequest, checkChannel, failure, recipientOf, rejected, TYPOS, templateName } from './answers.ts'
import { BROADCAST, deliver } from './history.ts'
import { page } from './paging.ts'
import type { CustomParam } from './seed-contacts.ts'
import { expectedParams, MEDIA_PARAM, type WatiTemplate } from './seed-templates.ts'

const strict = { additionalProperties: false }

/** A parameter as sends name it; that blank values are refused is told inside a 200 (docs/upstream.md 3.4.8). */
export const Param = Type.Object({ name: Type.String({ minLength: 1 }), value: Type.String() }, strict)

const readSend = checker(
  Type.Object(
    {
      template_name: Type.String({ minLength: 1 }),
      broadcast_name: Type.String({ minLength: 1 }),
      parameters: Type.Array(Param),
      channel_number: Type.Optional(Type.String())
    },
    strict
  )
)

/** Row 11. */
export function getMessageTemplates(call: Call): Act {
  checkChannel(call.query.channelPhoneNumber, 'channelPhoneNumber')
  const { items, link } = page(call, [...call.state.watiTemplates.values()])
  return () => ({ status: 200, body: { result: 'success', messageTemplates: items, link } })
}

/** The approved template of that name; v2 words the refusal a little differently (docs/upstream.md 3.4.8, 3.4.11). */
export function findTemplate(call: Call, name: string): WatiTemplate {
  const template = call.state.watiTemplates.values().find(one => one.elementName === name)
  if (template?.status === 'APPROVED') {
    call.template = true
    return template
  }
  const v2 = call.operation.shape === 'templateV2' || call.operation.shape === 'bulkV2'
  const unapproved = v2 ? 'Template not approved' : 'Template is not approved.'
  call.entry.refused = template === undefined ? 'unknown template' : `template is ${template.status}`
  throw new Refusal(failure(call, template === undefined ? 'Template not found' : unapproved))
}

/** What is wrong with the parameters of one message, if anything. */
export function paramTrouble(template: WatiTemplate, params: readonly CustomParam[]): string | undefined {
  const expected = expectedParams(template)
  const given = params.map(({ name }) => name)
  const missing = expected.find(name => !given.includes(name))
  if (missing !== undefined) return `parameter "${missing}" is missing`
  if (given.length > expected.length) return `parameter names are ${given}, not ${expected}`
  const blank = params.find(({ value }) => value.trim() === '')
  if (blank !== undefined) return `parameter "${blank.name}" is blank`
  const media = params.find(({ name }) => name === MEDIA_PARAM)
  if (media !== undefined && !/^https?:\/\/\S+$/.test(media.value)) return `${MEDIA_PARAM} is not an address`
  return undefined
}

/** WATI's page wants the definition's order and its server the right names: the order alone is noted, not refused. */
export function noteOrder(call: Call, template: WatiTemplate, params: readonly CustomParam[]): void {
  const given = params.map(({ name }) => name).join()
  if (given !== expectedParams(template).join()) call.entry.violations.push(`parameters are in the order ${given}`)
}

/** The text that the recipient would see. */
export function render(template: WatiTemplate, params: readonly CustomParam[]): string {
  return params.reduce((text, { name, value }) => text.replaceAll(`{{${name}}}`, value), template.bodyOriginal)
}

type Send = Static<typeof Param>[]

function prepareSend(call: Call, answer: (to: string, params: Send, localId: string, id: string) => unknown): Act {
  const body = readSend(call.body.kind === 'json' ? call.body.value : undefined)
  if (isMistake(body)) throw badField(body)
  checkChannel(body.channel_number, 'channel_number')
  const to = recipientOf(call)
  if (to === '') throw badRequest('whatsappNumber is required')
  call.recipients = [to]
  const template = findTemplate(call, body.template_name)
  const trouble = paramTrouble(template, body.parameters)
  if (trouble !== undefined) throw rejected(call, TYPOS, trouble)
  noteOrder(call, template, body.parameters)
  return () => {
    const finalText = render(template, body.parameters)
    const sent = deliver(call, to, { ...BROADCAST, finalText }, 'localMessageId')
    return { status: 200, body: answer(to, body.parameters, sent.localMessageId, sent.id) }
  }
}

/** Row 12. */
export function sendTemplateMessage(call: Call): Act {
  return prepareSend(call, (to, parameteres, localId, id) => ({
    result: true,
    phone_number: to,
    template_name: templateName(call),
    parameteres,
    contact: call.state.contacts.make(to, undefined, []),
    model: { ids: [id] },
    validWhatsAppNumber: true,
    local_message_id: localId
  }))
}

/** Row 15. */
export function sendTemplateMessageV2(call: Call): Act {
  return prepareSend(call, (to, parameters, localMessageId) => ({
    result: true,
    error: null,
    templateName: templateName(call),
    receivers: [{ localMessageId, waId: to, isValidWhatsAppNumber: true, errors: [] }],
    parameters
  }))
}
