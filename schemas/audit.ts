import { type Static, Type } from '@sinclair/typebox'
import { Cursor, Instant, Limit, Page } from './common.ts'
import { nullable, ref, strict } from './kit.ts'

export const AuditEntry = Type.Object(
  {
    id: Type.String(),
    at: Instant,
    actor: Type.String({ description: 'The id of the key that did it; start: the server itself.' }),
    action: Type.String({ examples: ['key.created'] }),
    target: Type.String({ description: 'The id of what was changed.' }),
    detail: nullable(Type.Record(Type.String(), Type.Unknown()))
  },
  { $id: 'AuditEntry', additionalProperties: false }
)
export type AuditEntry = Static<typeof AuditEntry>
export const AuditPage = Page(ref(AuditEntry), 'AuditPage')
export const AuditQuery = strict({
  target: Type.Optional(Type.String({ pattern: '^[a-z0-9_-]{1,64}$' })),
  limit: Type.Optional(Limit),
  cursor: Type.Optional(Cursor)
})
