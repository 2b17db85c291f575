import { type TSchema, Type } from '@sinclair/typebox'
import { nullable } from '../../schemas/kit.ts'
import { PhoneNumber, Profile } from '../../schemas/numbers.ts'
import type { Operations } from '../../src/adapters/adapter.ts'

// What the suite needs of templates, receipts, assignees, numbers and profiles: shape and input of each operation.

type Part =
  | 'createTemplate'
  | 'deleteTemplate'
  | 'markMessageRead'
  | 'assignContact'
  | 'listPhoneNumbers'
  | 'getPhoneNumber'
  | 'getProfile'
  | 'updateProfile'

const filled = Type.String({ minLength: 1 })
/** Without their names: each may stand here and in the document. */
const phoneNumber = Type.Object(PhoneNumber.properties, { additionalProperties: false })
const profile = Type.Object(Profile.properties, { additionalProperties: false })

export const accountShapes: Record<Part, TSchema> = {
  createTemplate: Type.Object(
    { providerTemplateId: filled, status: filled, category: filled },
    { additionalProperties: false }
  ),
  deleteTemplate: Type.Null(),
  markMessageRead: Type.Null(),
  assignContact: Type.Null(),
  listPhoneNumbers: Type.Object(
    { items: Type.Array(phoneNumber, { minItems: 1 }), nextCursor: nullable(filled) },
    { additionalProperties: false }
  ),
  getPhoneNumber: phoneNumber,
  getProfile: profile,
  updateProfile: Type.Null()
}

export const accountInputs: { [K in Part]: () => Promise<Operations[K]['input']> } = {
  createTemplate: async () => ({
    name: 'parcel_ready',
    language: 'en_US',
    category: 'utility',
    header: { format: 'text', text: 'Order {{ordernumber}}' },
    body: { text: 'Hello {{name}}, your order is ready.' },
    footer: { text: 'Reply STOP to opt out' },
    buttons: [{ type: 'url', text: 'Track', url: 'https://example.com/{{1}}' }],
    variables: [
      { name: 'ordernumber', in: 'header', example: '12345' },
      { name: 'name', in: 'body', example: 'Ada' },
      { name: '1', in: 'button', buttonIndex: 0, example: '12345' }
    ],
    parameterFormat: 'named'
  }),
  deleteTemplate: async () => ({ name: 'order_update' }),
  markMessageRead: async () => ({ providerMessageId: 'wamid.HBgLMTQxNTU1NTEyMzQVAgARGBI=', typing: true }),
  assignContact: async () => ({ phone: '14155551234', email: 'agent@example.com' }),
  listPhoneNumbers: async () => ({ limit: 25 }),
  getPhoneNumber: async () => ({}),
  getProfile: async () => ({}),
  updateProfile: async () => ({ about: 'We answer within a day', vertical: 'retail', address: '' })
}
