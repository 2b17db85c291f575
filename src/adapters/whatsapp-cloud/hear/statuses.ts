import { identified } from '../../../phone.ts'
import type { HeardFailure, HeardOther, HeardStatus, Price } from '../../heard.ts'
import { failedLater } from '../../meta-codes.ts'
import { array, record, string, word } from '../decode.ts'
import { providerError } from '../errors.ts'
import { type Change, instant, type Json, someone } from './common.ts'

// `statuses[]` of the fields `messages` and `standby` (docs/upstream.md 4.12; docs/webhooks.md A8–A10, C3, C4, C8).

/** Meta's word → ours. `deleted` is no status of the Cloud API any more (A9). */
const words: Readonly<Record<string, HeardStatus['status']>> = {
  sent: 'sent',
  delivered: 'delivered',
  read: 'read',
  played: 'played',
  failed: 'failed'
}

/** What we plant as biz_opaque_callback_data: `sb1.<message id>`. */
const planted = /^sb1\.(msg_[0-9a-f]{32})$/

/** One status. Calls and payments have statuses too, which are none of a message (C6). */
export function status(value: unknown, change: Change): HeardStatus | HeardOther {
  const told = record(value)
  const id = string(told.id)
  const said = word(told.status) ?? ''
  const type = word(told.type)
  const at = instant(told.timestamp) ?? change.at
  const known = Object.hasOwn(words, said) ? words[said]! : undefined
  const ours = planted.exec(string(told.biz_opaque_callback_data) ?? '')?.[1]
  const base = { ...(at !== undefined && { at }), scope: change.scope }
  if (known === undefined || (id === undefined && ours === undefined) || type === 'call' || type === 'payment') {
    const name = `status ${type ?? 'message'} ${said || 'without a name'}`
    return { ...base, kind: 'other', identity: ['other', type ?? '', id ?? '', said, at ?? ''].join('/'), name }
  }
  const participant = string(told.recipient_participant_id) ?? string(told.recipient_participant_user_id)
  const recipient = someone(change, told.recipient_id, told.recipient_user_id)
  const price = priceOf(record(told.pricing))
  return {
    ...base,
    kind: 'status',
    // With what we planted it tells more than without.
    identity: ['status', id ?? ours, known, ...(participant ? [participant] : []), ...(ours && id ? [ours] : [])].join(
      '/'
    ),
    status: known,
    ids: id === undefined ? [] : [id],
    ...(ours !== undefined && { ours }),
    ...(known === 'failed' && { failure: failureOf(array(told.errors)) }),
    ...(price && { price }),
    ...(Object.keys(identified(told.recipient_id, told.recipient_user_id)).length > 0 && { recipient })
  }
}

/** The first of `errors[]` in the words of a refused send. */
function failureOf(errors: unknown[]): HeardFailure {
  const error = record(errors[0])
  const told = typeof error.code === 'string' && /^\d{1,9}$/.test(error.code) ? Number(error.code) : error.code
  const code = Number.isSafeInteger(told) ? (told as number) : undefined
  return {
    ...failedLater(code, said(error)),
    provider: code === undefined ? { name: 'whatsapp-cloud', status: null } : providerError({}, error)
  }
}

const said = (error: Json): string =>
  [error.title, error.message, record(error.error_data).details].flatMap(words => string(words) ?? []).join(' ')

function priceOf(pricing: Json): Price | undefined {
  const [category, type, model] = [word(pricing.category), word(pricing.type), word(pricing.pricing_model)]
  if (category === undefined && type === undefined && model === undefined) return undefined
  return {
    ...(category !== undefined && { category: category.replaceAll('-', '_').slice(0, 64) }),
    ...(type !== undefined && { type: type.slice(0, 64) }),
    ...(model !== undefined && { model: model.slice(0, 64) }),
    ...(typeof pricing.billable === 'boolean' && { billable: pricing.billable })
  }
}
