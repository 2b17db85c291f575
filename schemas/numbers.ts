import { type Static, Type } from '@sinclair/typebox'
import { ChannelId, Limit, Page } from './common.ts'
import { ref, strict, stringEnum } from './kit.ts'
import { ListCursor } from './templates.ts'

const word = (description: string) =>
  Type.Optional(Type.String({ description: `${description} The provider's own word in lower case.` }))
/** A channel whose provider knows its numbers. */
export const NumberParams = strict({ id: { ...ChannelId, examples: ['demo-cloud'] } })

/** A phone number of the account behind a channel. */
export const PhoneNumber = Type.Object(
  {
    id: Type.String({ description: "The provider's id of the number: what a channel's settings name it by." }),
    phone: Type.Optional(Type.String({ description: 'Digits only.', examples: ['15550783881'] })),
    displayPhoneNumber: Type.Optional(Type.String({ examples: ['+1 555-078-3881'] })),
    verifiedName: Type.Optional(Type.String({ description: 'The name that recipients see.' })),
    qualityRating: word('green, yellow, red, na or unknown.'),
    status: word('For example connected.'),
    nameStatus: word('The review of the name, for example approved.'),
    codeVerificationStatus: word('For example verified.'),
    platformType: word('For example cloud_api.'),
    throughput: word('For example standard or high.')
  },
  { $id: 'PhoneNumber', additionalProperties: false }
)
export type PhoneNumber = Static<typeof PhoneNumber>
export const PhoneNumberPage = Page(ref(PhoneNumber), 'PhoneNumberPage')
export const PhoneNumberQuery = strict({ limit: Type.Optional(Limit), cursor: Type.Optional(ListCursor) })

/** WhatsApp's kinds of business (docs/upstream.md 4.9). */
export const verticals = [
  'other',
  'auto',
  'beauty',
  'apparel',
  'edu',
  'entertain',
  'event_plan',
  'finance',
  'grocery',
  'govt',
  'hotel',
  'health',
  'nonprofit',
  'prof_services',
  'retail',
  'travel',
  'restaurant',
  'alcohol',
  'online_gambling',
  'physical_gambling',
  'otc_drugs'
] as const

/** What recipients see of a business. What was never set is absent. */
export const Profile = Type.Object(
  {
    about: Type.Optional(Type.String()),
    address: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    email: Type.Optional(Type.String()),
    websites: Type.Optional(Type.Array(Type.String())),
    vertical: Type.Optional(
      Type.String({ description: `One of ${verticals.join(', ')}, or the provider's own word in lower case.` })
    ),
    profilePictureUrl: Type.Optional(Type.String())
  },
  { $id: 'Profile', additionalProperties: false }
)
export type Profile = Static<typeof Profile>

const clearable = (maxLength: number, more: Record<string, unknown> = {}) =>
  Type.Optional(Type.String({ maxLength, description: 'Empty text clears it.', ...more }))
export const UpdateProfile = strict(
  {
    about: Type.Optional(Type.String({ minLength: 1, maxLength: 139 })),
    address: clearable(256),
    description: clearable(512),
    email: clearable(128, { pattern: '^([^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)+)?$' }),
    websites: Type.Optional(Type.Array(Type.String({ maxLength: 256, pattern: '^https?://\\S+$' }), { maxItems: 2 })),
    vertical: Type.Optional(stringEnum(verticals)),
    profilePictureHandle: Type.Optional(
      Type.String({
        maxLength: 4096,
        pattern: '^\\d+::\\S+$',
        description: "A handle of Meta's Resumable Upload API, which Maton does not reach."
      })
    )
  },
  {
    $id: 'UpdateProfile',
    minProperties: 1,
    examples: [{ about: 'We answer within a day', vertical: 'retail', websites: ['https://www.example.com/'] }]
  }
)
export type UpdateProfile = Static<typeof UpdateProfile>
