import { type Static, Type } from '@sinclair/typebox'
import { ChannelId, PersonInput } from './common.ts'
import { nullable, strict } from './kit.ts'

export const MarkReadParams = strict({
  id: Type.String({
    // Our id, or a wamid as WhatsApp writes it: base64, of either alphabet
    pattern: '^(msg_[0-9a-f]{32}|wamid\\.[A-Za-z0-9+/=_-]{1,250})$',
    description: 'Our id of the message, or its WhatsApp id (wamid): then `channel` says who received it.',
    examples: ['wamid.HBgLMTQxNTU1NTEyMzQVAgARGBI']
  })
})
export const MarkReadQuery = strict({ channel: Type.Optional({ ...ChannelId, examples: ['demo-cloud'] }) })
export const MarkRead = {
  ...nullable(
    strict({
      typing: Type.Optional(
        Type.Boolean({ description: 'Also show that an answer is being written, for up to 25 seconds.' })
      )
    })
  ),
  $id: 'MarkRead',
  examples: [{ typing: true }]
}
export type MarkRead = Static<typeof MarkRead>

export const AssigneeParams = strict({ phone: PersonInput })
export const AssigneeQuery = strict({ channel: Type.Optional({ ...ChannelId, examples: ['demo-wati'] }) })
export const Assignee = strict(
  { email: Type.String({ format: 'email', maxLength: 254, description: 'An operator of the provider’s inbox.' }) },
  { $id: 'Assignee', examples: [{ email: 'agent@example.com' }] }
)
