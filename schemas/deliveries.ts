import { type Static, Type } from '@sinclair/typebox'
import { Cursor, Instant, InstantInput, Limit, Page } from './common.ts'
import { EventPlace, eventTypes } from './events.ts'
import { ref, strict, stringEnum } from './kit.ts'

const statuses = ['pending', 'delivered', 'failed'] as const

export const DeliveryAttempt = Type.Object(
  {
    at: Instant,
    status: Type.Union([Type.Integer(), Type.Null()], { description: 'What it answered; null: no answer came.' }),
    ms: Type.Integer(),
    error: Type.Optional(Type.String({ description: 'Why it counts as failed.' })),
    body: Type.Optional(Type.String({ description: 'The first KiB of its answer.' }))
  },
  { $id: 'DeliveryAttempt', additionalProperties: false }
)
export type DeliveryAttempt = Static<typeof DeliveryAttempt>

export const Delivery = Type.Object(
  {
    id: Type.String({ examples: ['dlv_019aa1b2c3d47000a1b2c3d4e5f60718'] }),
    eventId: Type.String({ description: 'Also `webhook-id`: the same at each attempt and replay.' }),
    type: stringEnum(eventTypes),
    kind: stringEnum(['event', 'replay', 'test'], {
      description: 'replay and test say nothing about the status of the subscription.'
    }),
    status: stringEnum(statuses, { description: 'failed: given up, or the subscription was disabled or removed.' }),
    attempts: Type.Array(ref(DeliveryAttempt)),
    nextAttemptAt: Type.Optional(Instant),
    createdAt: Instant
  },
  { $id: 'Delivery', additionalProperties: false }
)
export type Delivery = Static<typeof Delivery>
export const DeliveryPage = Page(ref(Delivery), 'DeliveryPage')
export const DeliveryQuery = strict({
  status: Type.Optional(stringEnum(statuses)),
  limit: Type.Optional(Limit),
  cursor: Type.Optional(Cursor)
})
export type DeliveryQuery = Static<typeof DeliveryQuery>

export const TestSubscription = strict(
  { type: stringEnum(eventTypes) },
  { $id: 'TestSubscription', examples: [{ type: 'message.delivered' }] }
)
export type TestSubscription = Static<typeof TestSubscription>

export const ReplayEvents = strict(
  {
    eventId: Type.Optional({ ...EventPlace, description: 'One event.' }),
    since: Type.Optional({ ...InstantInput, description: 'All events from this instant on.' }),
    until: Type.Optional({ ...InstantInput, description: 'With since: up to this instant. Absent: now.' }),
    onlyFailed: Type.Optional(
      Type.Boolean({ default: false, description: 'With since: only those that were given up and not replayed since.' })
    )
  },
  {
    $id: 'ReplayEvents',
    minProperties: 1,
    description: 'Either eventId or since.',
    examples: [{ since: '2026-11-20T00:00:00Z', onlyFailed: true }]
  }
)
export type ReplayEvents = Static<typeof ReplayEvents>
