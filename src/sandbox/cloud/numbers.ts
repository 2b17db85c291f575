import { Type } from '@sinclair/typebox'
import type { Act, Call } from '../call.ts'
import { checker, isMistake } from '../check.ts'
import { MEDIA_ID } from '../ids.ts'
import { wrong, wrongParam } from './graph.ts'
import { getMedia } from './media.ts'
import { objectId, page, pick } from './objects.ts'
import { DEFAULT_NUMBER_FIELDS, NUMBER_IDS, phoneNumber } from './seed-numbers.ts'
import { webhookConfiguration } from './subscriptions.ts'

const NODE = 'WhatsAppBusinessPhoneNumber'

function show(call: Call, id: string): Record<string, unknown> {
  const number = { ...phoneNumber(id), webhook_configuration: webhookConfiguration(call, id) }
  return pick(call, number, Object.keys(number), DEFAULT_NUMBER_FIELDS, NODE)
}

/** Rows 33 and 38: an id in the media range is a file's, every other a phone number's. */
export function getObject(call: Call): Act {
  const id = objectId(call)
  if (MEDIA_ID.test(id)) {
    call.name = 'cloud.getMedia'
    call.entry.operation = call.name
    if (call.query.fields !== undefined) throw wrong(100, 'fields is not known here')
    return getMedia(call, id)
  }
  if (call.query.phone_number_id !== undefined) throw wrong(100, 'phone_number_id is not known here')
  const body = show(call, id)
  return () => ({ status: 200, body })
}

/** Row 39. */
export function listPhoneNumbers(call: Call): Act {
  objectId(call)
  const { limit, sort, filtering } = call.query
  if (limit !== undefined && !(Number(limit) <= 100)) throw wrong(100, 'Param limit must be at most 100')
  if (sort !== undefined && !/^[a-z_]+_(ascending|descending)$/.test(sort)) throw wrong(100, 'Param sort is not valid')
  if (filtering !== undefined && !isJsonArray(filtering)) throw wrong(100, 'Param filtering must be an array')
  const body = page(
    call,
    NUMBER_IDS.map(id => show(call, id)),
    'phone_numbers'
  )
  return () => ({ status: 200, body })
}

function isJsonArray(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text))
  } catch {
    return false
  }
}

const PROFILE_FIELDS = [
  'about',
  'address',
  'description',
  'email',
  'profile_picture_url',
  'websites',
  'vertical',
  'messaging_product'
] as const

/** Row 40: flat inside `data[0]`, and what was never set is absent (docs/upstream.md 4.9). */
export function getProfile(call: Call): Act {
  const id = objectId(call)
  const profile = { messaging_product: 'whatsapp', ...call.state.profiles.get(id) }
  const shown = pick(call, profile, PROFILE_FIELDS, PROFILE_FIELDS, 'WhatsAppBusinessProfile')
  return () => ({ status: 200, body: { data: [{ ...shown, messaging_product: 'whatsapp' }] } })
}

const VERTICALS =
  'OTHER|AUTO|BEAUTY|APPAREL|EDU|ENTERTAIN|EVENT_PLAN|FINANCE|GROCERY|GOVT|HOTEL|HEALTH|NONPROFIT|' +
  'PROF_SERVICES|RETAIL|TRAVEL|RESTAURANT|ALCOHOL|ONLINE_GAMBLING|PHYSICAL_GAMBLING|OTC_DRUGS'

const text = (maxLength: number, more = {}) => Type.Optional(Type.String({ maxLength, ...more }))

const readProfile = checker(
  Type.Object(
    {
      messaging_product: Type.Literal('whatsapp'),
      about: text(139, { minLength: 1 }),
      address: text(256),
      description: text(512),
      email: text(128, { pattern: '^([^@\\s]+@[^@\\s]+\\.[^@\\s]+)?$' }),
      websites: Type.Optional(Type.Array(Type.String({ maxLength: 256, pattern: '^https?://' }), { maxItems: 2 })),
      vertical: text(20, { pattern: `^(${VERTICALS})$` }),
      profile_picture_handle: text(4096, { pattern: '^\\d+::' })
    },
    { additionalProperties: false }
  )
)

/** Row 41: what is given replaces, the rest stays. */
export function updateProfile(call: Call): Act {
  const id = objectId(call)
  const body = readProfile(call.body.kind === 'json' ? call.body.value : undefined)
  if (isMistake(body)) throw wrongParam({ ...body, rule: body.rule === 'unknown' ? 'unknown' : 'invalid' })
  const { messaging_product: _, profile_picture_handle: handle, ...fields } = body
  return () => {
    const picture = handle === undefined ? {} : { profile_picture_url: 'https://pps.whatsapp.net/v/t61.0-24/new.jpg' }
    const merged = { ...call.state.profiles.get(id), ...fields, ...picture }
    // an emptied field is unset, and unset fields are absent
    call.state.profiles.set(id, Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== '')))
    return { status: 200, body: { success: true } }
  }
}
