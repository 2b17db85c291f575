import type { KeyRow } from './schema.ts'

/** A caller without a secret of ours: whose tokens it is known by, and what it may do, in the columns of a key. */
export interface CallerIdentityRow
  extends Pick<
    KeyRow,
    | 'id'
    | 'service'
    | 'name'
    | 'mode'
    | 'scopes'
    | 'channels'
    | 'templates'
    | 'recipient_prefixes'
    | 'cidrs'
    | 'default_channel'
    | 'rate_limit'
    | 'quota'
    | 'expires_at'
    | 'revoked_at'
    | 'last_used_at'
    | 'created_at'
    | 'created_by'
  > {
  issuer: string
  audience: string
  /** What is asked of each claim, as JSON. */
  claims: string
  /** A JSON array of subjects that are shut out. */
  revoked_subjects: string
  /** Where the issuer's keys lie; null: its discovery document says so. */
  jwks_uri: string | null
  /** Sent when they are fetched; sealed. */
  jwks_token: string | null
  /** The certificate authority of their host, in PEM. */
  jwks_ca: string | null
  /** Always so: no other way to make one is built. */
  managed_by: 'api'
  last_used_from: string | null
}

export interface IdentityTables {
  caller_identities: CallerIdentityRow
}
