import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { ChannelId, Cursor, Instant, InstantInput, Limit, MessageReference, Mode, Page, PersonInput } from './common.ts'
import { type ContentByType, contentSchemas, type MessageType, messageTypes, TemplateContent } from './content.ts'
import { messageExamples } from './examples.ts'
import { arriving, circumstances, shownContent } from './inbound.ts'
import { type Named, nullable, oneOf, ref, strict, stringEnum } from './kit.ts'
import { MessageError } from './problem.ts'

export const Metadata = Type.Record(Type.String({ maxLength: 128 }), Type.String({ maxLength: 1024 }), {
  maxProperties: 20,
  description: 'Your own notes: echoed, never sent. At most 20 keys and 4 KiB.'
})

/** What a message may carry beside its type object. */
const envelope = {
  channel: Type.Optional(
    Type.Unsafe<string | string[]>({
      type: ['string', 'array'],
      pattern: ChannelId.pattern!,
      items: ChannelId,
      minItems: 1,
      maxItems: 5,
      uniqueItems: true,
      description: 'A channel, or several: the next is tried only after a definite refusal, never after unknown.',
      examples: ['demo-cloud']
    })
  ),
  to: PersonInput,
  replyTo: Type.Optional(MessageReference),
  reference: Type.Optional(
    Type.String({ minLength: 1, maxLength: 128, description: "The caller's own id, searchable." })
  ),
  metadata: Type.Optional(Metadata),
  sendAt: Type.Optional({ ...InstantInput, description: 'Not before this instant.' }),
  expiresAt: Type.Optional({
    ...InstantInput,
    description: 'Give up if not handed over by then. Default: 24 hours from now.'
  }),
  deliverBy: Type.Optional({
    ...InstantInput,
    description:
      'Not delivered by then: the event message.undelivered, once, for example to send an SMS instead. It stops nothing; expiresAt does.'
  }),
  onUnknown: Type.Optional(
    stringEnum(['hold', 'resend_once'], {
      description:
        'What happens when nobody knows whether it arrived. hold (default): nothing. resend_once: it is sent once more; only for a message whose duplicate is harmless, such as a one-time code.'
    })
  ),
  ignoreSuppression: Type.Optional(
    Type.Boolean({
      description:
        'Send it to somebody on the suppression list as well. Only for a template of the category authentication, and for a key with `suppressions:ignore`.'
    })
  ),
  fallback: Type.Optional(
    strict(
      { template: ref(TemplateContent) },
      { description: 'Sent instead, as the same message, if the provider says that the 24-hour window is closed.' }
    )
  ),
  providerOptions: Type.Optional(
    Type.Record(Type.String({ maxLength: 64 }), Type.Record(Type.String({ maxLength: 64 }), Type.Unknown()), {
      maxProperties: 10,
      providerOptions: true,
      description:
        'What only one provider knows, checked by its adapter. Options of another provider than the channel’s are ignored with a warning.'
    })
  )
}
export interface Envelope {
  channel?: string | string[]
  to: string
  replyTo?: string
  reference?: string
  metadata?: Record<string, string>
  sendAt?: string
  expiresAt?: string
  deliverBy?: string
  onUnknown?: 'hold' | 'resend_once'
  ignoreSuppression?: boolean
  fallback?: { template: ContentByType['template'] }
  providerOptions?: Record<string, Record<string, unknown>>
}

const schemaName = (type: MessageType) => `Send${type[0]!.toUpperCase()}${type.slice(1)}`
const outbound = (type: MessageType): Named =>
  strict(
    { ...envelope, type: Type.Literal(type), [type]: contentSchemas[type] as TSchema },
    { $id: schemaName(type), examples: [messageExamples[type]] }
  ) as unknown as Named

export const outboundSchemas = messageTypes.map(outbound)

/** The body of POST /messages: one object per type, told apart by `type`. */
export type SendMessage = { [T in MessageType]: Envelope & { type: T } & { [K in T]: ContentByType[T] } }[MessageType]
export const SendMessage = Type.Unsafe<SendMessage>({ ...oneOf('type', outboundSchemas), $id: 'SendMessage' })

export const messageStatuses = [
  'queued',
  'sending',
  'accepted',
  'sent',
  'delivered',
  'read',
  'failed',
  'unknown',
  'expired',
  'canceled',
  'received'
] as const
export type MessageStatus = (typeof messageStatuses)[number]

const at = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }))
export const Message = Type.Object(
  {
    id: Type.String({ examples: ['msg_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3'] }),
    channel: Type.String(),
    provider: Type.String(),
    mode: Mode,
    direction: stringEnum(['outbound', 'inbound']),
    to: Type.Optional(Type.String({ examples: ['14155551234'] })),
    from: Type.Optional(nullable(Type.String())),
    userId: Type.Optional(Type.String()),
    type: Type.String({ description: 'One of the message types; an inbound message may have another.' }),
    ...shownContent,
    ...Object.fromEntries(Object.entries(arriving).map(([type, schema]) => [type, Type.Optional(schema)])),
    ...circumstances,
    status: stringEnum(messageStatuses),
    final: Type.Boolean({ description: 'Nothing will change any more, short of a late word from the provider.' }),
    providerMessageId: nullable(Type.String()),
    replyTo: Type.Optional(Type.String()),
    reference: nullable(Type.String()),
    metadata: nullable(Metadata),
    warnings: Type.Array(Type.String()),
    error: Type.Optional(ref(MessageError)),
    attempts: Type.Integer({ description: 'How many times it was handed to the provider.' }),
    resolution: Type.Optional(
      Type.String({
        description:
          'How an unknown one was settled: confirmed, abandoned, resent (by a caller), reconciled (from the provider’s own history), resent_once (by onUnknown).',
        examples: ['confirmed']
      })
    ),
    resendOf: Type.Optional(Type.String({ description: 'The message that this one repeats.' })),
    broadcastId: Type.Optional(Type.String()),
    createdAt: Instant,
    sendAt: at('Not before.'),
    expiresAt: at('Given up if not handed over by then.'),
    deliverBy: at('Told of if not delivered by then.'),
    undeliveredAt: at('It had not been delivered at deliverBy.'),
    acceptedAt: at('The provider took it.'),
    sentAt: at('The provider sent it on.'),
    deliveredAt: at('It reached the phone.'),
    readAt: at('It was read.'),
    failedAt: at('It failed.')
  },
  { $id: 'Message', additionalProperties: false }
)
export type Message = Static<typeof Message>
export const MessagePage = Page(ref(Message), 'MessagePage')

export const TimelineEntry = Type.Object(
  {
    at: Instant,
    status: stringEnum(messageStatuses),
    attempt: Type.Integer(),
    upstreamStatus: Type.Optional(Type.Integer()),
    upstreamMs: Type.Optional(Type.Number()),
    traceId: Type.Optional(Type.String()),
    detail: Type.Optional(Type.String())
  },
  { $id: 'TimelineEntry', additionalProperties: false }
)
export type TimelineEntry = Static<typeof TimelineEntry>
export const Timeline = Type.Object(
  {
    messageId: Type.String(),
    requestId: Type.Optional(Type.String({ description: 'X-Request-Id of the request that made it.' })),
    traceparent: Type.Optional(Type.String()),
    items: Type.Array(ref(TimelineEntry))
  },
  { $id: 'Timeline', additionalProperties: false }
)
export type Timeline = Static<typeof Timeline>

export const MessageParams = strict({ id: Type.String({ pattern: '^msg_[0-9a-f]{32}$' }) })
export const MessageFilter = strict({
  channel: Type.Optional(ChannelId),
  contact: Type.Optional(PersonInput),
  status: Type.Optional(stringEnum(messageStatuses)),
  direction: Type.Optional(stringEnum(['outbound', 'inbound'])),
  reference: Type.Optional(
    Type.String({ minLength: 1, maxLength: 128, description: 'Your own id, given with the message.' })
  ),
  providerMessageId: Type.Optional(
    Type.String({ minLength: 1, maxLength: 512, description: 'An id that the provider ever told for it.' })
  ),
  broadcastId: Type.Optional(Type.String({ pattern: '^brd_[0-9a-f]{32}$' })),
  since: Type.Optional({
    ...InstantInput,
    description: 'Made at this instant or later.',
    examples: ['2026-11-20T00:00:00Z']
  }),
  until: Type.Optional({ ...InstantInput, description: 'Made before this instant.' }),
  final: Type.Optional(Type.Boolean({ description: 'false: something can still come of it.' })),
  limit: Type.Optional(Limit),
  cursor: Type.Optional(Cursor)
})
export type MessageFilter = Static<typeof MessageFilter>
