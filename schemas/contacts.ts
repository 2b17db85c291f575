import { type Static, Type } from '@sinclair/typebox'
import { ChannelId, Cursor, Instant, Limit, Page, PersonInput } from './common.ts'
import { nullable, ref, strict, stringEnum } from './kit.ts'

export const contactOperators = [
  'contains',
  'not_contains',
  'exists',
  'not_exists',
  'equals',
  'not_equals',
  'valid',
  'invalid'
] as const
export type ContactOperator = (typeof contactOperators)[number]
/** The operators that compare with a value. */
export const comparing: ReadonlySet<ContactOperator> = new Set(['contains', 'not_contains', 'equals', 'not_equals'])

/** One condition on a contact; several must all hold. */
export const ContactCondition = strict({
  attribute: Type.String({ minLength: 1, maxLength: 128 }),
  operator: stringEnum(contactOperators),
  value: Type.Optional(Type.String({ maxLength: 1024 }))
})
export type ContactCondition = Static<typeof ContactCondition>
export const ContactConditions = Type.Array(ContactCondition, { maxItems: 20 })

const Name = Type.String({ minLength: 1, maxLength: 256, pattern: '\\S', examples: ['Ada Lovelace'] })
const Attributes = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: 100,
  propertyNames: { type: 'string', minLength: 1, maxLength: 128 },
  additionalProperties: { type: 'string', maxLength: 1024 },
  description: 'By name. Those that are not named stay as they are.',
  examples: [{ city: 'London', plan: 'gold' }]
})

export const CreateContact = strict(
  {
    channel: Type.Optional(ChannelId),
    phone: PersonInput,
    name: Type.Optional(Name),
    attributes: Type.Optional(Attributes)
  },
  {
    $id: 'CreateContact',
    examples: [
      {
        channel: 'demo-cloud',
        phone: '+1 415 555 1234',
        name: 'Ada Lovelace',
        attributes: { city: 'London', plan: 'gold' }
      }
    ]
  }
)
export type CreateContact = Static<typeof CreateContact>
export const PatchContact = strict(
  { name: Type.Optional(Name), attributes: Type.Optional(Attributes) },
  { $id: 'PatchContact', minProperties: 1, examples: [{ name: 'Ada King', attributes: { plan: 'silver' } }] }
)
export type PatchContact = Static<typeof PatchContact>

/** A person, wherever it is kept: at the provider, or in Switchboard's own address book. */
export const Contact = Type.Object(
  {
    channel: Type.String(),
    phone: {
      ...nullable(Type.String({ examples: ['14155551234'] })),
      description: 'Digits only; null for a person who shares no number.'
    },
    userIds: Type.Array(Type.String(), { description: 'WhatsApp’s business-scoped ids of the person.' }),
    username: Type.Optional(Type.String({ description: 'The person’s name at WhatsApp, without the @.' })),
    name: nullable(Type.String()),
    attributes: Type.Record(Type.String(), Type.String()),
    status: Type.String({
      description: 'valid: on WhatsApp, as far as anybody has said otherwise; invalid; or the provider’s own word.',
      examples: ['valid']
    }),
    optedIn: Type.Optional(Type.Boolean()),
    createdAt: nullable(Instant),
    updatedAt: nullable(Instant),
    source: stringEnum(['provider', 'switchboard'], { description: 'Who keeps it.' }),
    providerContactId: Type.Optional(Type.String())
  },
  { $id: 'Contact', additionalProperties: false }
)
export type Contact = Static<typeof Contact>
export const ContactPage = Page(ref(Contact), 'ContactPage')

/** What became of an imported table. */
export const ContactImport = Type.Object(
  { rows: Type.Integer(), created: Type.Integer(), updated: Type.Integer() },
  { $id: 'ContactImport', additionalProperties: false }
)
export type ContactImport = Static<typeof ContactImport>

/** Whether a free message can be sent now, without a template. */
export const ContactWindow = Type.Object(
  {
    open: Type.Unsafe<boolean | 'unknown'>({
      enum: [true, false, 'unknown'],
      description:
        'unknown: the channel hears nothing, or has for less than 24 hours, and nothing that the contact wrote since is known.'
    }),
    closesAt: Type.Optional({ ...Instant, description: '24 hours after the contact last wrote.' })
  },
  { $id: 'ContactWindow', additionalProperties: false }
)
export type ContactWindow = Static<typeof ContactWindow>

// Examples that work in the sandbox: people and their history are there at one provider, what is deleted or imported is ours.
const channel = Type.Optional({ ...ChannelId, examples: ['demo-wati'] })
const page = { limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) }
export const ContactParams = strict({ phone: PersonInput })
export const ContactChannel = strict({ channel })
export const BookChannel = strict({ channel: Type.Optional({ ...ChannelId, examples: ['demo-cloud'] }) })
export const ContactFilter = strict({
  channel,
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 256, description: 'A part of the name, in any case.' })),
  createdOn: Type.Optional(
    Type.String({ format: 'date', maxLength: 10, description: 'A day, UTC.', examples: ['2024-05-14'] })
  ),
  filter: Type.Optional(
    Type.String({
      maxLength: 8192,
      description: `A JSON array of { attribute, operator, value? }, which must all hold. Operators: ${contactOperators.join(', ')}. contains and not_contains know no case; the not_… ones are true where the attribute is missing; valid and invalid judge the contact’s WhatsApp status, whatever the attribute.`,
      examples: ['[{"attribute":"city","operator":"equals","value":"London"}]']
    })
  ),
  ...page
})
export type ContactFilter = Static<typeof ContactFilter>
export const ConversationQuery = strict({
  channel,
  include: Type.Optional(
    stringEnum(['events'], { description: 'events: with assignments and closings, where the provider tells them.' })
  ),
  ...page
})
export type ConversationQuery = Static<typeof ConversationQuery>
