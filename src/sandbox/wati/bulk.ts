import { randomUUID } from 'node:crypto'
import { type Static, Type } from '@sinclair/typebox'
import { type Act, type Call, PHONE } from '../call.ts'
import { checker, isMistake } from '../check.ts'
import { badField, badRequest, checkChannel, TYPOS } from './answers.ts'
import { BROADCAST, deliver } from './history.ts'
import type { WatiTemplate } from './seed-templates.ts'
import { findTemplate, noteOrder, Param, paramTrouble, render } from './template.ts'

const strict = { additionalProperties: false }

const V1Receiver = Type.Object({ whatsappNumber: Type.String(), customParams: Type.Array(Param) }, strict)
const V2Receiver = Type.Object(
  {
    ...V1Receiver.properties,
    localMessageId: Type.Optional(Type.String({ minLength: 1 }))
  },
  strict
)

/** Up to 1000 receivers per call (docs/upstream.md 3.4.9). */
const bulk = <R extends typeof V1Receiver | typeof V2Receiver>(receiver: R) =>
  Type.Object(
    {
      template_name: Type.String({ minLength: 1 }),
      broadcast_name: Type.String({ minLength: 1 }),
      receivers: Type.Array(receiver, { minItems: 1, maxItems: 1000 }),
      channel_number: Type.Optional(Type.String())
    },
    strict
  )

const readV1 = checker(bulk(V1Receiver))
const readV2 = checker(bulk(V2Receiver))

type Receiver = Static<typeof V2Receiver>
type Bulk = Omit<Static<ReturnType<typeof bulk<typeof V2Receiver>>>, 'receivers'> & { receivers: Receiver[] }

/** What became of one receiver. */
interface Outcome {
  receiver: Receiver
  localMessageId: string
  badNumber: boolean
  trouble: string | undefined
}

function prepareBulk(
  call: Call,
  read: (value: unknown) => ReturnType<typeof readV2>,
  answer: (body: Bulk, outcomes: Outcome[]) => unknown
): Act {
  const body = read(call.body.kind === 'json' ? call.body.value : undefined)
  if (isMistake(body)) throw badField(body)
  checkChannel(body.channel_number, 'channel_number')
  call.recipients = body.receivers.map(({ whatsappNumber }) => whatsappNumber)
  const ids = body.receivers.flatMap(({ localMessageId }) => localMessageId ?? [])
  if (new Set(ids).size < ids.length) throw badRequest('a localMessageId is given twice')
  const template = findTemplate(call, body.template_name)
  for (const { whatsappNumber, customParams } of body.receivers) {
    const trouble = PHONE.test(whatsappNumber) ? paramTrouble(template, customParams) : 'not a plain number'
    if (trouble === undefined) noteOrder(call, template, customParams)
    else call.entry.violations.push(`receiver ${whatsappNumber}: ${trouble}`)
  }
  return () => ({
    status: 200,
    body: answer(
      body,
      body.receivers.map(one => sendOne(call, template, one))
    )
  })
}

function sendOne(call: Call, template: WatiTemplate, receiver: Receiver): Outcome {
  const { whatsappNumber, customParams } = receiver
  const localMessageId = receiver.localMessageId ?? randomUUID()
  const fault = call.refused.get(whatsappNumber)
  const badNumber = !PHONE.test(whatsappNumber) || fault?.valid === false
  const trouble = fault?.text || (paramTrouble(template, customParams) === undefined ? undefined : TYPOS)
  if (!badNumber && trouble === undefined) {
    const finalText = render(template, customParams)
    deliver(call, whatsappNumber, { ...BROADCAST, finalText }, 'localMessageId', localMessageId)
  }
  return { receiver, localMessageId, badNumber, trouble }
}

/** Row 13: no ids, and a success that can hold failures (docs/upstream.md 3.4.9). */
export function sendTemplateMessages(call: Call): Act {
  return prepareBulk(call, readV1, (_body, outcomes) => {
    const invalidWhatsappNumbers = outcomes.filter(one => one.badNumber).map(one => one.receiver.whatsappNumber)
    const invalidCustomParameters = outcomes
      .filter(one => !one.badNumber && one.trouble !== undefined)
      .map(one => one.receiver.whatsappNumber)
    return {
      result: call.entry.deliveries.length > 0,
      errors: { error: '', invalidWhatsappNumbers, invalidCustomParameters }
    }
  })
}

/** Row 16: each receiver has an answer of its own (docs/upstream.md 3.4.11). */
export function sendTemplateMessagesV2(call: Call): Act {
  return prepareBulk(call, readV2, (body, outcomes) => ({
    result: true,
    error: null,
    templateName: body.template_name,
    receivers: outcomes.map(({ receiver, localMessageId, badNumber, trouble }) => ({
      localMessageId,
      waId: receiver.whatsappNumber,
      isValidWhatsAppNumber: !badNumber,
      errors: badNumber || trouble === undefined ? [] : [trouble]
    })),
    parameters: body.receivers[0]?.customParams ?? []
  }))
}
