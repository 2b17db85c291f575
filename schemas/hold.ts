import { type Static, Type } from '@sinclair/typebox'
import { Instant } from './common.ts'
import { stringEnum } from './kit.ts'

export const holdReasons = ['restored_backup', 'after_restore'] as const

export const Hold = Type.Object(
  {
    held: Type.Boolean({
      description: 'true: nothing is dispatched by any replica; what is sent is accepted and waits.'
    }),
    reason: Type.Optional(
      stringEnum(holdReasons, {
        description:
          'restored_backup: the store is a copy that `npm run backup` made; after_restore: AFTER_RESTORE said so.'
      })
    ),
    heldAt: Type.Optional(Instant),
    copiedAt: Type.Optional(Instant),
    unknownMessages: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'How many messages became `unknown` by it: they had not ended, and may have been sent meanwhile.'
      })
    )
  },
  { $id: 'Hold', additionalProperties: false }
)
export type Hold = Static<typeof Hold>
export type HoldReason = (typeof holdReasons)[number]
