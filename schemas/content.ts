import { type Static, Type } from '@sinclair/typebox'
import { MessageReference } from './common.ts'
import { ref, strict, stringEnum } from './kit.ts'

// The type objects of a message. Lengths and counts are those of WhatsApp itself (docs/upstream.md 4.2); what only one
// provider limits further is judged by its adapter, as `unsupported`.

const Url = Type.String({
  format: 'uri',
  pattern: '^https?://',
  maxLength: 2048,
  examples: ['https://example.com/a.jpg']
})
const MediaId = Type.String({ pattern: '^med_[a-z0-9]{32}$', description: 'The id that POST /media answered.' })
const Filename = Type.String({ minLength: 1, maxLength: 240 })
/** Something to read: WhatsApp refuses what is only space. */
const Words = (most: number) => Type.String({ minLength: 1, maxLength: most, pattern: '\\S' })
const Caption = Type.String({ minLength: 1, maxLength: 1024 })
const mediaSource = {
  mediaId: Type.Optional(MediaId),
  link: Type.Optional(Url)
}
/** Exactly one of mediaId and link. */
const oneSource = { oneOf: [{ required: ['mediaId'] }, { required: ['link'] }] }

export const TextContent = strict(
  { body: Words(4096), previewUrl: Type.Optional(Type.Boolean()) },
  { $id: 'TextContent' }
)
export const CaptionedMedia = strict(
  { ...mediaSource, caption: Type.Optional(Caption) },
  { $id: 'CaptionedMedia', ...oneSource }
)
export const DocumentContent = strict(
  { ...mediaSource, caption: Type.Optional(Caption), filename: Type.Optional(Filename) },
  { $id: 'DocumentContent', ...oneSource }
)
export const PlainMedia = strict(mediaSource, { $id: 'PlainMedia', ...oneSource })
export const HeaderDocument = strict(
  { ...mediaSource, filename: Type.Optional(Filename) },
  { $id: 'HeaderDocument', ...oneSource }
)

export const LocationContent = strict(
  {
    latitude: Type.Number({ minimum: -90, maximum: 90 }),
    longitude: Type.Number({ minimum: -180, maximum: 180 }),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
    address: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 }))
  },
  { $id: 'LocationContent' }
)

const Line = Type.String({ minLength: 1, maxLength: 1000 })
const Kind = Type.Optional(Type.String({ minLength: 1, maxLength: 40, description: 'Free text, passed as given.' }))
export const ContactCard = strict(
  {
    name: strict({
      formatted: Line,
      first: Type.Optional(Line),
      last: Type.Optional(Line),
      middle: Type.Optional(Line),
      prefix: Type.Optional(Line),
      suffix: Type.Optional(Line)
    }),
    phones: Type.Optional(Type.Array(strict({ phone: Line, type: Kind, waId: Type.Optional(Line) }), { maxItems: 20 })),
    emails: Type.Optional(Type.Array(strict({ email: Line, type: Kind }), { maxItems: 20 })),
    urls: Type.Optional(Type.Array(strict({ url: Line, type: Kind }), { maxItems: 20 })),
    addresses: Type.Optional(
      Type.Array(
        strict({
          street: Type.Optional(Line),
          city: Type.Optional(Line),
          state: Type.Optional(Line),
          zip: Type.Optional(Line),
          country: Type.Optional(Line),
          countryCode: Type.Optional(Line),
          type: Kind
        }),
        { maxItems: 20 }
      )
    ),
    org: Type.Optional(
      strict({ company: Type.Optional(Line), department: Type.Optional(Line), title: Type.Optional(Line) })
    ),
    birthday: Type.Optional(Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' }))
  },
  { $id: 'ContactCard' }
)
export type ContactCard = Static<typeof ContactCard>

export const InteractiveHeader = strict(
  {
    text: Type.Optional(Type.String({ minLength: 1, maxLength: 60 })),
    image: Type.Optional(ref(PlainMedia)),
    video: Type.Optional(ref(PlainMedia)),
    document: Type.Optional(ref(HeaderDocument))
  },
  { $id: 'InteractiveHeader', minProperties: 1, maxProperties: 1, description: 'Exactly one of its members.' }
)
const Footer = Type.Optional(Type.String({ minLength: 1, maxLength: 60 }))
export const ButtonsContent = strict(
  {
    header: Type.Optional(ref(InteractiveHeader)),
    body: Words(1024),
    footer: Footer,
    buttons: Type.Array(
      strict({
        id: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
        title: Type.String({ minLength: 1, maxLength: 20 })
      }),
      { minItems: 1, maxItems: 3 }
    )
  },
  { $id: 'ButtonsContent' }
)
export const ListContent = strict(
  {
    header: Type.Optional(Type.String({ minLength: 1, maxLength: 60 })),
    body: Words(4096),
    footer: Footer,
    button: Type.String({ minLength: 1, maxLength: 20 }),
    sections: Type.Array(
      strict({
        title: Type.Optional(Type.String({ minLength: 1, maxLength: 24 })),
        rows: Type.Array(
          strict({
            id: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
            title: Type.String({ minLength: 1, maxLength: 24 }),
            description: Type.Optional(Type.String({ minLength: 1, maxLength: 72 }))
          }),
          { minItems: 1, maxItems: 10 }
        )
      }),
      { minItems: 1, maxItems: 10 }
    )
  },
  { $id: 'ListContent' }
)
export const ReactionContent = strict(
  {
    messageId: MessageReference,
    emoji: Type.String({ maxLength: 20, description: 'An empty string takes the reaction back.' })
  },
  { $id: 'ReactionContent' }
)

const Variable = Type.String({ maxLength: 32768 })
export const TemplateHeader = strict(
  {
    image: Type.Optional(ref(PlainMedia)),
    video: Type.Optional(ref(PlainMedia)),
    document: Type.Optional(ref(HeaderDocument)),
    location: Type.Optional(ref(LocationContent))
  },
  { $id: 'TemplateHeader', minProperties: 1, maxProperties: 1, description: 'Exactly one of its members.' }
)
export const TemplateContent = strict(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,512}$' }),
    language: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})?$',
        description: 'May be left out when the name has only one.'
      })
    ),
    variables: Type.Optional(
      Type.Unsafe<Record<string, string> | string[]>({
        oneOf: [
          { type: 'object', maxProperties: 100, additionalProperties: Variable },
          { type: 'array', maxItems: 100, items: Variable }
        ],
        description: 'By name ({"name": "John"}, {"1": "John"}) or in order (["John", "12345"]).'
      })
    ),
    header: Type.Optional(ref(TemplateHeader)),
    buttons: Type.Optional(
      Type.Array(
        strict({
          index: Type.Integer({ minimum: 0, maximum: 9 }),
          type: stringEnum(['url', 'quick_reply', 'copy_code']),
          value: Type.String({ minLength: 1, maxLength: 2000 })
        }),
        { maxItems: 10 }
      )
    )
  },
  { $id: 'TemplateContent' }
)

/** The type object of each message type, under the type's own name. */
export interface ContentByType {
  text: Static<typeof TextContent>
  image: Static<typeof CaptionedMedia>
  video: Static<typeof CaptionedMedia>
  document: Static<typeof DocumentContent>
  audio: Static<typeof PlainMedia>
  sticker: Static<typeof PlainMedia>
  location: Static<typeof LocationContent>
  contacts: ContactCard[]
  buttons: Static<typeof ButtonsContent>
  list: Static<typeof ListContent>
  reaction: Static<typeof ReactionContent>
  template: Static<typeof TemplateContent>
}
export type MessageType = keyof ContentByType
export const messageTypes = [
  'text',
  'image',
  'video',
  'document',
  'audio',
  'sticker',
  'location',
  'contacts',
  'buttons',
  'list',
  'reaction',
  'template'
] as const satisfies readonly MessageType[]
export const mediaTypes = ['image', 'video', 'document', 'audio', 'sticker'] as const satisfies readonly MessageType[]
export type MediaType = (typeof mediaTypes)[number]

export const contentSchemas = {
  text: ref(TextContent),
  image: ref(CaptionedMedia),
  video: ref(CaptionedMedia),
  document: ref(DocumentContent),
  audio: ref(PlainMedia),
  sticker: ref(PlainMedia),
  location: ref(LocationContent),
  contacts: Type.Array(ref(ContactCard), { minItems: 1, maxItems: 257 }),
  buttons: ref(ButtonsContent),
  list: ref(ListContent),
  reaction: ref(ReactionContent),
  template: ref(TemplateContent)
} as const
export const contentParts = [
  TextContent,
  CaptionedMedia,
  DocumentContent,
  PlainMedia,
  HeaderDocument,
  LocationContent,
  ContactCard,
  InteractiveHeader,
  ButtonsContent,
  ListContent,
  ReactionContent,
  TemplateHeader,
  TemplateContent
]
