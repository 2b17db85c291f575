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

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
const Time = (last: string, pattern: string) =>
  Type.String({ pattern: `^(${pattern})$`, description: `Hours and minutes, 00:00 to ${last}.` })
/** When a broadcast may go out. */
export const SendingWindow = strict(
  {
    from: Time('23:59', '([01]\\d|2[0-3]):[0-5]\\d'),
    to: Time('24:00', '([01]\\d|2[0-3]):[0-5]\\d|24:00'),
    timeZone: Type.String({
      maxLength: 64,
      description:
        'The name of a time zone; or recipient: the time of the country of the number, where it has several zones a time within the window in all of them.'
    }),
    days: Type.Optional(
      Type.Array(stringEnum(weekdays), {
        minItems: 1,
        maxItems: 7,
        uniqueItems: true,
        description: 'Those on which it begins. Left out: every day.'
      })
    )
  },
  { $id: 'SendingWindow', examples: [{ from: '09:00', to: '20:00', timeZone: 'recipient', days: ['mon', 'fri'] }] }
)
export type SendingWindow = Static<typeof SendingWindow>

/** Settings by their names; a provider's own come beside them. */
export const ownSettings = {
  optOut: Type.Optional(
    Type.Unsafe<OptOut | OptOut[]>({
      anyOf: [{ $ref: 'OptOut#' }, { type: 'array', minItems: 1, maxItems: 20, items: { $ref: 'OptOut#' } }],
      description: 'One, or one for each language.'
    })
  ),
  broadcastWindow: Type.Optional(
    Type.Unsafe<SendingWindow>({
      allOf: [{ $ref: 'SendingWindow#' }],
      description: 'The window of every broadcast that names none.'
    })
  )
}
