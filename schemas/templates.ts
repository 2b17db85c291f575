import { type Static, Type } from '@sinclair/typebox'
import { stringEnum } from './kit.ts'

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
    providerTemplateId: Type.Optional(Type.String()),
    rejectedReason: Type.Optional(Type.String())
  },
  { $id: 'Template', additionalProperties: false }
)
export type Template = Static<typeof Template>
