import { Type } from '@sinclair/typebox'
import { Contact } from '../../schemas/contacts.ts'
import { nullable } from '../../schemas/kit.ts'
import type { Operations } from '../../src/adapters/adapter.ts'

// What the suite gives the operations on contacts, and what they answer.

/** Known to the sandbox, with a history of all three kinds of item. */
const phone = '14155551234'
type Named =
  | 'listContacts'
  | 'getContact'
  | 'upsertContact'
  | 'updateContactAttributes'
  | 'listConversation'
  | 'getMedia'

export const contactInputs: { [K in Named]: () => Promise<Operations[K]['input']> } = {
  listContacts: async () => ({
    name: 'a',
    createdOn: '2024-05-14',
    conditions: [{ attribute: 'plan', operator: 'exists' }],
    limit: 100
  }),
  getContact: async () => ({ phone }),
  upsertContact: async () => ({ phone, name: 'Ada King', attributes: { city: 'London' } }),
  updateContactAttributes: async () => ({ phone, attributes: { city: 'London' } }),
  listConversation: async () => ({ phone, limit: 100 }),
  getMedia: async () => ({ path: 'data/images/0b5e1c7a-6f0d-4c39-9a57-2f6a8f1f0c11.jpg' })
}

const strict = { additionalProperties: false }
/** Without its name: the suite's validator meets it in several shapes. */
const OneContact = Type.Object(Contact.properties, strict)
const page = { nextCursor: nullable(Type.String({ minLength: 1 })) }
export const contactShapes = {
  listContacts: Type.Object({ items: Type.Array(OneContact, { minItems: 1 }), ...page }, strict),
  getContact: OneContact,
  upsertContact: nullable(OneContact),
  updateContactAttributes: Type.Null(),
  listConversation: Type.Object(
    {
      items: Type.Array(
        Type.Object(
          {
            message: Type.Object({ id: Type.String(), type: Type.String(), createdAt: Type.String() }),
            failure: Type.Optional(Type.String({ minLength: 1 })),
            file: Type.Optional(
              Type.Object(
                {
                  path: Type.String({ minLength: 1 }),
                  caption: Type.Optional(Type.String()),
                  filename: Type.Optional(Type.String())
                },
                strict
              )
            ),
            event: Type.Optional(Type.Literal(true))
          },
          strict
        ),
        { minItems: 1 }
      ),
      ...page
    },
    strict
  ),
  getMedia: Type.Object({ status: Type.Integer(), headers: Type.Object({}), body: Type.Object({}) }, strict)
}
