import { type Static, Type } from '@sinclair/typebox'
import { Instant, Mode } from './common.ts'
import { nullable, strict } from './kit.ts'

export const Media = Type.Object(
  {
    id: Type.String({ examples: ['med_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3'] }),
    channel: Type.String(),
    mode: Mode,
    mimeType: Type.String(),
    size: nullable(Type.Integer({ description: 'Bytes; null where only the provider has the file.' })),
    sha256: nullable(Type.String({ description: 'Hex; of a file that only the provider has: what it says, or null.' })),
    filename: nullable(Type.String()),
    createdAt: Instant,
    expiresAt: nullable(Instant)
  },
  { $id: 'Media', additionalProperties: false }
)
export type Media = Static<typeof Media>
export const MediaParams = strict({ id: Type.String({ pattern: '^med_[0-9a-f]{32}$' }) })
