import { type TProperties, type TSchema, Type } from '@sinclair/typebox'

const strict = { additionalProperties: false }
const object = <P extends TProperties>(properties: P) => Type.Object(properties, strict)
const optional = Type.Optional
const text = (most?: number) => Type.String({ minLength: 1, ...(most === undefined ? {} : { maxLength: most }) })
const constant = (value: string) => Type.Literal(value)

const Wamid = Type.String({ pattern: '^wamid\\.[A-Za-z0-9+/=_-]+$' })
const MediaId = Type.String({ pattern: '^\\d{5,25}$' })
const Link = Type.String({ pattern: '^https?://[^\\s]+$', maxLength: 2048 })
const Coordinate = (most: number) =>
  Type.Union([Type.Number({ minimum: -most, maximum: most }), Type.String({ pattern: '^-?\\d{1,3}(\\.\\d+)?$' })])

/** Exactly one of id and link is checked apart, where the kind is known. */
const media = <P extends TProperties>(more: P) => object({ id: optional(MediaId), link: optional(Link), ...more })
const caption = { caption: optional(text(1024)) }

const HeaderMedia = {
  image: optional(media({})),
  video: optional(media({})),
  document: optional(media({ filename: optional(text()) }))
}
const Text = (most: number) => object({ text: text(most) })

/** A header as Meta takes it with every kind but a list's. */
const Header = object({
  type: Type.String({ pattern: '^(text|image|video|document)$' }),
  text: optional(text(60)),
  ...HeaderMedia
})

const Button = object({
  type: constant('button'),
  header: optional(Header),
  body: Text(1024),
  footer: optional(Text(60)),
  action: object({
    buttons: Type.Array(
      object({
        type: constant('reply'),
        reply: object({ id: text(256), title: text(20) })
      }),
      { minItems: 1, maxItems: 3 }
    )
  })
})

/** The body of a list: 1024 by the OpenAPI, 4096 by Meta's page; the wider one holds (docs/upstream.md 4.2). */
const List = object({
  type: constant('list'),
  header: optional(object({ type: constant('text'), text: text(60) })),
  body: Text(4096),
  footer: optional(Text(60)),
  action: object({
    button: text(20),
    sections: Type.Array(
      object({
        title: optional(text(24)),
        rows: Type.Array(object({ id: text(200), title: text(24), description: optional(text(72)) }), { minItems: 1 })
      }),
      { minItems: 1, maxItems: 10 }
    )
  })
})

const Url = object({
  type: constant('cta_url'),
  header: optional(Header),
  body: Text(1024),
  footer: optional(Text(60)),
  action: object({
    name: constant('cta_url'),
    parameters: object({ display_text: text(20), url: Link })
  })
})

/** Kinds that only callers of the native route send: their action is Meta's to judge. */
const others = [
  ...['location_request_message', 'address_message', 'flow', 'product', 'product_list', 'catalog_message'],
  ...['voice_call', 'call_permission_request', 'carousel', 'order_details', 'order_status']
]
const Other = (type: string) =>
  object({
    type: constant(type),
    header: optional(Type.Object({})),
    body: optional(Text(4096)),
    footer: optional(Text(60)),
    action: Type.Object({})
  })

const words = (...names: string[]): TProperties =>
  Object.fromEntries(names.map(name => [name, optional(Type.String())]))

const Contact = object({
  name: object({
    formatted_name: text(),
    ...words('first_name', 'last_name', 'middle_name', 'prefix', 'suffix')
  }),
  birthday: optional(Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' })),
  phones: optional(Type.Array(object(words('phone', 'type', 'wa_id')))),
  emails: optional(Type.Array(object(words('email', 'type')))),
  urls: optional(Type.Array(object(words('url', 'type')))),
  addresses: optional(Type.Array(object(words('street', 'city', 'state', 'zip', 'country', 'country_code', 'type')))),
  org: optional(object(words('company', 'department', 'title')))
})

const Parameter = object({
  type: Type.String({
    pattern: '^(text|currency|date_time|image|video|document|location|payload|coupon_code|action)$'
  }),
  parameter_name: optional(text()),
  text: optional(Type.String({ maxLength: 32768 })),
  currency: optional(object({ fallback_value: text(), code: text(3), amount_1000: Type.Number() })),
  date_time: optional(object({ fallback_value: text() })),
  payload: optional(text(256)),
  coupon_code: optional(text(15)),
  action: optional(Type.Object({})),
  location: optional(
    object({
      latitude: Coordinate(90),
      longitude: Coordinate(180),
      name: optional(text()),
      address: optional(text())
    })
  ),
  ...HeaderMedia
})

const Template = object({
  name: text(512),
  language: object({
    code: Type.String({ pattern: '^[a-z]{2,3}(_[A-Z]{2})?$' }),
    policy: optional(constant('deterministic'))
  }),
  components: optional(
    Type.Array(
      object({
        type: Type.String({ pattern: '^(header|body|button)$' }),
        sub_type: optional(Type.String({ pattern: '^(quick_reply|url|copy_code|flow|catalog|mpm)$' })),
        index: optional(Type.Union([Type.Integer({ minimum: 0, maximum: 9 }), Type.String({ pattern: '^[0-9]$' })])),
        parameters: Type.Array(Parameter)
      })
    )
  )
})

/** The object of each type, with its limits (docs/upstream.md 4.2); `interactive` is chosen by its own type below. */
const CONTENTS: Record<string, TSchema> = {
  text: object({ body: text(4096), preview_url: optional(Type.Boolean()) }),
  image: media(caption),
  video: media(caption),
  audio: media({ voice: optional(Type.Boolean()) }),
  document: media({ ...caption, filename: optional(text()) }),
  sticker: media({}),
  location: object({
    latitude: Coordinate(90),
    longitude: Coordinate(180),
    name: optional(text()),
    address: optional(text())
  }),
  contacts: Type.Array(Contact, { minItems: 1, maxItems: 257 }),
  reaction: object({ message_id: Wamid, emoji: Type.String({ maxLength: 32 }) }),
  template: Template
}

const envelope = (type: string, name: string, content: TSchema) =>
  object({
    messaging_product: constant('whatsapp'),
    recipient_type: optional(constant('individual')),
    // Which of the two, and what it means: recipient.ts.
    to: optional(text(64)),
    recipient: optional(text(140)),
    type: constant(type),
    context: optional(object({ message_id: Wamid })),
    biz_opaque_callback_data: optional(text(512)),
    [name]: content
  })

/** The whole message for each type that Meta knows; interactive ones are keyed by `interactive <type>`. */
export const messageSchemas: Record<string, TSchema> = {
  ...Object.fromEntries(Object.entries(CONTENTS).map(([type, content]) => [type, envelope(type, type, content)])),
  'interactive button': envelope('interactive', 'interactive', Button),
  'interactive list': envelope('interactive', 'interactive', List),
  'interactive cta_url': envelope('interactive', 'interactive', Url),
  ...Object.fromEntries(
    others.map(type => [`interactive ${type}`, envelope('interactive', 'interactive', Other(type))])
  )
}

/** Mark as read, with the typing hint (docs/upstream.md 4.4). */
export const MarkRead = object({
  messaging_product: constant('whatsapp'),
  status: constant('read'),
  message_id: Wamid,
  typing_indicator: optional(object({ type: constant('text') }))
})
