import type { Identity } from '../../schemas/identities.ts'
import type { Key } from '../../schemas/keys.ts'
import type { Seal } from '../keys/seal.ts'
import type { CallerIdentityRow } from '../store/schema-identities.ts'
import type { Patterns } from './claims.ts'
import type { KeySource } from './issuer-keys.ts'

// An identity's row: what administrators see of it, and what verifies its tokens.

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())
const parsed = <T>(text: string | null): T | null => (text === null ? null : (JSON.parse(text) as T))

export const claimsOf = (row: Pick<CallerIdentityRow, 'claims'>): Patterns => JSON.parse(row.claims)

const rightsOf = (row: CallerIdentityRow) => ({
  id: row.id,
  service: row.service,
  name: row.name,
  mode: row.mode,
  scopes: JSON.parse(row.scopes) as Key['scopes'],
  channels: parsed<string[]>(row.channels),
  templates: parsed<string[]>(row.templates),
  recipientPrefixes: parsed<string[]>(row.recipient_prefixes),
  cidrs: parsed<string[]>(row.cidrs),
  rateLimit: parsed<NonNullable<Key['rateLimit']>>(row.rate_limit),
  quota: parsed<NonNullable<Key['quota']>>(row.quota),
  defaultChannel: row.default_channel,
  createdAt: new Date(row.created_at).toISOString(),
  createdBy: row.created_by,
  expiresAt: iso(row.expires_at),
  revokedAt: iso(row.revoked_at),
  lastUsedAt: iso(row.last_used_at)
})

export const toIdentity = (row: CallerIdentityRow): Identity => ({
  ...rightsOf(row),
  issuer: row.issuer,
  audience: row.audience,
  claims: { ...claimsOf(row) },
  revokedSubjects: JSON.parse(row.revoked_subjects),
  jwksUri: row.jwks_uri,
  jwksToken: row.jwks_token !== null,
  jwksCa: row.jwks_ca !== null,
  lastUsedFrom: row.last_used_from
})

/** An identity as its caller sees it: as a key without a secret. */
export const asKey = (row: CallerIdentityRow): Key => ({ ...rightsOf(row), prefix: '', lastFour: '', secrets: [] })

export const sourceOf = (row: CallerIdentityRow, seal: Seal): KeySource => ({
  issuer: row.issuer,
  ...(row.jwks_uri !== null && { jwksUri: row.jwks_uri }),
  ...(row.jwks_token !== null && { token: seal.open(row.jwks_token) }),
  ...(row.jwks_ca !== null && { ca: row.jwks_ca })
})
