import { identified } from '../../phone.ts'
import {
  type BatchOutcome,
  type NativeAnswer,
  type NativeRequest,
  type Operations,
  UpstreamFailure
} from '../adapter.ts'
import { array, type Json, string } from './decode.ts'
import { classify } from './errors.ts'
import { receiversOf } from './outcome.ts'
import { type Channel, defined, post } from './request.ts'
import { parametersOf, templateWarnings } from './template.ts'

type Input = Operations['sendBatch']['input']

/** docs/upstream.md 3.4.11: each receiver carries our id, the only thing that its answer and its webhooks are known by. */
export function batch({ name, messages }: Input, { settings }: Channel) {
  const json = {
    template_name: messages[0]!.content.name,
    broadcast_name: name,
    receivers: messages.map(message => ({
      whatsappNumber: message.to,
      localMessageId: message.id,
      customParams: parametersOf(message)
    })),
    channel_number: settings.channelPhoneNumber
  }
  const request: NativeRequest = post(['v2', 'sendTemplateMessages'], {}, { json: defined(json) })
  return { request, read: (answer: NativeAnswer) => ({ outcomes: outcomesOf(messages, answer) }) }
}

/**
 * Whose answer an item of the list is: the id tells, and the number only where there is no id at all. One that names both
 * and disagrees is nobody's.
 */
function findReceiver({ id, to }: Input['messages'][number], receivers: readonly Json[]): Json | undefined {
  const same = receivers.filter(receiver =>
    string(receiver.localMessageId) === undefined ? receiver.waId === to : receiver.localMessageId === id
  )
  return same.length === 1 ? same[0] : undefined
}

function outcomesOf(messages: Input['messages'], answer: NativeAnswer): BatchOutcome[] {
  const { receivers, proven } = receiversOf(answer)
  const { status, headers } = answer
  return messages.map(message => {
    const receiver = findReceiver(message, receivers)
    if (!receiver) return 'untold'
    const errors = array(receiver.errors)
    if (receiver.isValidWhatsAppNumber === false || errors.length > 0) {
      // The words of this one alone, judged as those of a single send.
      const body = { result: false, receivers: [receiver] }
      const failure = new UpstreamFailure('WATI refused this recipient', {
        kind: 'refused',
        started: true,
        status,
        headers,
        body
      })
      const verdict = classify(failure, 'sendBatch')
      return verdict ? { verdict } : 'untold'
    }
    if (!proven) return 'untold'
    return {
      receipt: {
        providerMessageId: string(receiver.localMessageId) ?? message.id,
        recipient: identified(receiver.waId, message.to),
        warnings: templateWarnings(message.content)
      }
    }
  })
}
