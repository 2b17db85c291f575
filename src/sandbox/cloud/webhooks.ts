import { createHash } from 'node:crypto'
import { mediaId } from '../ids.ts'
import type { State } from '../state.ts'
import { type Happening, type Somebody, somebody, type Taken, type Wording, type Words } from '../webhooks/happening.ts'
import { DEMO_WABA_ID, phoneNumber } from './seed-numbers.ts'

// How Meta words what happens (docs/upstream.md 4.12; docs/webhooks.md A8–A12, C4, C5).

type Json = Record<string, unknown>
type Wrote = Extract<Happening, { kind: 'wrote' }>

const seconds = (now: number): string => String(Math.floor(now / 1000))
/** Graph writes its `entry.time` as a number. */
const entryTime = (now: number): number => Math.floor(now / 1000)

const contactOf = ({ phone, userId, username, name }: Somebody, withUsername: boolean): Json => ({
  profile: { name, ...(withUsername && username !== undefined && { username }) },
  ...(phone !== undefined && { wa_id: phone }),
  user_id: userId
})

/** Prices come on `sent`, once (docs/webhooks.md C8). */
const pricing = ({ type }: Taken): Json => ({
  billable: type === 'template',
  pricing_model: 'PMP',
  category: type === 'template' ? 'utility' : 'service',
  type: type === 'template' ? 'regular' : 'free_customer_service'
})

function statusOf(happening: Exclude<Happening, Wrote | { kind: 'moved' }>, now: number): Json {
  const { kind, taken } = happening
  const { phone, userId } = somebody(taken.to)
  const base = {
    id: taken.wamid,
    status: kind,
    timestamp: seconds(now),
    ...(phone !== undefined && { recipient_id: phone }),
    ...(taken.callbackData !== undefined && { biz_opaque_callback_data: taken.callbackData })
  }
  if (kind !== 'failed')
    return { ...base, recipient_user_id: userId, ...(kind === 'sent' && { pricing: pricing(taken) }) }
  const { code, title, details } = happening.failure
  const href = 'https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/'
  return {
    ...base,
    ...(phone === undefined && { recipient_user_id: userId }),
    errors: [{ code, title, message: title, error_data: { details }, href }]
  }
}

/** A file that came in: Meta keeps it under an id of its own. */
function fileOf(state: State, numberId: string, mimeType: string): Json {
  const id = mediaId()
  const sha256 = createHash('sha256').update(id)
  state.media.set(id, { id, phoneNumberId: numberId, mimeType, sha256: sha256.copy().digest('hex'), size: 303_833 })
  return { id, mime_type: mimeType, sha256: sha256.digest('base64') }
}

function nodeOf(words: Words, taken: Taken, state: State): Json {
  switch (words.type) {
    case 'text':
      return { type: 'text', text: { body: words.text } }
    case 'button':
      return words.ofTemplate
        ? { type: 'button', button: { payload: words.id ?? words.title, text: words.title } }
        : {
            type: 'interactive',
            interactive: { type: 'button_reply', button_reply: { id: words.id ?? words.title, title: words.title } }
          }
    case 'list': {
      const { id = words.title, title, description } = words
      const list_reply = { id, title, ...(description !== undefined && { description }) }
      return { type: 'interactive', interactive: { type: 'list_reply', list_reply } }
    }
    case 'image': {
      const caption = words.caption === undefined ? {} : { caption: words.caption }
      return { type: 'image', image: { ...fileOf(state, taken.numberId, 'image/jpeg'), ...caption } }
    }
    case 'voice':
      return { type: 'audio', audio: { ...fileOf(state, taken.numberId, 'audio/ogg; codecs=opus'), voice: true } }
    case 'flow':
      return {
        type: 'interactive',
        interactive: {
          type: 'nfm_reply',
          nfm_reply: { name: 'flow', body: 'Sent', response_json: JSON.stringify(words.data) }
        }
      }
    case 'reaction':
      return { type: 'reaction', reaction: { message_id: taken.wamid, emoji: words.emoji } }
    case 'edit':
      return {
        type: 'edit',
        edit: { original_message_id: words.of, message: { type: 'text', text: { body: words.text } } }
      }
    case 'revoke':
      return { type: 'revoke', revoke: { original_message_id: words.of } }
  }
}

function messageOf({ taken, who, wamid, words, answers }: Wrote, now: number, state: State): Json {
  const { display_phone_number } = phoneNumber(taken.numberId)
  const quotes = answers && words.type !== 'reaction'
  return {
    ...(who.phone !== undefined && { from: who.phone }),
    from_user_id: who.userId,
    id: wamid,
    timestamp: seconds(now),
    ...(quotes && { context: { from: String(display_phone_number).replace(/\D/g, ''), id: taken.wamid } }),
    ...nodeOf(words, taken, state)
  }
}

/** A changed number has neither `contacts` nor a context (docs/webhooks.md A12). */
function movedOf({ who, newPhone, wamid }: Extract<Happening, { kind: 'moved' }>, now: number): Json {
  return {
    from: who.phone,
    id: wamid,
    timestamp: seconds(now),
    type: 'system',
    system: {
      type: 'user_changed_number',
      body: `${who.name} changed from ${who.phone} to ${newPhone}`,
      wa_id: newPhone,
      user_id: somebody(newPhone).userId,
      previous_user_id: who.userId
    }
  }
}

function changeOf(happening: Happening, now: number, state: State): Json {
  const { numberId } = happening.taken
  const { display_phone_number } = phoneNumber(numberId)
  const value = {
    messaging_product: 'whatsapp',
    metadata: {
      display_phone_number: String(display_phone_number).replace(/\D/g, ''),
      phone_number_id: numberId
    }
  }
  if (happening.kind === 'moved') return { ...value, messages: [movedOf(happening, now)] }
  if (happening.kind === 'wrote')
    return { ...value, contacts: [contactOf(happening.who, true)], messages: [messageOf(happening, now, state)] }
  const told =
    happening.kind === 'failed'
      ? {}
      : { contacts: [contactOf(somebody(happening.taken.to), happening.kind !== 'sent')] }
  return { ...value, ...told, statuses: [statusOf(happening, now)] }
}

/** Up to a thousand updates in one body, each a change of its own (docs/webhooks.md A6). */
export const cloudWording = (state: State): Wording => ({
  most: 1000,
  bodies: (happenings, now) => {
    const changes = happenings.map(happening => ({ field: 'messages', value: changeOf(happening, now, state) }))
    return [
      {
        body: {
          object: 'whatsapp_business_account',
          entry: [{ id: DEMO_WABA_ID, time: entryTime(now), changes }]
        }
      }
    ]
  }
})
