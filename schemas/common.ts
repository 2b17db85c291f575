import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { nullable, stringEnum } from './kit.ts'

export const modes = ['live', 'test'] as const
/** `test` never reaches a real provider: every call goes to the built-in sandbox. */
export const Mode = stringEnum(modes)
export type Mode = Static<typeof Mode>

/** RFC 3339 in UTC. */
export const Instant = Type.String({ format: 'date-time', maxLength: 40, examples: ['2026-11-20T09:30:00.000Z'] })

/**
 * An instant in a request. The format alone would let through what Date cannot read: a leap second, an offset without
 * minutes (ajv-formats is laxer than RFC 3339 there).
 */
export const InstantInput = Type.String({
  format: 'date-time',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]\\d{2}:\\d{2})$',
  maxLength: 40,
  examples: ['2027-11-20T09:30:00.000Z']
})

/** A channel's id: what a caller names a sender by. Swagger UI fills examples in, so this one is there in the sandbox. */
export const ChannelId = Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$', examples: ['demo-cloud'] })

/** A phone number as a caller may write it; answered as digits only. src/phone.ts reads it, and says what is wrong. */
export const PhoneInput = Type.String({
  format: 'phone',
  maxLength: 64,
  description:
    'A telephone number with its country code: + and digits with spaces, dots, hyphens or brackets between them, or bare digits. What is not certain is refused with its reason: separators without a plus, a spreadsheet’s .0, a trunk (0), an extension, letters.',
  examples: ['+1 (415) 555-1234']
})

/** A person as a caller may write one; answered as digits, or as the user id that it is. */
export const PersonInput = Type.String({
  format: 'person',
  maxLength: 160,
  description: `${PhoneInput.description} Or the business-scoped user id of a person who shares no number, e.g. US.13491208655302741918.`,
  examples: PhoneInput.examples
})

/** Our id of a message, or any WhatsApp message id (wamid), known here or not. */
export const MessageReference = Type.String({
  pattern: '^[A-Za-z0-9._=+/:-]{1,256}$',
  examples: ['wamid.HBgLMTQxNTU1NTEyMzQVAgARGBI']
})

export const Limit = Type.Integer({ minimum: 1, maximum: 100, default: 25, description: 'How many items at most.' })
export const Cursor = Type.String({
  pattern: '^[A-Za-z0-9_=-]{1,512}$',
  description: 'The nextCursor of the page before. Opaque.'
})

/** One page of a list; `nextCursor` is null on the last. */
export function Page<T extends TSchema>(item: T, $id: string) {
  return Type.Object(
    { items: Type.Array(item), nextCursor: nullable(Type.String()) },
    { $id, additionalProperties: false }
  )
}
