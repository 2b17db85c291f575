import { type Static, Type } from '@sinclair/typebox'
import { ChannelId, Cursor, Instant, Limit, Mode, Page, PersonInput } from './common.ts'
import { nullable, ref, strict, stringEnum } from './kit.ts'

export const suppressionCategories = ['all', 'marketing'] as const
export type SuppressionCategory = (typeof suppressionCategories)[number]
const Category = stringEnum(suppressionCategories, {
  description:
    'marketing: templates of that category, or of one that is not known, and every broadcast. all: every message.'
})
const Reason = Type.String({ minLength: 1, maxLength: 500, description: 'For you; no recipient sees it.' })
const Channel = { ...ChannelId, description: 'Left out: every channel.' }

export const CreateSuppression = strict(
  {
    to: PersonInput,
    channel: Type.Optional(Channel),
    category: Category,
    reason: Type.Optional(Reason)
  },
  {
    $id: 'CreateSuppression',
    examples: [{ to: '+1 415 555 0123', category: 'marketing', reason: 'asked on the phone' }]
  }
)
export type CreateSuppression = Static<typeof CreateSuppression>

export const Suppression = Type.Object(
  {
    id: Type.String({ examples: ['sup_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3'] }),
    to: nullable(Type.String({ description: 'As it was given or told; null once the person was erased.' })),
    channel: Type.Optional(Type.String()),
    mode: Mode,
    category: stringEnum(suppressionCategories),
    reason: Type.Optional(Type.String()),
    source: stringEnum(['api', 'import', 'whatsapp', 'word'], {
      description: 'whatsapp: the person said so in the app. word: the person wrote one of the channel’s optOut words.'
    }),
    createdBy: Type.Optional(Type.String({ description: 'The key; absent where it was the person.' })),
    createdAt: Instant
  },
  { $id: 'Suppression', additionalProperties: false }
)
export type Suppression = Static<typeof Suppression>
export const SuppressionPage = Page(ref(Suppression), 'SuppressionPage')

/** What a table brought. */
export const SuppressionImport = Type.Object(
  { rows: Type.Integer(), created: Type.Integer() },
  { $id: 'SuppressionImport', additionalProperties: false }
)
export type SuppressionImport = Static<typeof SuppressionImport>

const Person = { ...PersonInput, description: 'A number, or a user id.', examples: ['+1 415 555 0123'] }
const filter = { channel: Type.Optional(ChannelId), category: Type.Optional(stringEnum(suppressionCategories)) }
export const SuppressionFilter = strict({
  to: Type.Optional(Person),
  ...filter,
  limit: Type.Optional(Limit),
  cursor: Type.Optional(Cursor)
})
export type SuppressionFilter = Static<typeof SuppressionFilter>
export const SuppressionTableFilter = strict(filter)
export type SuppressionTableFilter = Static<typeof SuppressionTableFilter>
export const SuppressionTarget = strict({ to: Person, ...filter })
export type SuppressionTarget = Static<typeof SuppressionTarget>
