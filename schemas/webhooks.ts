import { type Static, Type } from '@sinclair/typebox'
import { Instant, InstantInput } from './common.ts'
import { nullable, ref, strict, stringEnum } from './kit.ts'
import { rotation } from './rotation.ts'

/** What is known of the provider's side, from the last look. */
export const WebhookRegistration = Type.Object(
  {
    atProvider: Type.Unsafe<boolean | 'unknown'>({
      enum: [true, false, 'unknown'],
      description: 'Whether the provider tells its webhooks to this address, as it said at the last look.',
      examples: [true]
    }),
    fields: Type.Optional(Type.Array(Type.String(), { description: 'What it tells, in its own words.' })),
    problem: Type.Optional(Type.String({ description: 'What is wrong, and what to do about it.' })),
    checkedAt: nullable(Instant)
  },
  { $id: 'WebhookRegistration', additionalProperties: false }
)
export type WebhookRegistration = Static<typeof WebhookRegistration>

export const ChannelWebhooks = Type.Object(
  {
    channel: Type.String(),
    mode: stringEnum(['verified', 'token', 'none'], {
      description:
        'What an event can prove. verified: it carries a signature that the channel’s appSecret verifies. token: it knew the secret of the address. none: nothing is registered, and nothing was ever heard.'
    }),
    url: Type.Optional(
      Type.String({
        description: 'Where the provider has to call. It holds a secret: shown to `admin` and `webhooks:write` alone.'
      })
    ),
    verifyToken: Type.Optional(
      Type.String({ description: 'What Meta’s handshake has to say, for a registration by hand. Shown like `url`.' })
    ),
    registered: ref(WebhookRegistration),
    lastHeardAt: nullable(Instant),
    lastStatusAt: nullable(Instant),
    unmatched: Type.Integer({ minimum: 0, description: 'Statuses of messages that nobody here knows, of late.' }),
    unreadable: Type.Integer({ minimum: 0, description: 'Bodies that were set aside because they could not be read.' }),
    silentSince: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'Messages are accepted, and nothing has been heard of any since then; or the webhook is broken.'
      })
    ),
    warnings: Type.Array(Type.String())
  },
  { $id: 'ChannelWebhooks', additionalProperties: false }
)
export type ChannelWebhooks = Static<typeof ChannelWebhooks>

export const RotateWebhook = rotation('RotateWebhook', 'For how long the old address still counts.')
export type RotateWebhook = Static<typeof RotateWebhook>

export const ReplayWebhooks = strict(
  { since: { ...InstantInput, description: 'Bodies that came at this instant or later.' } },
  { $id: 'ReplayWebhooks', examples: [{ since: '2026-11-20T00:00:00Z' }] }
)
export type ReplayWebhooks = Static<typeof ReplayWebhooks>
export const ReplayedWebhooks = Type.Object(
  { bodies: Type.Integer({ minimum: 0, description: 'How many are read again.' }) },
  { $id: 'ReplayedWebhooks', additionalProperties: false }
)
