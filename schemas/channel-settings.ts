import { type Static, Type } from '@sinclair/typebox'
import { strict, stringEnum } from './kit.ts'

// Settings that a channel of any provider can have.

const Words = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 64, pattern: '\\S' }), {
    minItems: 1,
    maxItems: 100,
    uniqueItems: true,
    description
  })
/** What a person writes to be left alone, and to be written to again. */
export const OptOut = strict(
  {
    words: Words('The whole of a message, or a button’s title or payload, in any case and with any accents.'),
    resumeWords: Type.Optional(Words('They take back what one of the words, or WhatsApp, has stopped.')),
    category: stringEnum(['all', 'marketing']),
    confirm: Type.Optional(
      Type.String({ minLength: 1, maxLength: 1024, pattern: '\\S', description: 'Answers a stop, once.' })
    )
  },
  { $id: 'OptOut' }
)
export type OptOut = Static<typeof OptOut>

/** Settings by their names; a provider's own come beside them. */
export const ownSettings = {
  optOut: Type.Optional(
    Type.Unsafe<OptOut | OptOut[]>({
      anyOf: [{ $ref: 'OptOut#' }, { type: 'array', minItems: 1, maxItems: 20, items: { $ref: 'OptOut#' } }],
      description: 'One, or one for each language.'
    })
  )
}
