import type { Heard, HeardFailure, HeardStatus } from '../../heard.ts'
import { bounded, digestOf, timeless } from '../../heard-parts.ts'
import { failedLater } from '../../meta-codes.ts'
import { id, type Json, string } from '../decode.ts'
import { idsOf, instant, oursOf, personOf, scopeOf, yes } from './common.ts'
import { contentOf, sentContentOf } from './content.ts'

// One row an event of WATI's (docs/webhooks.md D1): its stem on the left, ours on the right.

const base = (event: Json) => {
  const at = instant(event)
  return { ...(at !== undefined && { at }), scope: scopeOf(event) }
}

/** WATI's own id where it tells one: the one that webhooks and history share. */
const keyOf = (event: Json): string => id(event.id) ?? idsOf(event)[0] ?? String(instant(event) ?? '')

/**
 * Variants of one happening (v1, v2, bsuid) are one, but for the variant that alone tells the id that we planted: it has
 * to come through even behind the other (A4, D4).
 */
const identity = (stem: string, event: Json): string =>
  [stem, keyOf(event), ...(string(event.localMessageId) === undefined ? [] : [event.localMessageId])].join('/')

const status =
  (status: HeardStatus['status']) =>
  (event: Json, stem: string): Heard => {
    const ids = idsOf(event)
    const ours = oursOf(event)
    if (ids.length === 0) return other(event, `${stem} without an id`)
    const recipient = personOf(event)
    return {
      ...base(event),
      kind: 'status',
      identity: identity(stem, event),
      status,
      ids,
      ...(ours !== undefined && { ours }),
      ...(status === 'failed' && { failure: failureOf(event) }),
      ...((recipient.phone ?? recipient.userId) !== undefined && { recipient })
    }
  }

/** `failedCode` is Meta's code as a string, so it means what it means there (3.7). */
function failureOf(event: Json): HeardFailure {
  const code = string(typeof event.failedCode === 'number' ? String(event.failedCode) : event.failedCode)
  const said = string(event.failedDetail)
    ?.replace(/\d{7,}/g, digits => `…${digits.slice(-4)}`)
    .slice(0, 500)
  return {
    ...failedLater(code !== undefined && /^\d{1,7}$/.test(code) ? Number(code) : undefined, said ?? ''),
    provider: {
      name: 'wati',
      status: null,
      ...(code !== undefined && { code: code.slice(0, 40) }),
      ...(said !== undefined && { message: said })
    }
  }
}

function inbound(event: Json, stem: string): Heard {
  const ids = idsOf(event)
  // `owner` tells who wrote it, never the status, which says SENT here too (3.7)
  if (yes(event.owner)) return outgoing(event, stem)
  if (ids.length === 0) return other(event, `${stem} without an id`)
  return {
    ...base(event),
    kind: 'message',
    identity: `message/${keyOf(event)}`,
    ids,
    sender: personOf(event),
    message: contentOf(event)
  }
}

function outgoing(event: Json, stem: string): Heard {
  const ids = idsOf(event)
  const ours = oursOf(event)
  if (ids.length === 0) return other(event, `${stem} without an id`)
  const [name, email] = [string(event.operatorName), string(event.operatorEmail)]
  // Calls of the API have an e-mail too, that of whoever our access belongs to; only a name is somebody's own hand.
  const api = string(event.sourceType)?.toLowerCase() === 'api'
  const unsure = name === undefined || api ? { unsure: true as const } : {}
  const message = sentContentOf({ ...event, ...(stem === 'templatemessagesent' && { type: 'template' }) })
  const { name: _, ...recipient } = personOf(event)
  return {
    ...base(event),
    kind: 'outgoing',
    identity: identity(stem, event),
    ids,
    ...(ours !== undefined && { ours }),
    ...((name ?? email) !== undefined && { operator: { ...(name && { name }), ...(email && { email }) }, ...unsure }),
    recipient,
    message
  }
}

/** Numbers of templateReviewed and templateQualityUpdated (D1). */
const reviewed = ['draft', 'pending', 'approved', 'rejected', 'deleted', 'pending', 'disabled', 'paused'] as const
const qualities = ['unknown', 'green', 'red', 'yellow'] as const
const named = (words: readonly string[], value: unknown): string | undefined =>
  words[Number(/^\d+$/.exec(id(value) ?? '')?.[0])] ?? string(value)?.toLowerCase()

const template =
  (change: 'status' | 'quality' | 'category', members: [string, string], words: readonly string[]) =>
  (event: Json, stem: string): Heard => {
    const [before, after] = members.map(member => named(words, event[member]))
    const [name, id] = [string(event.templateName), string(event.watiTemplateId) ?? string(event.templateId)]
    return {
      ...base(event),
      kind: 'template',
      ...timeless(instant(event), stem, id ?? name),
      identity: [stem, id ?? name ?? '', before ?? '', after ?? '', instant(event) ?? digestOf(bounded(event))].join(
        '/'
      ),
      change,
      ...(name !== undefined && { name }),
      ...(id !== undefined && { providerTemplateId: id }),
      ...(after !== undefined && { value: after }),
      ...(before !== undefined && { before })
    }
  }

const account = (event: Json, stem: string): Heard => {
  const said = (string(event.accountReviewStatus) ?? string(event.event))?.toLowerCase()
  const detail = bounded(Object.fromEntries(Object.entries(event).filter(([, value]) => value !== null)))
  return {
    ...base(event),
    // A number's own events name it here, and the tenant's name none.
    scope: scopeOf({ channelPhoneNumber: event.channelPhoneNumber ?? event.phoneNumber }),
    kind: 'account',
    ...timeless(instant(event), stem, string(event.phoneNumber)),
    // Two of one word are two where anything else differs.
    identity: [stem, said ?? '', instant(event) ?? '', digestOf(detail)].join('/'),
    event: said ? `${stem}.${said.slice(0, 60)}` : stem,
    detail
  }
}

/** Something that nothing of ours follows from; it is kept and counted. */
export const other = (event: Json, name: string): Heard => ({
  ...base(event),
  kind: 'other',
  identity: ['other', name, keyOf(event)].join('/'),
  name
})

/** By stem, lower case: the names' case is not stable (D1). */
export const events: Readonly<Record<string, (event: Json, stem: string) => Heard>> = {
  message: inbound,
  // comes beside `message`, without its text: never a message of its own (A2)
  newcontactmessagereceived: event => other(event, 'new contact'),
  sessionmessagesent: outgoing,
  templatemessagesent: outgoing,
  sentmessagedelivered: status('delivered'),
  sentmessageread: status('read'),
  // the answer itself comes as `message`; this proves that what it answers arrived
  sentmessagereplied: status('delivered'),
  templatemessagefailed: status('failed'),
  sessionmessagefailed: status('failed'),
  templatereviewed: template('status', ['oldTemplateStatus', 'newTemplateStatus'], reviewed),
  templatequalityupdated: template('quality', ['oldTemplateQuality', 'newTemplateQuality'], qualities),
  templatecategoryupdated: template('category', ['oldTemplateCategory', 'newTemplateCategory'], []),
  wabastatusreviewupdate: account,
  accountupdated: account,
  accountdeleted: account,
  phonenumberdeleted: account,
  phonenumberqualityupdated: account,
  businesscapabilityupdated: account
}
