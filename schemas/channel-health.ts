import { type Static, Type } from '@sinclair/typebox'
import { Instant } from './common.ts'
import { nullable, stringEnum } from './kit.ts'

/** What can be told of a channel without sending anything. */
export const ChannelHealth = Type.Object(
  {
    channel: Type.String({ examples: ['demo-cloud'] }),
    connection: Type.Object(
      {
        status: stringEnum(['active', 'pending', 'failed', 'refused', 'missing', 'unknown'], {
          description:
            "By Maton. refused: it does not take the server's key. missing: it knows no such connection of the channel's provider. unknown: it gives no answer, or says a word that we do not know."
        }),
        checkedAt: Instant
      },
      { additionalProperties: false }
    ),
    lastSuccessAt: nullable(
      Type.String({
        format: 'date-time',
        description: "When the provider last took a message of this channel, in the key's mode. null: never."
      })
    ),
    paused: Type.Boolean({ description: 'Whether dispatch is stopped.' }),
    breaker: Type.Object(
      {
        state: stringEnum(['closed', 'open'], {
          description:
            'open: at least half of the last 20 calls within 30 s got no answer. Messages wait, and a cheap read asks every 5 s whether the channel answers again.'
        }),
        since: nullable(Instant)
      },
      { additionalProperties: false }
    ),
    bucket: Type.Object(
      {
        ratePerSecond: nullable(
          Type.Integer({ description: 'Calls of the whole Maton account. null: nothing is paced.' })
        ),
        available: nullable(Type.Integer({ description: 'Calls that may go out this moment.' })),
        waiting: Type.Integer({
          description: 'Messages and calls that wait for their turn, up to 1000; broadcasts apart.'
        }),
        throttledUntil: nullable(
          Type.String({ format: 'date-time', description: 'The account or the provider asked us to wait until then.' })
        )
      },
      { additionalProperties: false, description: "The account's calls, shared by all channels and replicas." }
    )
  },
  { $id: 'ChannelHealth', additionalProperties: false }
)
export type ChannelHealth = Static<typeof ChannelHealth>
