import { type Static, Type } from '@sinclair/typebox'
import { Cursor, Instant, InstantInput, Limit, Page } from './common.ts'
import { nullable, ref, strict } from './kit.ts'

export const AuditEntry = Type.Object(
  {
    id: Type.String(),
    at: Instant,
    actor: Type.String({ description: 'The id of the key or identity that did it; start: the server itself.' }),
    subject: nullable(Type.String({ description: 'Whom an identity’s token named.' })),
    address: nullable(Type.String({ description: 'Where the request came from.' })),
    action: Type.String({ examples: ['key.created'] }),
    target: Type.String({ description: 'The id of what was changed.' }),
    position: nullable(Type.Integer({ description: 'Its place in the chain that npm run audit:verify checks.' })),
    detail: nullable(Type.Record(Type.String(), Type.Unknown()))
  },
  { $id: 'AuditEntry', additionalProperties: false }
)
export type AuditEntry = Static<typeof AuditEntry>
export const AuditPage = Page(ref(AuditEntry), 'AuditPage')
export const AuditQuery = strict({
  target: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_ -]{1,128}$' })),
  actor: Type.Optional(Type.String({ pattern: '^[a-z0-9_-]{1,64}$' })),
  action: Type.Optional(Type.String({ pattern: '^[a-z_.]{1,64}$', examples: ['key.created'] })),
  since: Type.Optional(InstantInput),
  until: Type.Optional({ ...InstantInput, description: 'Before this instant.' }),
  limit: Type.Optional(Limit),
  cursor: Type.Optional(Cursor)
})
export type AuditQuery = Static<typeof AuditQuery>
