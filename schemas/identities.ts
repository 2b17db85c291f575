import { type Static, Type } from '@sinclair/typebox'
import { Cursor, Instant, Limit, Mode, Page } from './common.ts'
import { optionalRights, type PatchKey, rights, Service, shownRights } from './keys.ts'
import { nullable, ref, strict } from './kit.ts'

const url = Type.String({ pattern: '^https?://[\\x21-\\x7e]{1,2000}$', maxLength: 2048 })
const issuer = Type.String({
  ...url,
  description: 'As `iss` in its tokens, to the letter. https, or http where EGRESS_ALLOW opens the host.',
  examples: ['https://token.actions.githubusercontent.com']
})
const audience = Type.String({
  minLength: 1,
  maxLength: 512,
  description: 'Must stand in `aud`.',
  examples: ['switchboard']
})
const claims = Type.Record(
  Type.String({ pattern: '^[A-Za-z0-9_.:/-]{1,128}$' }),
  Type.String({ minLength: 1, maxLength: 512 }),
  {
    minProperties: 1,
    maxProperties: 20,
    description:
      'All must be as here: a whole value, or its beginning up to a separator (: / | @) and `*`. Among them sub, or another that names an owner, as repository.',
    examples: [{ repository: 'acme/shop', ref: 'refs/heads/main' }]
  }
)
const revokedSubjects = Type.Array(Type.String({ minLength: 1, maxLength: 512 }), {
  uniqueItems: true,
  maxItems: 1000,
  description: 'Values of `sub` that are shut out.'
})
/** Where the issuer's keys come from. */
const fetching = {
  jwksUri: Type.Optional(
    Type.String({ ...url, description: 'Absent: as the issuer’s /.well-known/openid-configuration says.' })
  ),
  jwksToken: Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]{1,8192}$',
      writeOnly: true,
      description: 'Sent when the issuer’s keys are fetched, as a cluster asks for. Never shown again.'
    })
  ),
  jwksCa: Type.Optional(
    Type.String({
      pattern: '^\\s*-----BEGIN CERTIFICATE-----',
      maxLength: 32_768,
      description: 'The certificate authority of that host, in PEM.'
    })
  )
}

const github = {
  service: 'shop',
  mode: 'live',
  issuer: 'https://token.actions.githubusercontent.com',
  audience: 'switchboard',
  claims: { repository: 'acme/shop', ref: 'refs/heads/main' },
  scopes: ['messages:send', 'messages:read'],
  channels: ['support']
}
export const CreateIdentity = strict(
  {
    service: Service,
    mode: Mode,
    issuer,
    audience,
    claims,
    ...fetching,
    revokedSubjects: Type.Optional(revokedSubjects),
    ...rights
  },
  { $id: 'CreateIdentity', examples: [github] }
)
export type CreateIdentity = Static<typeof CreateIdentity>

const orNull = (schemas: object) =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, Type.Optional(nullable({ ...schema }))]))
export const PatchIdentity = strict(
  {
    audience: Type.Optional(audience),
    claims: Type.Optional(claims),
    ...orNull(fetching),
    revokedSubjects: Type.Optional(revokedSubjects),
    scopes: Type.Optional(rights.scopes),
    ...orNull(optionalRights)
  },
  {
    $id: 'PatchIdentity',
    minProperties: 1,
    description: 'null takes a restriction away.',
    examples: [{ revokedSubjects: ['repo:acme/shop:ref:refs/heads/main'] }]
  }
)
export type PatchIdentity = PatchKey & {
  audience?: string
  claims?: Record<string, string>
  revokedSubjects?: string[]
} & { [name in keyof typeof fetching]?: string | null }

export const Identity = Type.Object(
  {
    ...shownRights,
    issuer: Type.String(),
    audience: Type.String(),
    claims: Type.Record(Type.String(), Type.String()),
    revokedSubjects: Type.Array(Type.String()),
    jwksUri: nullable(Type.String()),
    jwksToken: Type.Boolean({ description: 'Whether there is one.' }),
    jwksCa: Type.Boolean({ description: 'Whether there is one.' }),
    createdAt: Instant,
    createdBy: Type.String(),
    expiresAt: nullable(Type.String({ format: 'date-time' })),
    revokedAt: nullable(Type.String({ format: 'date-time' })),
    lastUsedAt: nullable(Type.String({ format: 'date-time', description: 'To the minute.' })),
    lastUsedFrom: nullable(Type.String())
  },
  { $id: 'Identity', additionalProperties: false }
)
export type Identity = Static<typeof Identity>
export const IdentityPage = Page(ref(Identity), 'IdentityPage')
export const IdentityParams = strict({ id: Type.String({ pattern: '^idn_[a-z0-9]{1,40}$' }) })
export const IdentityQuery = strict({
  service: Type.Optional(Service),
  limit: Type.Optional(Limit),
  cursor: Type.Optional(Cursor)
})
