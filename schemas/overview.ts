import { type Static, Type } from '@sinclair/typebox'
import { Instant, Mode } from './common.ts'
import { nullable, stringEnum } from './kit.ts'

// What an operator asks first: is it us, Maton or a provider, and what is piling up.

const closed = { additionalProperties: false }
const Count = Type.Integer({ minimum: 0 })
const Until = (description: string) => nullable(Type.String({ format: 'date-time', description }))

const ChannelOverview = Type.Object(
  {
    id: Type.String(),
    provider: Type.String(),
    paused: Type.Boolean(),
    accepted: Type.Object(
      {
        lastMinute: Type.Integer({ minimum: 0, description: 'In the last whole minute.' }),
        thisMinute: Type.Integer({ minimum: 0, description: 'So far.' }),
        lastHour: Type.Integer({ minimum: 0, description: 'With those of this minute.' }),
        perMinute: Type.Array(Count, { description: 'The last 60 whole minutes, oldest first.' })
      },
      closed
    ),
    failed: Type.Object(
      {
        lastHour: Type.Integer({ minimum: 0, description: 'Messages that failed, at most 1000 are looked at.' }),
        more: Type.Boolean({ description: 'There are more than were looked at.' }),
        codes: Type.Array(
          Type.Object({ code: Type.String(), by: Type.String({ description: 'Who said so.' }), count: Count }, closed)
        )
      },
      closed
    ),
    calls: Type.Object({ recent: Count, unanswered: Count }, { ...closed, description: 'What the breaker judges by.' }),
    breaker: Type.Object({ state: stringEnum(['closed', 'open']), since: nullable(Instant) }, closed),
    throttledUntil: Until('The provider asked this channel to wait until then.'),
    waiting: Type.Integer({ minimum: 0, description: 'Messages that are queued.' }),
    unknown: Type.Object(
      {
        open: Type.Integer({ minimum: 0, description: 'Unknown and not final; at most 1000 are looked at.' }),
        more: Type.Boolean(),
        causes: Type.Array(Type.Object({ cause: Type.String(), count: Count }, closed))
      },
      closed
    ),
    webhooks: Type.Object(
      {
        registered: Type.Boolean(),
        lastHeardAt: nullable(Instant),
        lastStatusAt: nullable(Instant),
        silentSince: Until('Messages are accepted, and nothing is told of them.')
      },
      closed
    )
  },
  { ...closed, description: 'Of messages in the mode of the key.' }
)
export type ChannelOverview = Static<typeof ChannelOverview>

/** Whether it is us, Maton or a provider, in one answer that asks nobody else. */
export const Overview = Type.Object(
  {
    at: Instant,
    mode: Mode,
    server: Type.Object(
      {
        mode: stringEnum(['live', 'sandbox']),
        degraded: nullable(Type.String({ description: 'What /readyz says is not as it should be.' }))
      },
      closed
    ),
    held: Type.Boolean({ description: 'Nothing goes out until the hold after a restore is released.' }),
    account: Type.Object(
      {
        ratePerSecond: nullable(Type.Integer({ description: 'Calls of the whole Maton account. null: not paced.' })),
        used: nullable(Type.Number({ minimum: 0, description: 'Share of the pace in use now, from 0 to 1.' })),
        throttledUntil: Until('Maton asked the account to wait until then.')
      },
      closed
    ),
    channels: Type.Array(ChannelOverview)
  },
  { $id: 'Overview', ...closed }
)
export type Overview = Static<typeof Overview>

const BacklogLine = Type.Object(
  {
    service: Type.String(),
    lane: stringEnum(['interactive', 'bulk'], {
      description: 'interactive: somebody waits for each of them. bulk: one of many, which yields to those.'
    }),
    channel: Type.String(),
    broadcastId: nullable(Type.String()),
    waiting: Count,
    due: Type.Integer({ minimum: 0, description: 'Those that could go now, were it their turn.' }),
    oldestAt: Type.String({ format: 'date-time', description: 'When the oldest of them was made.' }),
    nextAt: Type.String({ format: 'date-time', description: 'When the next of them is due.' }),
    stoppedBy: Type.Array(
      stringEnum(['hold', 'account', 'channel', 'throttle', 'breaker', 'broadcast'], {
        description: 'channel and broadcast: it is paused. account and throttle: somebody asked to wait.'
      })
    ),
    expectedEndAt: Until(
      'At the pace of the last minutes, else at the account’s. null: it is stopped, or nobody knows.'
    )
  },
  closed
)
export type BacklogLine = Static<typeof BacklogLine>

/** What waits, a line for each service, lane, channel and broadcast, the longest first. */
export const Backlog = Type.Object(
  { at: Instant, mode: Mode, waiting: Count, items: Type.Array(BacklogLine) },
  { $id: 'Backlog', ...closed }
)
export type Backlog = Static<typeof Backlog>
