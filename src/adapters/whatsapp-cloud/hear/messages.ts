import { identified } from '../../../phone.ts'
import type { Heard, HeardInbound, HeardMessage, HeardPerson, Person } from '../../heard.ts'
import { array, graphId, record, string, word } from '../decode.ts'
import { type Change, digits, instant, type Json, someone } from './common.ts'
import { contentOf } from './content.ts'

// `messages[]` (docs/upstream.md 4.12; docs/webhooks.md A12, C4, C5).

/** What somebody wrote to us, and, where the message says so, that this person is known under another number or id now. */
export function inbound(value: unknown, change: Change): Heard[] {
  const message = record(value)
  const id = graphId(message.id)
  const at = instant(message.timestamp) ?? change.at
  const base = { ...(at !== undefined && { at }), scope: change.scope }
  if (id === undefined)
    return [
      {
        ...base,
        kind: 'other',
        identity: `other/message/${at ?? ''}/${word(message.type) ?? ''}`,
        name: 'message without an id'
      }
    ]
  const errors = array(change.value.errors)
  const moved = movedPerson(message, base, id)
  const heard: HeardInbound = {
    ...base,
    kind: 'message',
    identity: `message/${id}`,
    ids: [id],
    sender: senderOf(message, change, moved),
    message: messageOf(message, errors, change)
  }
  return moved ? [moved, heard] : [heard]
}

/** Who wrote it: by its own members, by the one person that `contacts[]` tells of, and by the number that a card shares on request. */
function senderOf(message: Json, change: Change, moved: HeardPerson | undefined): Person {
  const named = someone(change, message.from, message.from_user_id)
  const unnamed = named.phone === undefined && named.userId === undefined
  if (moved) return unnamed ? moved.before : named
  const { alone } = change
  if (!alone) return shared(named, message)
  if (unnamed) return shared({ ...alone }, message)
  return shared(sameAs(named, alone, change) ? joined(named, alone) : named, message)
}

/** A number and the wa_id beside it need not be the same: they are one person's where nobody else wrote anything in the change. */
const sameAs = (named: Person, alone: Person, { oneWriter }: Change): boolean =>
  oneWriter && (named.userId === undefined || alone.userId === undefined || named.userId === alone.userId)

function joined(named: Person, alone: Person): Person {
  const { phone: waId, ...rest } = alone
  const other = waId !== undefined && named.phone !== undefined && waId !== named.phone
  return { ...rest, ...(waId !== undefined && (other ? { waId } : { phone: waId })), ...named }
}

/** A person who is asked for the number shares it as a card (C4). */
function shared(person: Person, message: Json): Person {
  if (person.phone !== undefined || word(message.type) !== 'contacts') return person
  const cards = array(message.contacts).map(record)
  // The answer says so on the card, or on the message that is nothing else.
  const asked =
    word(message.origin) === 'contact_request' && cards.length === 1
      ? cards[0]
      : cards.find(({ origin }) => word(origin) === 'contact_request')
  const { wa_id, phone } = record(array(asked?.phones)[0])
  const { phone: number } = identified(wa_id, phone)
  return { ...person, ...(number !== undefined && { phone: number }) }
}

/** All that one message says. */
export function messageOf(message: Json, errors: unknown[], { field }: Change, read = contentOf): HeardMessage {
  const context = record(message.context)
  // In an echo that stands one level deeper it has another name.
  const replyTo = string(context.id) ?? string(context.message_id)
  const referral = record(message.referral)
  const often = context.frequently_forwarded === true
  const groupId = string(message.group_id)
  const { catalog_id, product_retailer_id } = record(context.referred_product)
  const [catalogId, productId] = [graphId(catalog_id), graphId(product_retailer_id)]
  return {
    ...read(message, errors),
    ...(replyTo !== undefined && { replyTo }),
    ...(Object.keys(referral).length > 0 && { referral: referralOf(referral) }),
    ...((catalogId ?? productId) !== undefined && {
      product: { ...(catalogId && { catalogId }), ...(productId && { productId }) }
    }),
    ...((often || context.forwarded === true) && { forwarded: often ? ('often' as const) : ('once' as const) }),
    ...(groupId !== undefined && { groupId }),
    ...(field === 'standby' && { standby: true as const })
  }
}

/** Meta's member → ours (C5). */
const referralWords: Readonly<Record<string, string>> = {
  source_url: 'sourceUrl',
  source_id: 'sourceId',
  source_type: 'sourceType',
  headline: 'headline',
  body: 'body',
  media_type: 'mediaType',
  image_url: 'imageUrl',
  video_url: 'videoUrl',
  thumbnail_url: 'thumbnailUrl',
  ctwa_clid: 'clickId'
}
function referralOf(referral: Json): Json {
  const greeting = string(record(referral.welcome_message).text)
  const told = Object.entries(referralWords).flatMap(([theirs, ours]) => {
    const value = string(referral[theirs])
    return value === undefined ? [] : [[ours, value.slice(0, 4096)] as const]
  })
  return { ...Object.fromEntries(told), ...(greeting !== undefined && { welcomeMessage: greeting.slice(0, 4096) }) }
}

const changes: Readonly<Record<string, HeardPerson['change']>> = {
  user_changed_number: 'number',
  customer_changed_number: 'number',
  user_changed_user_id: 'user_id',
  customer_identity_changed: 'identity'
}

/** A `system` message about a person (A12). The new number stands in `wa_id` or `new_wa_id`, the old one in `from`. */
function movedPerson(message: Json, base: Pick<HeardPerson, 'at' | 'scope'>, id: string): HeardPerson | undefined {
  const system = record(message.system)
  const type = word(system.type) ?? ''
  const change = Object.hasOwn(changes, type) ? changes[type] : undefined
  if (word(message.type) !== 'system' || change === undefined) return undefined
  const before = identified(message.from, digits(system.customer), system.previous_user_id)
  const after = identified(digits(system.new_wa_id) ?? digits(system.wa_id), system.user_id)
  return { ...base, kind: 'person', identity: `person/${id}`, change, before, after }
}
