import type { PhoneNumber } from '../../../schemas/numbers.ts'
import type { NativeAnswer, NativeRequest, Operations } from '../adapter.ts'
import { array, granted, graphId, record, string, unreadable, word } from './decode.ts'
import { graphPath, type Settings } from './settings.ts'

// The account's numbers (docs/upstream.md 4.8) and the number's business profile (4.9).

/** Meta shows status and name_status on request only. */
const numberFields =
  'id,display_phone_number,verified_name,quality_rating,status,name_status,code_verification_status,platform_type,throughput'
const profileFields = 'about,address,description,email,profile_picture_url,websites,vertical'

export const numbersRequest = (
  settings: Settings,
  { limit, cursor }: Operations['listPhoneNumbers']['input']
): NativeRequest => ({
  method: 'GET',
  path: graphPath(settings, settings.businessAccountId, 'phone_numbers'),
  query: { fields: numberFields, limit, after: cursor }
})

export const numberRequest = (settings: Settings): NativeRequest => ({
  method: 'GET',
  path: graphPath(settings, settings.phoneNumberId),
  query: { fields: numberFields }
})

/** Only what is there. */
const some = <T extends Record<string, unknown>>(members: T): T =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T

function phoneNumber(item: Record<string, unknown>): PhoneNumber[] {
  const id = graphId(item.id)
  if (id === undefined) return []
  const display = string(item.display_phone_number)
  const digits = display?.replace(/\D/g, '')
  return [
    some({
      id,
      phone: digits || undefined,
      displayPhoneNumber: display,
      verifiedName: string(item.verified_name),
      qualityRating: word(item.quality_rating),
      status: word(item.status),
      nameStatus: word(item.name_status),
      codeVerificationStatus: word(item.code_verification_status),
      platformType: word(item.platform_type),
      throughput: word(record(item.throughput).level)
    }) as PhoneNumber
  ]
}

export function numberPage(answer: NativeAnswer): Operations['listPhoneNumbers']['output'] {
  const { data, paging } = granted(answer)
  if (!Array.isArray(data)) throw unreadable(answer, 'a list of phone numbers')
  const { next, cursors } = record(paging)
  return {
    items: data.flatMap(item => phoneNumber(record(item))),
    // as in templatePage: the presence of `next` alone is read, never its text
    nextCursor: string(next) === undefined ? null : (string(record(cursors).after) ?? null)
  }
}

export function oneNumber(answer: NativeAnswer): PhoneNumber {
  const [found] = phoneNumber(granted(answer))
  if (!found) throw unreadable(answer, 'a phone number')
  return found
}

const profilePath = (settings: Settings): string[] =>
  graphPath(settings, settings.phoneNumberId, 'whatsapp_business_profile')

export const profileRequest = (settings: Settings): NativeRequest => ({
  method: 'GET',
  path: profilePath(settings),
  query: { fields: profileFields }
})

/** The fields lie flat in `data[0]`; what was never set is absent. */
export function profile(answer: NativeAnswer): Operations['getProfile']['output'] {
  const { data } = granted(answer)
  if (!Array.isArray(data)) throw unreadable(answer, 'a profile')
  const item = record(data[0])
  const websites = array(item.websites).filter(each => string(each) !== undefined) as string[]
  return some({
    about: string(item.about),
    address: string(item.address),
    description: string(item.description),
    email: string(item.email),
    websites: websites.length > 0 ? websites : undefined,
    vertical: word(item.vertical),
    profilePictureUrl: string(item.profile_picture_url)
  }) as Operations['getProfile']['output']
}

export function updateProfileRequest(
  settings: Settings,
  { profilePictureHandle, vertical, ...rest }: Operations['updateProfile']['input']
): NativeRequest {
  return {
    method: 'POST',
    path: profilePath(settings),
    body: {
      json: {
        messaging_product: 'whatsapp',
        ...rest,
        ...(vertical !== undefined && { vertical: vertical.toUpperCase() }),
        ...(profilePictureHandle !== undefined && { profile_picture_handle: profilePictureHandle })
      }
    }
  }
}

/** The messages path, with a status in place of a message (4.4). */
export const markReadRequest = (
  settings: Settings,
  { providerMessageId, typing }: Operations['markMessageRead']['input']
): NativeRequest => ({
  method: 'POST',
  path: graphPath(settings, settings.phoneNumberId, 'messages'),
  body: {
    json: {
      messaging_product: 'whatsapp',
      status: 'read',
      message_id: providerMessageId,
      ...(typing && { typing_indicator: { type: 'text' } })
    }
  }
})
