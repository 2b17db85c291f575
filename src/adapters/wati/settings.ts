import { type Static, Type } from '@sinclair/typebox'
import { strict, stringEnum } from '../../../schemas/kit.ts'

/** What a channel on WATI may set. Tenant and token stay in the Maton connection (docs/upstream.md 3.1). */
export const Settings = strict({
  channelPhoneNumber: Type.Optional(
    Type.String({
      pattern: '^[1-9]\\d{6,14}$',
      description:
        'The sender, digits only, where the WATI account has several numbers. Without it: the account’s default.',
      examples: ['85264318722']
    })
  ),
  // docs/upstream.md 3.4.5: the query is what WATI documents; the form keeps the text out of URLs and access logs.
  sessionTextIn: Type.Optional(
    stringEnum(['form', 'query'], {
      default: 'form',
      description:
        'Where a session message’s text goes: form keeps it out of URLs and access logs, query is what WATI documents.'
    })
  )
})
export type Settings = Static<typeof Settings>

/** This provider's part of a message's providerOptions. */
export const Options = strict({
  broadcastName: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description: 'The name that WATI shows a template message under; default: the message id.'
    })
  )
})
