import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Broadcast } from './broadcasts.ts'
import { ChannelId, Instant, Limit, Mode } from './common.ts'
import { nullable, oneOf, ref, strict, stringEnum } from './kit.ts'
import { Message } from './messages.ts'
import { Suppression } from './suppressions.ts'

/** The types of event that tell of a message (docs/api.md 12); those with the name of a status are that status. */
export const messageEventTypes = [
  'message.received',
  'message.accepted',
  'message.sent',
  'message.delivered',
  'message.read',
  'message.failed',
  'message.unknown',
  'message.expired',
  'message.canceled',
  'message.undelivered',
  'message.operator'
] as const

/** An event's id, or a nextCursor: both name a place in the journal. */
export const EventPlace = Type.String({
  pattern: '^evt_[0-9a-f]{32}$',
  examples: ['evt_0645d0f2c1a8e03f1c9a52b7d04e6f8a']
})

/** A form of event: those types whose `data` looks alike. */
const form = <const N extends string, const T extends readonly string[], S extends TSchema>(
  $id: N,
  types: T,
  data: S,
  description: string
) =>
  Type.Object(
    {
      id: { ...EventPlace, description: 'Unique. Ids ascend in the order of the events.' } as typeof EventPlace,
      type: stringEnum(types),
      at: Instant,
      mode: Mode,
      channel: nullable(Type.String({ description: 'Null for what concerns no channel.' })),
      service: Type.Optional(
        Type.String({ description: 'Whose message or broadcast it is; absent for what belongs to the channel.' })
      ),
      sequence: Type.Integer({ description: 'Rises from event to event, so also per contact and channel.' }),
      apiVersion: Type.String({ examples: ['1'] }),
      data
    },
    { $id, additionalProperties: false, description }
  )

const Person = strict({
  waId: Type.Optional(Type.String({ description: 'The number.' })),
  userId: Type.Optional(Type.String()),
  username: Type.Optional(Type.String()),
  name: Type.Optional(Type.String())
})
const words = Type.Record(Type.String(), Type.Unknown(), { description: 'In the provider’s words.' })

export const MessageEvent = form(
  'MessageEvent',
  messageEventTypes,
  ref(Message),
  'A message has come to a state. `data` is the message as GET /messages/{id} told it then.'
)
export const BroadcastEvent = form(
  'BroadcastEvent',
  ['broadcast.finished'],
  ref(Broadcast),
  'A broadcast has ended: finished, failed or canceled.'
)
export const TemplateEvent = form(
  'TemplateEvent',
  ['template.updated'],
  strict({
    change: stringEnum(['status', 'quality', 'category', 'components']),
    name: Type.Optional(Type.String()),
    language: Type.Optional(Type.String()),
    providerTemplateId: Type.Optional(Type.String()),
    value: Type.Optional(Type.String({ description: 'What it is now, e.g. approved.' })),
    before: Type.Optional(Type.String()),
    effectiveAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'When it will be so: a category is announced a day ahead.' })
    ),
    reason: Type.Optional(Type.String())
  }),
  'The provider says that a template has changed; GET /templates tells it whole.'
)
export const ConnectionEvent = form(
  'ConnectionEvent',
  ['connection.changed'],
  strict({
    id: Type.String(),
    provider: Type.String(),
    status: stringEnum(['active', 'pending', 'failed', 'refused', 'missing'], {
      description: 'refused: Maton refuses our key. missing: Maton knows no such connection.'
    }),
    before: Type.String(),
    channels: Type.Array(Type.String())
  }),
  'A connection that channels use has another standing at Maton. For administrators.'
)
export const ChannelEvent = form(
  'ChannelEvent',
  ['channel.updated'],
  strict({
    id: Type.String(),
    change: stringEnum(['created', 'changed', 'paused', 'resumed', 'deleted', 'account'], {
      description: 'account: the provider tells of the number or its account; detail says what.'
    }),
    event: Type.Optional(Type.String({ description: 'Of account: the provider’s word for what happened.' })),
    detail: Type.Optional(words)
  }),
  'A channel is another than it was; GET /channels/{id} tells it whole.'
)
export const SilenceEvent = form(
  'SilenceEvent',
  ['channel.silent'],
  strict({
    id: Type.String(),
    silentSince: nullable(Instant),
    problem: nullable(Type.String())
  }),
  'The provider tells nothing of a registered channel any more; with null, it does again.'
)
export const ContactEvent = form(
  'ContactEvent',
  ['contact.changed'],
  strict({
    change: stringEnum(['number', 'user_id', 'identity'], {
      description: 'identity: a new security code; it may be another person.'
    }),
    before: Person,
    after: Person
  }),
  'A person is known under another number or id.'
)
export const OwnershipEvent = form(
  'OwnershipEvent',
  ['conversation.ownership'],
  strict({
    person: Type.Optional(Person),
    change: Type.String(),
    ours: Type.Optional(Type.Boolean({ description: 'Whether we may answer now; absent: not told.' })),
    detail: words
  }),
  'A conversation went over to another responder, or came back.'
)
export const SuppressionEvent = form(
  'SuppressionEvent',
  ['suppression.added'],
  ref(Suppression),
  'Somebody must not be messaged any more.'
)

/** Every form of event. */
export const eventForms = [
  MessageEvent,
  OwnershipEvent,
  TemplateEvent,
  BroadcastEvent,
  ConnectionEvent,
  ChannelEvent,
  SilenceEvent,
  ContactEvent,
  SuppressionEvent
] as const
const typesOf = (each: (typeof eventForms)[number]): EventType[] =>
  (each.properties.type as unknown as { enum: EventType[] }).enum

export type EventType = Static<(typeof eventForms)[number]>['type']
/** Every type of event. */
export const eventTypes: readonly EventType[] = eventForms.flatMap(typesOf)
/** The form that the events of a type have. */
export const formOf = (type: EventType) => eventForms.find(each => typesOf(each).includes(type))!

/** Something that has changed, the same in GET /events, in the stream and in a delivery. */
export const Event = oneOf('type', [...eventForms] as never, { $id: 'Event' })
export type SwitchboardEvent = Omit<Static<typeof MessageEvent>, 'type' | 'data'> & {
  type: EventType
  /** As the form of its type says. */
  data: Record<string, unknown>
}
export const EventPage = Type.Object(
  {
    items: Type.Array(ref(Event)),
    nextCursor: Type.String({ description: 'Never null: where to go on once there is more.' })
  },
  { $id: 'EventPage', additionalProperties: false }
)

const narrowing = {
  type: Type.Optional(stringEnum(eventTypes)),
  channel: Type.Optional(ChannelId)
}
export const EventQuery = strict({
  since: Type.Optional({
    ...EventPlace,
    description:
      'The nextCursor of the page before, or the id of the last event that was seen. Absent: the oldest kept.'
  }),
  ...narrowing,
  limit: Type.Optional(Limit)
})
export type EventQuery = Static<typeof EventQuery>
export const EventStreamQuery = strict(narrowing)
export type EventStreamQuery = Static<typeof EventStreamQuery>
