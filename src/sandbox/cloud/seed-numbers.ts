/** An uploaded or received file as Meta describes it (docs/upstream.md 4.6). */
export interface Medium {
  id: string
  phoneNumberId: string
  mimeType: string
  sha256: string
  size: number
}

/** A business profile; what was never set is absent (docs/upstream.md 4.9). */
export type Profile = Record<string, unknown>

/** The sender of the demo channel. */
export const DEMO_NUMBER_ID = '106540352242922'

/** The business account of the demo channel. */
export const DEMO_WABA_ID = '102290129340398'

/** The sender's own number: a message to it is 131021. */
export const DEMO_PHONE = '15550783881'

/** The one well-formed object id that nothing answers to. */
export const NOBODY = '404404404404404'

/** A file that a customer sent. */
export const SEEDED_MEDIA_ID = '2621000000000001'

/** One inbound picture. */
export function seedMedia(): Map<string, Medium> {
  return new Map([
    [
      SEEDED_MEDIA_ID,
      {
        id: SEEDED_MEDIA_ID,
        phoneNumberId: DEMO_NUMBER_ID,
        mimeType: 'image/jpeg',
        sha256: '29d0a9a3c4f4f4a0bb1a8f1b0b0e5f8f6f0e6a2d6d0a3c4f4f4a0bb1a8f1b0b0',
        size: 303833
      }
    ]
  ])
}

/** One profile that is filled in; every other number's is empty. */
export function seedProfiles(): Map<string, Profile> {
  return new Map([
    [
      DEMO_NUMBER_ID,
      {
        about: 'We answer within a day',
        address: '1 Example Street, Springfield',
        description: 'A shop that exists only in this sandbox',
        email: 'hello@example.com',
        profile_picture_url: 'https://pps.whatsapp.net/v/t61.0-24/sandbox.jpg?oh=1&oe=2',
        websites: ['https://www.example.com/'],
        vertical: 'RETAIL'
      }
    ]
  ])
}

/** The phone number object behind an id, every field it can show (docs/upstream.md 4.8). */
export function phoneNumber(id: string): Record<string, unknown> {
  const demo = id === DEMO_NUMBER_ID
  return {
    verified_name: demo ? 'Switchboard Demo' : `Sandbox ${id.slice(-4)}`,
    code_verification_status: 'VERIFIED',
    display_phone_number: demo ? '+1 555-078-3881' : `+1 555-${id.slice(-7, -4)}-${id.slice(-4)}`,
    quality_rating: 'GREEN',
    platform_type: 'CLOUD_API',
    throughput: { level: 'STANDARD' },
    id,
    status: 'CONNECTED',
    name_status: 'APPROVED',
    account_mode: 'LIVE',
    whatsapp_business_manager_messaging_limit: 'TIER_2K',
    messaging_limit_tier: 'TIER_2K',
    is_official_business_account: false
  }
}

/** What Graph shows of a number when no fields are asked for. */
export const DEFAULT_NUMBER_FIELDS = [
  'verified_name',
  'code_verification_status',
  'display_phone_number',
  'quality_rating',
  'platform_type',
  'throughput',
  'id'
] as const

/** The numbers of every business account. */
export const NUMBER_IDS = [DEMO_NUMBER_ID, '106540352242923', '106540352242924'] as const
