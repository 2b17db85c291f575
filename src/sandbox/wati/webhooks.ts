import { hex } from '../ids.ts'
import type { State } from '../state.ts'
import { type Happening, type Somebody, somebody, type Taken, type Wording, type Words } from '../webhooks/happening.ts'
import { remember } from './history.ts'
import { item, SEEDED_FILE } from './seed-messages.ts'

// How WATI words what happens: one event a body, v1 and v2 beside each other (docs/upstream.md 3.7; docs/webhooks.md A2–A5, D1).

type Json = Record<string, unknown>
interface Event {
  eventType: string
  body: Json
}

const seconds = (now: number): string => String(Math.floor(now / 1000))
const conversation = { conversationId: '64f0c0de00000000000c0001', ticketId: '64f0c0de00000000000a0001' }
const channel = ({ numberId }: Taken): Json => ({ channelId: null, channelPhoneNumber: numberId || null })

/** Only v2 tells the id that correlates. */
function twice(name: string, body: Json, { localMessageId }: Taken): Event[] {
  return [
    { eventType: name, body: { eventType: name, ...body } },
    { eventType: `${name}_v2`, body: { eventType: `${name}_v2`, localMessageId: localMessageId ?? null, ...body } }
  ]
}

const idsOf = ({ id, wamid }: Taken): Json => ({ id: id ?? null, whatsappMessageId: wamid, ...conversation })

function sentEvents(taken: Taken, now: number): Event[] {
  const { phone, userId } = somebody(taken.to)
  const template = taken.type === 'template'
  return twice(
    template ? 'templateMessageSent' : 'sessionMessageSent',
    {
      ...idsOf(taken),
      text: taken.text ?? null,
      type: template ? 'template' : taken.type,
      ...(template && { templateId: hex(), templateName: taken.templateName ?? null, sourceType: 'API' }),
      data: null,
      timestamp: seconds(now),
      owner: true,
      statusString: 'SENT',
      assigneeId: null,
      operatorName: null,
      operatorEmail: null,
      waId: phone ?? null,
      bsuid: userId,
      replyContextId: '',
      ...channel(taken)
    },
    taken
  )
}

/** Statuses never name the person (A3). */
const statusEvents = (name: string, word: string, taken: Taken, now: number, more: Json = {}): Event[] =>
  twice(
    name,
    {
      statusString: word,
      ...idsOf(taken),
      text: taken.text ?? null,
      type: taken.type === 'template' ? 'template' : 'text',
      timestamp: seconds(now),
      assigneeId: null,
      operatorEmail: null,
      ...channel(taken),
      ...more
    },
    taken
  )

function failedEvents({ taken, failure }: Extract<Happening, { kind: 'failed' }>, now: number): Event[] {
  const eventType = taken.type === 'template' ? 'templateMessageFailed' : 'sessionMessageFailed'
  const { id, ...ids } = idsOf(taken)
  const body = {
    eventType,
    statusString: 'Failed',
    id,
    ...ids,
    localMessageId: taken.localMessageId ?? null,
    type: taken.type === 'template' ? 'template' : 'session',
    text: taken.text ?? null,
    timestamp: seconds(now),
    failedCode: String(failure.code),
    failedDetail: failure.details
  }
  return [{ eventType, body }]
}

/** WATI's flat fields for what somebody wrote. Edits and deletions are not told by WATI. */
function wordsOf(words: Words, taken: Taken): Json | undefined {
  switch (words.type) {
    case 'text':
      return { type: 'text', text: words.text }
    case 'button':
      return words.ofTemplate
        ? {
            type: 'button',
            text: words.title,
            buttonReply: { text: words.title, payload: JSON.stringify({ ButtonIndex: 0, CarouselCardIndex: null }) }
          }
        : {
            type: 'interactive',
            text: words.title,
            interactiveButtonReply: { id: words.id ?? '0', title: words.title }
          }
    case 'list':
      return {
        type: 'interactive',
        text: words.title,
        listReply: { id: words.id ?? '0', title: words.title, description: words.description ?? '' }
      }
    case 'image':
      return { type: 'image', text: words.caption ?? null, data: SEEDED_FILE }
    case 'voice':
      return { type: 'voice', text: null, data: SEEDED_FILE.replace('images', 'audios').replace('.jpg', '.opus') }
    case 'flow':
      return {
        type: 'interactive',
        text: 'Sent',
        nfmReply: { name: 'flow', body: 'Sent', response_json: JSON.stringify(words.data) }
      }
    case 'reaction':
      return { type: 'reaction', text: words.emoji, replyContextId: taken.wamid }
    default:
      return undefined
  }
}

function wroteEvents(
  happening: Extract<Happening, { kind: 'wrote' }>,
  now: number,
  state: State,
  met: Set<string>
): Event[] {
  const { taken, who, wamid, id, words, answers } = happening
  const said = wordsOf(words, taken)
  if (said === undefined) return []
  const created = new Date(now).toISOString()
  const base = { id, created, ...conversation }
  const replyContextId = said.replyContextId ?? (answers ? taken.wamid : '')
  remember(state.messages, who.phone ?? who.userId, {
    ...item({ ...said, owner: false, statusString: 'SENT', id, replyContextId }, new Date(now)),
    whatsappMessageId: wamid
  })
  const body = {
    eventType: 'message',
    ...base,
    whatsappMessageId: wamid,
    text: null,
    data: null,
    sourceId: null,
    sourceUrl: null,
    timestamp: seconds(now),
    owner: false,
    statusString: 'SENT',
    avatarUrl: null,
    assignedId: null,
    operatorName: null,
    operatorEmail: null,
    messageContact: null,
    listReply: null,
    interactiveButtonReply: null,
    buttonReply: null,
    sourceType: 7,
    frequentlyForwarded: false,
    forwarded: false,
    ...personOf(who),
    ...said,
    replyContextId,
    ...channel(taken)
  }
  const replied = answers
    ? statusEvents('sentMessageREPLIED', 'Replied', taken, now, { text: said.text ?? null, waId: who.phone ?? null })
    : []
  return [...newContact(who, base, now, met), { eventType: 'message', body }, ...replied]
}

const personOf = ({ phone, userId, username, name }: Somebody): Json => ({
  waId: phone ?? null,
  senderName: name,
  bsuid: userId,
  parentBsuid: null,
  username: username === undefined ? null : `@${username}`
})

/** Comes beside the first message of a person, without its text and without a wamid (A2). */
function newContact(who: Somebody, base: Json, _now: number, met: Set<string>): Event[] {
  if (met.has(who.userId)) return []
  met.add(who.userId)
  const body = {
    eventType: 'newContactMessageReceived',
    ...base,
    ...personOf(who),
    sourceId: null,
    sourceUrl: null,
    sourceType: 7
  }
  return [{ eventType: 'newContactMessageReceived', body }]
}

/** Everything that WATI tells of, under the names that it is registered by (docs/webhooks.md D2). */
export const eventTypes = [
  'message',
  'newContactMessageReceived',
  'sessionMessageSent',
  'sessionMessageSent_v2',
  'templateMessageSent',
  'templateMessageSent_v2',
  'sentMessageDELIVERED',
  'sentMessageDELIVERED_v2',
  'sentMessageREAD',
  'sentMessageREAD_v2',
  'sentMessageREPLIED',
  'sentMessageREPLIED_v2',
  'templateMessageFailed',
  'sessionMessageFailed',
  'templateReviewed',
  'templateQualityUpdated',
  'templateCategoryUpdated',
  'wabaStatusReviewUpdate',
  'accountUpdated',
  'accountDeleted',
  'chatbotTriggered'
] as const

export function watiWording(state: State): Wording {
  const met = new Set<string>()
  const eventsOf = (happening: Happening, now: number): Event[] => {
    switch (happening.kind) {
      case 'sent':
        return sentEvents(happening.taken, now)
      case 'delivered':
        return statusEvents('sentMessageDELIVERED', 'Delivered', happening.taken, now)
      case 'read':
        return statusEvents('sentMessageREAD', 'Read', happening.taken, now)
      case 'failed':
        return failedEvents(happening, now)
      case 'wrote':
        return wroteEvents(happening, now, state, met)
      case 'moved':
        return [] // WATI tells of no changed number
    }
  }
  return { most: 1, bodies: (happenings, now) => happenings.flatMap(happening => eventsOf(happening, now)) }
}
