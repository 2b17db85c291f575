import { type Static, Type } from '@sinclair/typebox'
import { Instant } from './common.ts'
import { nullable, stringEnum } from './kit.ts'

/** What can be told of a channel without sending anything. */
export const ChannelHealth = Type.Object(
  {
    channel: Type.String({ examples: ['demo-cloud'] }),
    connection: Type.Object(
      {
        status: stringEnum(['active', 'pending', 'failed', 'unknown'], {
          description:
            "By Maton. unknown: it gives no answer, or knows no such connection of the channel's provider, or says a word that we do not know."
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
    paused: Type.Boolean({ description: 'Whether dispatch is stopped.' })
  },
  { $id: 'ChannelHealth', additionalProperties: false }
)
export type ChannelHealth = Static<typeof ChannelHealth>
