import { type Static, Type } from '@sinclair/typebox'
import { ChannelId, Limit, Page } from './common.ts'
import { ref, strict, stringEnum } from './kit.ts'

/** Known words; both lists are open, a word that we do not know is passed in lower case. */
export const templateStatuses = [
  'approved',
  'pending',
  'rejected',
  'paused',
  'disabled',
  'draft',
  'in_appeal',
  'pending_deletion',
  'deleted',
  'limit_exceeded',
  'archived'
] as const
export const headerFormats = ['text', 'image', 'video', 'document', 'location'] as const

/** What a definition can have that a send of ours has no words for. An open list too. */
export const templateParts = [
  'carousel',
  'limited_time_offer',
  'multi_product',
  'single_product',
  'order_details',
  'order_status',
  'catalog',
  'flow',
  'gif_header'
] as const

export const TemplateVariable = Type.Object(
  {
    name: Type.String({ description: 'The name, or 1, 2, … of a positional template.' }),
    in: stringEnum(['header', 'body', 'button']),
    buttonIndex: Type.Optional(Type.Integer({ description: 'Which button, from 0, where in is button.' })),
    example: Type.Optional(Type.String())
  },
  { $id: 'TemplateVariable', additionalProperties: false }
)
export type TemplateVariable = Static<typeof TemplateVariable>

/** How its readers took it, in Meta's words; unknown: too few have read it yet. */
export const templateQualities = ['green', 'yellow', 'red', 'unknown'] as const

/** A template's definition in our words, whatever the provider. */
export const Template = Type.Object(
  {
    channel: Type.String(),
    name: Type.String(),
    language: Type.String(),
    category: Type.String({ examples: ['utility'] }),
    status: Type.String({
      description: `One of ${templateStatuses.join(', ')}, or the provider's own word in lower case.`
    }),
    header: Type.Optional(
      Type.Object({ format: Type.String(), text: Type.Optional(Type.String()) }, { additionalProperties: false })
    ),
    body: Type.Object({ text: Type.String() }, { additionalProperties: false }),
    footer: Type.Optional(Type.Object({ text: Type.String() }, { additionalProperties: false })),
    buttons: Type.Optional(
      Type.Array(
        Type.Object(
          {
            type: Type.String(),
            text: Type.String(),
            url: Type.Optional(Type.String()),
            phone: Type.Optional(Type.String())
          },
          { additionalProperties: false }
        )
      )
    ),
    variables: Type.Array(Type.Unsafe<TemplateVariable>({ $ref: 'TemplateVariable#' })),
    parameterFormat: stringEnum(['named', 'positional']),
    unsupportedParts: Type.Optional(
      Type.Array(Type.String(), {
        description:
          `Parts that cannot be filled from here; such a template is listed, and a send of it is refused (unsupported). ` +
          `For example ${templateParts.join(', ')}, or the provider's own word in lower case.`
      })
    ),
    providerTemplateId: Type.Optional(Type.String()),
    rejectedReason: Type.Optional(Type.String()),
    quality: Type.Optional(stringEnum(templateQualities, { description: 'Absent: the provider tells of none.' })),
    syncedAt: Type.String({ format: 'date-time', description: 'When the provider said so.' })
  },
  { $id: 'Template', additionalProperties: false }
)
export type Template = Static<typeof Template>

/** Where a list of the provider's goes on. Longer than a cursor of ours: it carries the provider's own. */
export const ListCursor = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,4096}$',
  description: 'The nextCursor of the page before. Opaque.'
})
export const templateCategories = ['marketing', 'utility', 'authentication'] as const
const TemplateName = Type.String({ pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,511}$' })
/** A language as callers write it; `en-us` and `en_US` are one. */
const Language = Type.String({ pattern: '^[A-Za-z]{2,3}([_-][A-Za-z]{2})?$', description: 'For example en_US.' })
/** Swagger UI fills examples in, so this one is there in the sandbox. */
const DemoChannel = { ...ChannelId, examples: ['demo-cloud'] }

export const TemplatePage = Page(ref(Template), 'TemplatePage')
export const TemplateFilter = strict({
  channel: Type.Optional(DemoChannel),
  status: Type.Optional(
    Type.String({ pattern: '^[a-z_]{1,40}$', description: `For example ${templateStatuses.slice(0, 3).join(', ')}.` })
  ),
  category: Type.Optional(stringEnum(templateCategories)),
  language: Type.Optional(Language),
  name: Type.Optional({ ...TemplateName, description: 'The whole name.' }),
  limit: Type.Optional(Limit),
  cursor: Type.Optional(ListCursor)
})
export type TemplateFilter = Static<typeof TemplateFilter>
export const TemplateParams = strict({ name: { ...TemplateName, examples: ['order_update'] } })
export const TemplateQuery = strict({ channel: Type.Optional(DemoChannel) })
export const DeleteTemplateQuery = strict({
  channel: Type.Optional(DemoChannel),
  language: Type.Optional({ ...Language, description: 'Without it all languages are deleted.', examples: ['de'] })
})
export const TemplateSet = Type.Object(
  { name: Type.String(), items: Type.Array(ref(Template)) },
  { $id: 'TemplateSet', additionalProperties: false, description: 'All languages of one name.' }
)
export type TemplateSet = Static<typeof TemplateSet>

export const CreateTemplate = strict(
  {
    channel: Type.Optional(ChannelId),
    name: Type.String({ pattern: '^[a-z0-9_]{1,512}$', description: 'Lower case, digits and underscores.' }),
    language: Type.String({ pattern: '^[a-z]{2,3}(_[A-Z]{2})?$', examples: ['en_US'] }),
    category: stringEnum(templateCategories),
    parameterFormat: Type.Optional(
      stringEnum(['named', 'positional'], { description: 'Default: positional where all variables are numbers.' })
    ),
    header: Type.Optional(
      strict({
        format: stringEnum(headerFormats),
        text: Type.Optional(Type.String({ minLength: 1, maxLength: 60 })),
        handle: Type.Optional(
          Type.String({
            maxLength: 4096,
            pattern: '^\\d+::\\S+$',
            description:
              "For image, video and document: the sample file, as a handle of Meta's Resumable Upload API, which Maton does not reach."
          })
        )
      })
    ),
    body: strict({
      text: Type.String({ minLength: 1, maxLength: 1024, description: 'Variables are {{name}}, or {{1}}, {{2}}, …' })
    }),
    footer: Type.Optional(strict({ text: Type.String({ minLength: 1, maxLength: 60 }) })),
    buttons: Type.Optional(
      Type.Array(
        strict({
          type: stringEnum(['quick_reply', 'url', 'phone_number', 'copy_code']),
          text: Type.Optional(Type.String({ minLength: 1, maxLength: 25, description: 'copy_code needs none.' })),
          url: Type.Optional(Type.String({ pattern: '^https?://\\S+$', maxLength: 2000 })),
          phone: Type.Optional(Type.String({ pattern: '^\\+?\\d{5,19}$' }))
        }),
        { minItems: 1, maxItems: 10 }
      )
    ),
    examples: Type.Optional(
      Type.Record(Type.String({ maxLength: 120 }), Type.String({ minLength: 1, maxLength: 1024 }), {
        maxProperties: 100,
        description:
          'A sample value for each variable, by its name; header.1 and button.0 where header, body and buttons share one. A copy_code button has its code here, as button.0.'
      })
    )
  },
  {
    $id: 'CreateTemplate',
    examples: [
      {
        channel: 'demo-cloud',
        name: 'parcel_ready',
        language: 'en_US',
        category: 'utility',
        header: { format: 'text', text: 'Order {{ordernumber}}' },
        body: { text: 'Hello {{name}}, your order {{ordernumber}} is ready.' },
        footer: { text: 'Reply STOP to opt out' },
        buttons: [
          { type: 'url', text: 'Track', url: 'https://example.com/track/{{1}}' },
          { type: 'quick_reply', text: 'Thanks' }
        ],
        examples: { name: 'Ada', ordernumber: '12345', 'button.0': '12345' }
      }
    ]
  }
)
export type CreateTemplate = Static<typeof CreateTemplate>
