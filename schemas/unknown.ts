import { type Static, Type } from '@sinclair/typebox'
import { nullable, strict, stringEnum } from './kit.ts'
import { MessageFilter } from './messages.ts'

const DuplicateRisk = Type.Boolean({
  description: 'true: it may arrive twice, and that is accepted. Needed to send anew what is unknown.'
})

export const ResendMessage = {
  ...nullable(strict({ acceptDuplicateRisk: Type.Optional(DuplicateRisk) })),
  $id: 'ResendMessage',
  examples: [{ acceptDuplicateRisk: true }]
}
export type ResendMessage = Static<typeof ResendMessage>

export const verdicts = ['confirm_sent', 'abandon', 'resend'] as const
export type ResolveVerdict = (typeof verdicts)[number]
const ruling = {
  verdict: stringEnum(verdicts, {
    description:
      'confirm_sent: it arrived, as somebody knows who asked. abandon: it stays unknown, for good. resend: it is sent anew, as another message with resendOf.'
  }),
  acceptDuplicateRisk: Type.Optional(DuplicateRisk)
}
export const ResolveMessage = strict(ruling, { $id: 'ResolveMessage', examples: [{ verdict: 'confirm_sent' }] })
export type ResolveMessage = Static<typeof ResolveMessage>

/** At most so many at once: the caller has looked at them, or ought to have. */
export const mostResolved = 10_000
const { status: _, final: ____, limit: __, cursor: ___, ...open } = MessageFilter.properties
export const ResolveMessages = strict(
  {
    filter: strict(open, { description: 'Of the messages that are unknown and not final. Empty: all of them.' }),
    expectedCount: Type.Integer({
      minimum: 0,
      maximum: mostResolved,
      description: 'How many they are. Where it is another number, nothing is changed, and the answer says which.'
    }),
    ...ruling
  },
  {
    $id: 'ResolveMessages',
    examples: [{ filter: { channel: 'demo-cloud' }, expectedCount: 12, verdict: 'abandon' }]
  }
)
export type ResolveMessages = Static<typeof ResolveMessages>

export const ResolvedMessages = Type.Object(
  {
    verdict: stringEnum(verdicts),
    count: Type.Integer({ description: 'How many were changed: those that settled by themselves meanwhile are not.' })
  },
  { $id: 'ResolvedMessages', additionalProperties: false }
)
export type ResolvedMessages = Static<typeof ResolvedMessages>
