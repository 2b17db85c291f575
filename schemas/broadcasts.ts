import { type Static, Type } from '@sinclair/typebox'
import { SendingWindow } from './channel-settings.ts'
import { ChannelId, Cursor, Instant, InstantInput, Limit, Mode, Page, PersonInput } from './common.ts'
import { TemplateContent } from './content.ts'
import { ref, strict, stringEnum } from './kit.ts'
import { messageStatuses } from './messages.ts'
import { FieldFault } from './problem.ts'

export const broadcastStatuses = ['scheduled', 'running', 'paused', 'finished', 'failed', 'canceled'] as const
/** What the messages of a broadcast can be: all but the status of what was received. */
export const countedStatuses = messageStatuses.filter(status => status !== 'received')
export type CountedStatus = (typeof countedStatuses)[number]

const Reference = Type.String({ minLength: 1, maxLength: 128, description: "The caller's own id, searchable." })
const { name, language, variables, header, buttons } = TemplateContent.properties
export const BroadcastTemplate = strict(
  { name, language, header, buttons },
  { $id: 'BroadcastTemplate', description: 'The same for everybody; what differs stands with the recipients.' }
)
export type BroadcastTemplate = Static<typeof BroadcastTemplate>

/** `to` has no form here: a number that is none is a fault of its row, which can be left out. */
export const Recipient = strict(
  {
    to: Type.String({ minLength: 1, maxLength: 128, examples: ['+1 415 555 1234'] }),
    variables,
    reference: Type.Optional(Reference)
  },
  { $id: 'Recipient' }
)
export type Recipient = Static<typeof Recipient>

const Name = Type.String({ minLength: 1, maxLength: 200, description: 'For you; no recipient sees it.' })
const StartAt = { ...InstantInput, description: 'Not before this instant. Left out: at once.' }
const Rate = Type.Integer({
  minimum: 1,
  maximum: 1000,
  description: 'At most so many messages a second, below whatever the channel allows.'
})

/** What an upload says beside its file. */
export const BroadcastForm = strict({
  channel: Type.Optional(ChannelId),
  name: Name,
  template: BroadcastTemplate,
  startAt: Type.Optional(StartAt),
  ratePerSecond: Type.Optional(Rate),
  window: Type.Optional(ref(SendingWindow))
})
export type BroadcastForm = Static<typeof BroadcastForm>
/** The members of a broadcast that comes with a table: the form, and what only a table has. */
export const BroadcastUpload = strict({
  ...BroadcastForm.properties,
  charset: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 40,
      description:
        'The encoding of a CSV that is not UTF-8 and has no byte order mark, e.g. windows-1252 (Latin-1) or iso-8859-15.'
    })
  )
})

export const CreateBroadcast = strict(
  {
    ...BroadcastForm.properties,
    template: ref(BroadcastTemplate),
    recipients: Type.Array(ref(Recipient), { minItems: 1, maxItems: 10_000 })
  },
  {
    $id: 'CreateBroadcast',
    examples: [
      {
        channel: 'demo-cloud',
        name: 'Orders of May',
        template: { name: 'order_update', language: 'en_US' },
        recipients: [
          { to: '+1 415 555 1234', variables: { name: 'Ada', ordernumber: '12345' }, reference: 'order-12345' },
          { to: '+1 415 555 1235', variables: { name: 'Grace', ordernumber: '12346' } }
        ]
      }
    ]
  }
)
export type CreateBroadcast = Static<typeof CreateBroadcast>

const Count = Type.Integer({ minimum: 0 })
export const BroadcastCounts = Type.Object(
  Object.fromEntries(countedStatuses.map(status => [status, Count])) as Record<CountedStatus, typeof Count>,
  { $id: 'BroadcastCounts', additionalProperties: false }
)
export type BroadcastCounts = Static<typeof BroadcastCounts>

const at = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }))
export const Broadcast = Type.Object(
  {
    id: Type.String({ examples: ['brd_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3'] }),
    channel: Type.String(),
    mode: Mode,
    name: Type.String(),
    template: ref(BroadcastTemplate),
    status: stringEnum(broadcastStatuses, {
      description:
        'finished: nothing waits any more. failed: the same, and nobody was reached, since every message failed or expired. What fails after that stands in counts.'
    }),
    total: Type.Integer({ description: 'Recipients, without duplicates and without rows that were left out.' }),
    counts: ref(BroadcastCounts),
    duplicates: Type.Integer({ description: 'Rows that repeated a number: the first of them counts.' }),
    skipped: Type.Integer({ description: 'Rows that were left out as invalid.' }),
    suppressed: Type.Integer({
      description: 'Recipients who must not be messaged: left out, and among the results as failed.'
    }),
    errors: Type.Optional(
      Type.Array(ref(FieldFault), {
        description: 'Of rows that were left out, the first 100 faults: only in the answer to the POST.'
      })
    ),
    ratePerSecond: Type.Optional(Type.Integer()),
    perSecond: Type.Optional(Type.Number({ description: 'How many were handed over a second, lately.' })),
    etaSeconds: Type.Optional(Type.Integer({ description: 'Until the last is handed over, at that pace.' })),
    startAt: at('Not before.'),
    window: Type.Optional(ref(SendingWindow)),
    waitsUntil: at('Nobody’s window is open: the next one goes then.'),
    createdAt: Instant,
    startedAt: at('It began.'),
    finishedAt: at('Nothing waits any more.')
  },
  { $id: 'Broadcast', additionalProperties: false }
)
export type Broadcast = Static<typeof Broadcast>
/** What a broadcast would be, with every row checked; nothing is kept. */
export const BroadcastCheck = Type.Object(
  {
    channel: Type.String(),
    template: ref(BroadcastTemplate),
    total: Type.Integer({ description: 'Recipients that would be written to.' }),
    duplicates: Broadcast.properties.duplicates,
    skipped: Type.Integer({
      description: 'Rows that are invalid: without skipInvalid they keep the whole from being accepted.'
    }),
    suppressed: Broadcast.properties.suppressed,
    errors: Type.Array(ref(FieldFault), { description: 'The first 100 faults.' }),
    sample: Type.Array(
      Type.Object(
        {
          to: Type.String(),
          variables: Type.Record(Type.String(), Type.String()),
          reference: Type.Optional(Type.String())
        },
        { additionalProperties: false }
      ),
      { description: 'The first 10 of them.' }
    )
  },
  { $id: 'BroadcastCheck', additionalProperties: false }
)
export type BroadcastCheck = Static<typeof BroadcastCheck>
export const BroadcastPage = Page(ref(Broadcast), 'BroadcastPage')

export const BroadcastParams = strict({ id: Type.String({ pattern: '^brd_[0-9a-f]{32}$' }) })
export const BroadcastFilter = strict({
  channel: Type.Optional(ChannelId),
  status: Type.Optional(stringEnum(broadcastStatuses)),
  limit: Type.Optional(Limit),
  cursor: Type.Optional(Cursor)
})
export type BroadcastFilter = Static<typeof BroadcastFilter>
export const BroadcastOptions = strict({
  skipInvalid: Type.Optional(
    Type.Boolean({ description: 'Leave invalid rows out, and report them, in place of refusing the whole.' })
  )
})
export const BroadcastMessageFilter = strict({
  status: Type.Optional(stringEnum(messageStatuses)),
  contact: Type.Optional(PersonInput),
  reference: Type.Optional(Reference),
  limit: Type.Optional(Limit),
  cursor: Type.Optional(Cursor)
})
export type BroadcastMessageFilter = Static<typeof BroadcastMessageFilter>
