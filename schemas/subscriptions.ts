import { type Static, Type } from '@sinclair/typebox'
import { ChannelId, Cursor, Instant, Limit, Mode, Page } from './common.ts'
import { eventTypes } from './events.ts'
import { nullable, ref, strict, stringEnum } from './kit.ts'
import { rotation } from './rotation.ts'

const Url = Type.String({
  minLength: 1,
  maxLength: 2048,
  description: 'Where each event is posted. https; http only for hosts that the operator has opened (EGRESS_ALLOW).',
  examples: ['https://hooks.example.com/switchboard']
})
const Events = Type.Array(stringEnum(eventTypes), {
  uniqueItems: true,
  minItems: 1,
  maxItems: eventTypes.length,
  description: 'The types that are told.',
  examples: [['message.delivered', 'message.failed']]
})
const Channels = Type.Array(ChannelId, {
  uniqueItems: true,
  minItems: 1,
  maxItems: 100,
  description: 'Only events of these channels.'
})
const Payload = stringEnum(['full', 'thin'], { description: 'thin: ids, type and status, without words or numbers.' })
const Ordered = Type.Boolean({
  description: 'One at a time for each contact, in order; one that is stuck holds up no other contact.'
})

export const CreateSubscription = strict(
  {
    url: Url,
    events: Events,
    channels: Type.Optional(Channels),
    payload: Type.Optional({ ...Payload, default: 'full' }),
    ordered: Type.Optional({ ...Ordered, default: false })
  },
  {
    $id: 'CreateSubscription',
    examples: [{ url: 'https://hooks.example.com/switchboard', events: ['message.delivered', 'message.failed'] }]
  }
)
export type CreateSubscription = Static<typeof CreateSubscription>

export const PatchSubscription = strict(
  {
    url: Type.Optional(Url),
    events: Type.Optional(Events),
    channels: Type.Optional(nullable(Channels)),
    payload: Type.Optional(Payload),
    ordered: Type.Optional(Ordered)
  },
  {
    $id: 'PatchSubscription',
    minProperties: 1,
    description: 'null takes the restriction away.',
    examples: [{ payload: 'thin' }]
  }
)
export type PatchSubscription = Static<typeof PatchSubscription>

const shown = {
  id: Type.String({ examples: ['sub_019aa1b2c3d47000a1b2c3d4e5f60718'] }),
  service: Type.String(),
  mode: Mode,
  url: Type.String(),
  events: Type.Array(stringEnum(eventTypes)),
  channels: Type.Optional(Type.Array(Type.String())),
  payload: Payload,
  ordered: Ordered,
  status: stringEnum(['active', 'failing', 'disabled'], {
    description: 'failing: the last attempt failed. disabled: nothing is sent until POST …/enable.'
  }),
  disabledReason: Type.Optional(
    stringEnum(['gone', 'failing', 'key_ended'], {
      description: 'gone: it answered 410. failing: nothing but failures for 5 days. key_ended: its maker’s key did.'
    })
  ),
  failingSince: Type.Optional(Instant),
  createdAt: Instant
}
export const Subscription = Type.Object(shown, { $id: 'Subscription', additionalProperties: false })
export type Subscription = Static<typeof Subscription>
export const SubscriptionWithSecret = Type.Object(
  {
    ...shown,
    secret: Type.String({
      description: 'Verifies what is posted (Standard Webhooks). Shown this once.',
      examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']
    })
  },
  { $id: 'SubscriptionWithSecret', additionalProperties: false }
)
export type SubscriptionWithSecret = Static<typeof SubscriptionWithSecret>
export const SubscriptionPage = Page(ref(Subscription), 'SubscriptionPage')
export const SubscriptionParams = strict({ id: Type.String({ pattern: '^sub_[a-z0-9]{1,40}$' }) })
export const SubscriptionQuery = strict({ limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) })

export const RotateSubscription = rotation('RotateSubscription', 'For how long the old secret signs too.')
export type RotateSubscription = Static<typeof RotateSubscription>
