import { type Static, Type } from '@sinclair/typebox'
import { ChannelId, Mode } from './common.ts'
import { Service } from './keys.ts'
import { nullable, ref, strict, stringEnum } from './kit.ts'

const day = Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$', examples: ['2026-11-01'] })
const count = Type.Integer({ minimum: 0 })

// biome-ignore format: one line of words
export const usageStatuses = ['accepted', 'sent', 'delivered', 'read', 'failed', 'unknown', 'expired', 'canceled'] as const
export const usageBy = ['day', 'service', 'channel', 'template'] as const

export const UsageItem = Type.Object(
  {
    key: Type.String({ description: 'The day, service, channel or template; empty: messages without a template.' }),
    calls: nullable(Type.Integer({ description: 'Requests. Null by channel and template, and with a channel.' })),
    messages: Type.Unsafe<Partial<Record<(typeof usageStatuses)[number], number>>>({
      type: 'object',
      propertyNames: { enum: usageStatuses },
      additionalProperties: count,
      description: 'By where they stand now. What still waits is not in it.'
    }),
    recipients: Type.Integer({ description: 'Messages that the provider took: accepted, sent, delivered or read.' }),
    prices: Type.Array(
      Type.Object({ category: Type.String(), type: Type.String(), count }, { additionalProperties: false }),
      { description: 'As WhatsApp named them; what it named no price of is not in it.' }
    )
  },
  { $id: 'UsageItem', additionalProperties: false }
)
export type UsageItem = Static<typeof UsageItem>
export const Usage = Type.Object(
  {
    from: day,
    to: day,
    mode: Mode,
    by: stringEnum(usageBy),
    items: Type.Array(ref(UsageItem)),
    account: Type.Object(
      {
        ratePerSecond: nullable(
          Type.Integer({ description: 'Maton’s, as MATON_RATE_PER_SECOND says. Null: no pace is kept.' })
        )
      },
      { additionalProperties: false }
    )
  },
  { $id: 'Usage', additionalProperties: false }
)
export type Usage = Static<typeof Usage>
export const UsageQuery = strict({
  service: Type.Optional(Service),
  channel: Type.Optional(ChannelId),
  from: Type.Optional({ ...day, description: 'The first day, UTC. Absent: 30 days before the last.' }),
  to: Type.Optional({ ...day, description: 'The last day, UTC. Absent: today.' }),
  by: Type.Optional(stringEnum(usageBy, { default: 'day' })),
  mode: Type.Optional({ ...Mode, default: 'live' })
})
export type UsageQuery = Static<typeof UsageQuery>
