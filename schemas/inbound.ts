import { type TSchema, Type } from '@sinclair/typebox'
import { contentSchemas, type MessageType } from './content.ts'
import { stringEnum } from './kit.ts'

// What stands in a message that somebody else wrote (docs/api.md 12, "What arrives"). The provider tells it, so nothing of it is
// sure to be there, and members that we do not know yet may be.

const text = (description: string) => Type.Optional(Type.String({ description }))
const open = (properties: Record<string, TSchema>, description: string): TSchema =>
  Type.Object(properties, { additionalProperties: true, description })

/** The types that only arrive. */
export const arriving = {
  reply: open(
    {
      kind: stringEnum(['button', 'list', 'template', 'flow']),
      id: text('Of the button or row, where the provider tells it.'),
      title: text('What the person saw and chose.'),
      description: text('Of the row.'),
      payload: text('Of a template’s button.'),
      data: Type.Optional(Type.Unknown({ description: 'What a Flow was filled in with, or what a button holds.' }))
    },
    'The choice of a button, of a row, of a template’s button, or what a Flow was filled in with.'
  ),
  order: open(
    {
      catalogId: text('Which catalog.'),
      text: text('What was written with it.'),
      items: Type.Optional(Type.Array(Type.Object({}, { additionalProperties: true }))),
      data: Type.Optional(Type.Unknown({ description: 'As the provider tells it, in a form that is not ours.' }))
    },
    'An order from a catalog.'
  ),
  system: open(
    { event: text('What happened.'), body: text('WhatsApp’s sentence, for people.') },
    'Something about the person or the conversation.'
  ),
  unsupported: open(
    {
      type: text('What it was.'),
      code: text('The provider’s.'),
      title: text('The provider’s.'),
      detail: text('The provider’s.')
    },
    'Something that WhatsApp does not pass on.'
  ),
  edit: open(
    {
      messageId: text('The message that was changed; it stays as it was.'),
      type: text('Of the new content, which stands under this name.')
    },
    'A message was changed.'
  ),
  revoke: open({ messageId: text('The message that was taken back; it stays as it was.') }, 'A message was taken back.')
}

/** Content of a message that came in, by its type: it comes from outside, so nothing is sure to be there. */
const media = open(
  {
    mediaId: text('GET /media/{id}/content has the file.'),
    link: text('Where a caller had it.'),
    caption: text('Below it.'),
    filename: text('As the sender named it.'),
    mimeType: text('As stated.')
  },
  'A file.'
)
const received: Partial<Record<MessageType, TSchema>> = {
  text: open({ body: text('The words.') }, 'Words.'),
  image: media,
  video: media,
  document: media,
  audio: media,
  sticker: media,
  buttons: open({ body: text('The words above the buttons.') }, 'Buttons that an operator sent.'),
  list: open({ body: text('The words above the list.') }, 'A list that an operator sent.'),
  template: open(
    { name: text('Of the template, where it is told.'), body: text('Its words as the person sees them.') },
    'A template that an operator sent.'
  ),
  location: open({}, 'A place.'),
  contacts: Type.Array(Type.Object({}, { additionalProperties: true })),
  reaction: open({ messageId: text('Of which message.'), emoji: text('Empty: it was taken back.') }, 'A reaction.')
}

/** The type objects of any message: of one of ours as it was given, of any other as it was told. */
export const shownContent = Object.fromEntries(
  Object.entries(contentSchemas).map(([type, schema]) => {
    const told = received[type as MessageType]
    return [type, Type.Optional(told ? Type.Unsafe({ anyOf: [schema, told] }) : (schema as TSchema))]
  })
) as Record<MessageType, TSchema>

const person = {
  waId: text('The number, as WhatsApp writes it.'),
  userId: text('The business-scoped id.'),
  username: text('Without the @.')
}
/** What is told of the other side, of prices and of where a message came from. */
export const circumstances = {
  origin: Type.Optional(
    stringEnum(['operator'], {
      description: 'A person sent it, in the provider’s inbox or the WhatsApp app: it is none of ours.'
    })
  ),
  operator: Type.Optional(
    open({ name: text('Who wrote it.'), email: text('Who wrote it.') }, 'Of an operator’s message.')
  ),
  recipient: Type.Optional(open(person, 'The person as the provider named them, of an outbound message.')),
  sender: Type.Optional(
    open({ ...person, name: text('As the person calls themselves.') }, 'Who wrote an inbound message.')
  ),
  pricing: Type.Optional(
    open(
      {
        category: text('WhatsApp’s.'),
        type: text('WhatsApp’s: regular, free_customer_service, …'),
        model: text('WhatsApp’s.')
      },
      'What WhatsApp says that it costs, never an amount.'
    )
  ),
  referral: Type.Optional(open({}, 'The advertisement or post that it came from.')),
  product: Type.Optional(
    open({ catalogId: text('Which catalog.'), productId: text('Of the catalog.') }, 'The product that it asks about.')
  ),
  forwarded: Type.Optional(stringEnum(['once', 'often'])),
  groupId: text('The group that it was written in.'),
  standby: Type.Optional(Type.Boolean({ description: 'Another responder owns the conversation: this was overheard.' }))
}
