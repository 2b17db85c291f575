import type { Heard, Hearing } from '../../heard.ts'
import { array, graphId, record, string, word } from '../decode.ts'
import type { Settings } from '../settings.ts'
import { account, handovers, other, preferences, template } from './account.ts'
import { aloneIn, type Change, instant, type Json, peopleOf, scopeOf, writtenByOne } from './common.ts'
import { echo } from './echoes.ts'
import { inbound } from './messages.ts'
import { status } from './statuses.ts'

// Meta's webhooks → ours. One row a field; a field that is not here is `other` (docs/upstream.md 4.12; docs/webhooks.md C6).

/** Statuses first: a message in the same body may answer what they are about. */
const conversation = (change: Change): Heard[] => {
  const { statuses, messages, errors } = change.value
  const heard = [
    ...array(statuses).map(item => status(item, change)),
    ...array(messages).flatMap(item => inbound(item, change))
  ]
  // errors may stand alone (C4); beside messages they are told with these
  if (heard.length > 0 || array(errors).length === 0) return heard
  const code = graphId(record(array(errors)[0]).code) ?? 'without a code'
  return [other(change, `error ${code.slice(0, 20)}`)]
}
const echoes = (change: Change): Heard[] => array(change.value.message_echoes).map(item => echo(item, change))

const fields: Readonly<Record<string, (change: Change) => Heard[]>> = {
  messages: conversation,
  standby: change => [...conversation(change), ...echoes(change)],
  message_echoes: echoes,
  smb_message_echoes: echoes,
  user_preferences: preferences,
  messaging_handovers: handovers,
  message_template_status_update: change => [template(change)],
  message_template_quality_update: change => [template(change)],
  message_template_components_update: change => [template(change)],
  template_category_update: change => [template(change)],
  template_correct_category_detection: change => [template(change)],
  phone_number_quality_update: change => [account(change)],
  phone_number_name_update: change => [account(change)],
  business_capability_update: change => [account(change)],
  account_update: change => [account(change)],
  business_status_update: change => [account(change)],
  account_alerts: change => [account(change)],
  account_review_update: change => [account(change)],
  account_settings_update: change => [account(change)],
  security: change => [account(change)]
}

function changeOf(entry: Json, item: unknown): Change {
  const { field, value: told } = record(item)
  // Meta puts what another responder has in hand one level deeper, and what it is about beside that.
  const value = { ...record(told), ...record(record(told).standby) }
  const at = instant(entry.time) ?? instant(value.timestamp)
  const people = peopleOf(value.contacts)
  const alone = aloneIn(people, value.statuses)
  return {
    field: word(field)?.slice(0, 100) ?? 'unknown',
    value,
    scope: scopeOf(entry.id, value),
    ...(at !== undefined && { at }),
    people,
    ...(alone && { alone }),
    oneWriter: writtenByOne(value.messages)
  }
}

export const hearing: Hearing<Settings> = {
  read: body => {
    const { object, entry } = record(body)
    if (string(object) !== 'whatsapp_business_account' && !Array.isArray(entry))
      return [
        { kind: 'other', identity: 'other/object', scope: {}, name: `object ${String(string(object)).slice(0, 60)}` }
      ]
    return array(entry).flatMap(item => {
      const one = record(item)
      return array(one.changes).flatMap(each => {
        const change = changeOf(one, each)
        const read = Object.hasOwn(fields, change.field) ? fields[change.field] : undefined
        return read ? read(change) : [other(change, `field ${change.field}`)]
      })
    })
  },
  // A number's id is the surest; without one the account's is all that is told.
  concerns: (settings, scope) =>
    scope.numberId !== undefined
      ? scope.numberId === settings.phoneNumberId
      : scope.accountId === undefined || scope.accountId === '0' || scope.accountId === settings.businessAccountId,
  numberOf: ({ phoneNumberId }) => phoneNumberId,
  byHand:
    'in Meta’s App Dashboard, WhatsApp > Configuration > Webhook, give the callback URL and the verify token that GET /channels/{id}/webhooks shows, and subscribe to messages.',
  notCovered:
    'What Meta tells of templates, quality and the account goes to the address of the app, which is Maton’s: it is asked for now and then instead.',
  signature: { header: 'x-hub-signature-256', prefix: 'sha256=' }
}
