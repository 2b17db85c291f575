import ipaddr from 'ipaddr.js'
import type { Key, Scope } from '../../schemas/keys.ts'
import { invalid } from '../errors.ts'
import type { Limits } from '../limits/account.ts'
import { isTimeZone } from '../limits/days.ts'
import { requirePrefix } from '../phone.ts'
import type { KeyRow } from '../store/schema.ts'
import type { KeySecretRow } from '../store/schema-keys.ts'
import type { Caller } from './caller.ts'

// A key's row: what callers and administrators see of it, and what may stand in it.

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())
const parsed = <T>(text: string | null): T | null => (text === null ? null : (JSON.parse(text) as T))
/** A value as its column holds it. */
export const json = (value: unknown): string | null =>
  value === undefined || value === null ? null : JSON.stringify(value)

/** The caller that ADMIN_KEY of the settings is. */
export const adminCaller: Caller = {
  keyId: 'key_admin',
  service: 'admin',
  mode: 'live',
  scopes: new Set(['admin'])
}

/** The columns that say who a key or an identity is, and what it allows. */
type RightsRow = Pick<KeyRow, 'id' | 'service' | 'mode' | 'scopes' | 'default_channel'> &
  Pick<KeyRow, 'channels' | 'templates' | 'recipient_prefixes' | 'cidrs' | 'rate_limit' | 'quota'>

/** Who carries a key or is an identity, and what it allows. */
export function toCaller(row: RightsRow): Caller {
  const set = (text: string | null) => (text === null ? undefined : new Set(JSON.parse(text) as string[]))
  return {
    keyId: row.id,
    service: row.service,
    mode: row.mode,
    scopes: new Set(JSON.parse(row.scopes) as Scope[]),
    channels: set(row.channels),
    templates: set(row.templates),
    recipientPrefixes: parsed<string[]>(row.recipient_prefixes) ?? undefined,
    cidrs: parsed<string[]>(row.cidrs) ?? undefined,
    defaultChannel: row.default_channel ?? undefined,
    ...limitsOf(row.rate_limit, row.quota)
  }
}

/** The limits of a caller as their columns hold them; nothing where there are none. */
export function limitsOf(rateLimit: string | null, quota: string | null): Pick<Caller, 'limits'> {
  if (rateLimit === null && quota === null) return {}
  return {
    limits: {
      ...(rateLimit !== null && { rateLimit: JSON.parse(rateLimit) }),
      ...(quota !== null && { quota: JSON.parse(quota) })
    }
  }
}

/** The first secret of a key, as the migration names it: a release before it made keys without a row for it. */
export const firstSecret = (row: KeyRow): KeySecretRow => ({
  id: `sec_${row.id.slice(4)}`,
  key_id: row.id,
  hash: row.hash,
  pepper_version: row.pepper_version,
  prefix: row.prefix,
  last_four: row.last_four,
  created_at: row.created_at,
  expires_at: null,
  last_used_at: row.last_used_at,
  last_used_from: null,
  sealed: null,
  sealed_until: null
})

const toSecret = (row: KeySecretRow): Key['secrets'][number] => ({
  id: row.id,
  lastFour: row.last_four,
  createdAt: new Date(row.created_at).toISOString(),
  ...(row.expires_at !== null && { expiresAt: new Date(row.expires_at).toISOString() }),
  lastUsedAt: iso(row.last_used_at),
  lastUsedFrom: row.last_used_from
})

/** @param secrets those that count, newest first */
export const toKey = (row: KeyRow, secrets: readonly KeySecretRow[]): Key => ({
  id: row.id,
  service: row.service,
  name: row.name,
  mode: row.mode,
  scopes: JSON.parse(row.scopes),
  channels: parsed(row.channels),
  templates: parsed(row.templates),
  recipientPrefixes: parsed(row.recipient_prefixes),
  cidrs: parsed(row.cidrs),
  rateLimit: parsed(row.rate_limit),
  quota: parsed(row.quota),
  defaultChannel: row.default_channel,
  prefix: row.prefix,
  lastFour: row.last_four,
  createdAt: new Date(row.created_at).toISOString(),
  createdBy: row.created_by,
  expiresAt: iso(row.expires_at),
  revokedAt: iso(row.revoked_at),
  lastUsedAt: iso(row.last_used_at),
  secrets: (secrets.length > 0 ? secrets : [firstSecret(row)]).map(toSecret)
})

export function checkCidrs(cidrs: readonly string[] | null | undefined): void {
  for (const [i, text] of (cidrs ?? []).entries()) {
    if (!ipaddr.isValidCIDR(text) && !ipaddr.isValid(text))
      throw invalid(`/cidrs/${i}`, 'must be an address or a CIDR range, e.g. 10.0.0.0/8')
  }
}

export function checkQuota(quota: Limits['quota'] | null): void {
  if (quota?.timeZone !== undefined && !isTimeZone(quota.timeZone))
    throw invalid('/quota/timeZone', 'must be the IANA name of a time zone, as in Europe/Berlin')
}

export function checkScopes(mode: string, scopes: readonly Scope[] | undefined): void {
  const at = mode === 'test' ? (scopes?.indexOf('admin') ?? -1) : -1
  if (at >= 0) throw invalid(`/scopes/${at}`, 'admin is for live keys alone: a test key administers nothing')
}

export const prefixesOf = (texts: readonly string[] | null | undefined): string[] | undefined =>
  texts?.map((text, i) => requirePrefix(text, `/recipientPrefixes/${i}`))

export const futureMs = (text: string | null | undefined, now: number): number | null => {
  if (!text) return null
  const ms = Date.parse(text)
  if (ms <= now) throw invalid('/expiresAt', 'must lie in the future')
  return ms
}
