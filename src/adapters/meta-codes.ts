import type { ErrorCode } from '../../schemas/problem.ts'
import type { Verdict } from './adapter.ts'

// Meta's codes and ours; WATI's webhooks tell them too (docs/upstream.md 3.7). Source of every row: the table of docs/upstream.md 4.10 [M-ERR], its HTTP column [M-HTTP-OLD,
// M-HTTP-NEW], and what the row's own comment names. What a send may do after it: docs/reliability.md 4.

export interface Row {
  code: ErrorCode
  /** For the caller. */
  says: string
  /** Certainly not taken, and the same request may be taken later. */
  later?: true
  throttles?: Verdict['throttles']
  /** Says "not taken" on a 5xx as well, where every other code proves nothing. */
  holdsOn5xx?: true
  /** Proves nothing, whatever the status. */
  unclear?: true
  /** Speaks of the template: its definition may have changed. */
  aboutTemplate?: true
}

const row = (code: ErrorCode, says: string, more: Omit<Row, 'code' | 'says'> = {}): Row => ({ code, says, ...more })

const credentials = row('channel_rejected', 'WhatsApp refuses the connection’s credentials: they need to be renewed.')
const rights = row('channel_rejected', 'The connection lacks a permission that WhatsApp asks for here.')
const account = row('channel_rejected', 'WhatsApp has restricted the business account.')
const number = row('channel_rejected', 'The sending number is not fit for use on the Cloud API.')
const objectOfOurs = row(
  'channel_rejected',
  'WhatsApp does not know the channel’s ids, or the connection may not use them.'
)
const slowDown = row('rate_limited', 'WhatsApp’s rate limit is reached.', { later: true, throttles: 'channel' })
const down = row('provider_unavailable', 'WhatsApp is unavailable for a while.', { later: true, holdsOn5xx: true })
const unclear = row('outcome_unknown', 'WhatsApp failed without saying why.', { unclear: true })
const recipient = row('recipient_invalid', 'WhatsApp cannot deliver to this recipient.')
const variables = row('template_invalid', 'The values do not fit the template’s variables.')
const noTemplate = row('template_not_found', 'The template cannot be sent: missing in that language, or not approved.')
const mediaFault = row('media_rejected', 'WhatsApp could not fetch or use the file.')
const refused = row('message_rejected', 'WhatsApp refused it.')
const badParameter = row('message_rejected', 'WhatsApp found a parameter missing or not valid.')
const badTemplate = row('template_invalid', 'WhatsApp does not take the template as it is written.')

const rows: Readonly<Record<number, Row>> = {
  // credentials, rights, account, number: ours, never the caller's
  0: credentials, // 401
  104: credentials, // 401
  190: credentials, // 401, live with subcode 463: docs/upstream.md 7
  3: { ...rights, holdsOn5xx: true }, // its one documented status is 500, and it names what was missing
  10: rights, // 403
  33: row('channel_rejected', 'The sending number has been deleted.'), // 400
  368: account, // 403
  803: objectOfOurs, // 404 [M-OAS]
  2500: objectOfOurs, // no such path or version: issues filipporomani/whatsapp-python#46, arsduo/koala#611
  131005: rights, // 403
  131031: account, // 403, both ways
  131037: row('channel_rejected', 'WhatsApp has not approved the sending number’s display name.'), // 400 unconfirmed
  131042: row('channel_rejected', 'The business account has a payment problem.'), // 400, both ways
  131045: { ...number, holdsOn5xx: true }, // its one documented status is 500, and the number cannot send at all
  133000: { ...number, holdsOn5xx: true }, // likewise
  133005: number, // two-step PIN
  133006: number, // re-verification
  133008: number, // PIN guesses
  133009: number, // PIN guesses
  133010: number, // live text "(#133010) Account not registered"
  133015: number, // recently deleted
  133016: number, // blocked from registering; no end is documented, so waiting in a queue would not help
  // the number's reputation: no end is documented either, and repeating makes it worse
  131048: row('channel_rejected', 'WhatsApp limits the sending number because recipients reported it as spam.'), // 400
  131064: row('channel_rejected', 'WhatsApp limits the account because templates were classified wrongly.'),

  // refused now, may be taken later
  4: slowDown, // 400, newer 429; the app's limit, and the app may be Maton's: what is ours of it is the channel
  17: slowDown, // 400: calls of one user
  32: slowDown, // 400: calls for one page
  341: slowDown, // 400: the app's limit on an action
  613: slowDown, // 400: calls to one endpoint
  80007: slowDown, // 400, newer 429; the whole family of business limits stands below
  130429: { ...slowDown, holdsOn5xx: true }, // 400, newer 429 [M-THRU]; 5xx: docs/reliability.md 4
  131056: row('rate_limited', 'Too many messages to this recipient in a short time.', {
    later: true,
    throttles: 'recipient'
  }), // 400, newer 429 [M-PAIR], live: 7
  2: down, // 503
  131016: down, // 500, 503
  131057: { ...down, throttles: 'channel' }, // 500, about a minute [M-THRU]
  133004: down, // 503

  // may have been taken
  1: unclear, // 400
  131000: unclear, // 500

  // the recipient
  130472: row('message_rejected', 'WhatsApp keeps this recipient out of marketing messages for a test.'), // async
  // 403, but not the channel's: other countries go on
  130497: row('recipient_invalid', 'The business account may not message this recipient’s country.'),
  131021: row('recipient_invalid', 'The recipient is the sending number itself.'), // 400
  131026: recipient, // 400, mostly async
  131030: row('recipient_invalid', 'The sender is a test number whose list lacks the recipient.'), // 400, live: 7
  131047: row('window_closed', 'The recipient has not written within 24 hours: send a template.'), // 400, mostly async
  131049: row('message_rejected', 'WhatsApp limits how much marketing this recipient gets: wait a day.'), // async
  131050: row('recipient_suppressed', 'The recipient has opted out of marketing messages.'), // async
  131062: row('recipient_invalid', 'WhatsApp does not deliver this message to a business-scoped user id.'),
  137000: row('recipient_invalid', 'The recipient’s identity has changed.'),

  // the message
  100: badParameter, // 400; narrower ones below
  131008: badParameter, // 400
  131009: badParameter, // 400, live: 7
  // not `unsupported`, which promises that no byte left
  131051: row('message_rejected', 'WhatsApp does not take this type of message.'),
  131052: mediaFault, // inbound, async
  131053: mediaFault, // mostly async
  131063: row('message_rejected', 'Marketing templates are switched off on the Cloud API for this account.'),
  135000: refused, // 400

  // the template
  132000: row('template_invalid', 'The template was given a wrong number of values.'), // 400, live: 7
  132001: noTemplate, // 404, live: 7; other copies 400
  132005: row('template_invalid', 'The template’s text is too long once its values are filled in.'), // 400
  132007: row('message_rejected', 'The template’s content violates a WhatsApp policy.'), // 400
  132008: variables, // 400
  132012: variables, // 400
  132018: variables, // 400, since Graph v23
  132015: row('template_not_found', 'WhatsApp has paused the template because of its quality.'), // 400
  132016: row('template_not_found', 'WhatsApp has disabled the template for good.'), // 400
  132068: row('message_rejected', 'The template’s flow is blocked.'), // 400
  132069: row('message_rejected', 'The template’s flow is throttled.') // 400
}

/** `code/subcode`. Subcodes are kept up for templates and for missing objects only (4.10). */
const narrower: Readonly<Record<string, Row>> = {
  // cannot be told from a missing permission, so it claims no absence [M-WHALOC, M-100-33]; the path names our own ids
  '100/33': objectOfOurs,
  '100/2388019': row('conflict', 'The business account has as many templates as it may have.'), // [M-PYWA]
  '100/2388023': row('conflict', 'The template was deleted: WhatsApp keeps its name locked for 30 days.'), // unconfirmed
  '100/2388024': row('conflict', 'A template of this name and language exists already.'), // observed, live: 7
  '100/2388039': row('conflict', 'The template’s status does not allow this.'), // observed
  '100/2388040': badTemplate, // too long [M-PYWA]
  '100/2388043': badTemplate, // an example is missing: unconfirmed
  '100/2388047': badTemplate, // header or body format [M-PYWA]
  '100/2388073': badTemplate, // footer format [M-PYWA]
  '100/2388293': badTemplate, // too many variables for its length [M-PYWA]
  '100/2388299': badTemplate, // variable at its start or end [M-PYWA]
  '100/2593002': row('not_found', 'WhatsApp has no such template.') // observed
}

/** What codes of a wide meaning say in their text, or in its details, only. */
const texts: readonly { codes: readonly number[]; says: RegExp; row: Row }[] = [
  {
    // a value without a name, a type without its value, a button without its part: only templates have them (4.3)
    codes: [100, 131008, 131009],
    says: /parameter name is missing or empty|parameter '?text'? is mandatory|parameter of type \w+ is missing|button at index \d+ of type \w+ requires a parameter/i,
    row: variables
  },
  {
    // 4.5 [M-MIME-OBS]
    codes: [100],
    says: /must be a file with one of the following/i,
    row: row('media_rejected', 'WhatsApp does not take this type of file.')
  },
  {
    // recorded with a real trace: index id 46947750766; read the same way by n8n, index id 235880733
    codes: [100],
    says: /media attachment ID/i,
    row: row('media_rejected', 'WhatsApp no longer has the file: upload it again.')
  }
]

/** Where the id in the path is the caller's and not the channel's. */
export const noSuchObject = row('not_found', 'WhatsApp does not know it, or the connection may not see it.')
/** A code that is not in the table is judged by its status alone. */
const byStatus: ReadonlyMap<number, Row> = new Map([
  [401, credentials],
  [403, rights],
  [429, slowDown]
])
export const unlisted = (status: number | undefined, code: number): Row =>
  marked(code, byStatus.get(status ?? 0) ?? refused)

/** Every code of this hundred is about the template, and so are values that do not fit it. */
const marked = (code: number, row: Row): Row =>
  row === variables || (code >= 132000 && code <= 132999) ? { ...row, aboutTemplate: true } : row

/** Codes that stand for one thing as a family: permissions, and the limits that Meta counts by use case (4.11). */
const families: readonly (readonly [from: number, to: number, row: Row])[] = [
  [200, 299, rights],
  [80000, 80014, slowDown]
]

/** @param text what Graph says in words: its message, and the details beside it */
export function findRow(code: number, subcode: number | undefined, text: string): Row | undefined {
  const family = families.find(([from, to]) => code >= from && code <= to)?.[2]
  const found = narrower[`${code}/${subcode}`] ?? rows[code] ?? family
  const told =
    found === badParameter ? texts.find(({ codes, says }) => codes.includes(code) && says.test(text)) : undefined
  const known = told?.row ?? found
  return known && marked(code, known)
}

/** The rows that stand for an id that Graph does not know. */
export const namesAnObject = (found: Row): boolean => found === objectOfOurs

/**
 * What a code means in a webhook that says that an accepted message failed. What was unclear of a refused send is clear
 * there: it was not delivered.
 * @param code undefined where the webhook names none
 * @param text what stands beside it, for codes that mean several things
 */
export function failedLater(code: number | undefined, text: string): { code: ErrorCode; detail: string } {
  if (code === undefined)
    return { code: 'message_rejected', detail: 'The message failed after it was accepted, and no reason was given.' }
  const found = findRow(code, undefined, text) ?? refused
  if (found.unclear || found.code === 'provider_unavailable')
    return { code: 'message_rejected', detail: 'WhatsApp took the message and then failed to deliver it.' }
  return { code: found.code, detail: found.says }
}
