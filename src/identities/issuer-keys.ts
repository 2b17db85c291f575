import { hash } from 'node:crypto'
import type { JSONWebKeySet, JWK, JWTVerifyGetKey } from 'jose'
import { ServiceError } from '../errors.ts'
import { type Egress, EgressError } from '../upstream/egress.ts'

/** Where the keys of an issuer are fetched from, and with what. */
export interface KeySource {
  issuer: string
  /** Absent: the issuer's discovery document says. */
  jwksUri?: string
  token?: string
  /** PEM. */
  ca?: string
}

export interface IssuerKeys {
  /**
   * The keys that an issuer signs with, as `jwtVerify` takes them.
   * @param kid of the token's header: one that is not known makes us look again, once in five seconds
   * @throws ServiceError 503 where they cannot be had just now; EgressError, TypeError where they cannot be had at all
   */
  of: (source: KeySource, kid: string | undefined) => Promise<JWTVerifyGetKey>
}

export interface IssuerKeysOptions {
  egress: () => Promise<Egress>
  /** Told of each fetch that failed; `detail` names no more than the host. */
  tell: (facts: { issuer: string; detail: string }) => void
  /** A clock that nobody sets, in milliseconds. */
  now?: () => number
}

/** What is known of one source. */
interface Known {
  keys?: JWTVerifyGetKey
  kids: ReadonlySet<string>
  /** When the keys were fetched. */
  at: number
  /** When a token's unknown kid made us look last. */
  lookedAt: number
  /** Until when no other fetch is made after one that failed, and why it did. */
  failedUntil: number
  failures: number
  failure?: unknown
  looking?: Promise<void>
}

const freshMs = 300_000
const kidMs = 5000
/** How long keys are believed that cannot be fetched again. */
const outageMs = 24 * 3600_000
const mostBytes = 256 * 1024
const mostKeys = 200
const longestWaitMs = 60_000
const never = Number.NEGATIVE_INFINITY

/** Another try may find it well: the network, or a server in trouble. */
const passing = (error: unknown): boolean =>
  error instanceof EgressError &&
  (/^(unreachable|timeout|unresolvable)$/.test(error.code) ||
    (error.code === 'bad_status' && / answered (5\d\d|429|408),/.test(error.detail)))

/** The public part of a key for signatures; undefined for any other, so that no shared secret is ever taken for one. */
function publicKey(value: unknown): JWK | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kty, use, kid, alg, crv, x, y, n, e } = value as JWK
  if (!['RSA', 'EC', 'OKP'].includes(String(kty)) || (use !== undefined && use !== 'sig')) return undefined
  const members = { kty, kid, alg, crv, x, y, n, e }
  return Object.fromEntries(Object.entries(members).filter(([, member]) => typeof member === 'string')) as JWK
}

/** Holds the keys of issuers: fetched when they are needed, through the egress guard, and kept over an outage for a day. */
export function createIssuerKeys({ egress, tell, now = () => performance.now() }: IssuerKeysOptions): IssuerKeys {
  const sources = new Map<string, Known>()

  const read = async (url: string, source: KeySource): Promise<Record<string, unknown>> => {
    const { token, ca } = source
    // It is a secret of ours: it goes to no other host than the operator named.
    const own = new URL(url).origin === new URL(source.jwksUri ?? source.issuer).origin
    const bytes = await (await egress()).read(url, {
      maxBytes: mostBytes,
      headers: { accept: 'application/json', ...(token && own && { authorization: `Bearer ${token}` }) },
      ...(ca && { ca })
    })
    const document = JSON.parse(bytes.toString()) as unknown
    if (typeof document !== 'object' || document === null) throw new TypeError('is no JSON object')
    return document as Record<string, unknown>
  }
  const placeOf = async (source: KeySource): Promise<string> => {
    if (source.jwksUri) return source.jwksUri
    const document = await read(`${source.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, source)
    if (document.issuer !== source.issuer) throw new TypeError('the discovery document is of another issuer')
    if (typeof document.jwks_uri !== 'string') throw new TypeError('the discovery document has no jwks_uri')
    return document.jwks_uri
  }
  const fetchKeys = async (source: KeySource): Promise<JWK[]> => {
    const { keys } = await read(await placeOf(source), source)
    if (!Array.isArray(keys) || keys.length > mostKeys) throw new TypeError(`keys is no list of at most ${mostKeys}`)
    return keys.flatMap(key => publicKey(key) ?? [])
  }
  const look = async (known: Known, source: KeySource): Promise<void> => {
    try {
      const keys = await fetchKeys(source)
      const { createLocalJWKSet } = await import('jose')
      known.keys = createLocalJWKSet({ keys } as JSONWebKeySet)
      known.kids = new Set(keys.flatMap(({ kid }) => kid ?? []))
      known.at = now()
      known.failures = 0
      known.failure = undefined
    } catch (error) {
      known.failure = error
      known.failedUntil = now() + Math.min(longestWaitMs, kidMs * 2 ** known.failures++)
      // What a document holds stays out of the log.
      const { code, message } = error as NodeJS.ErrnoException
      const detail = error instanceof SyntaxError ? 'is no JSON' : (code ?? message)
      tell({ issuer: source.issuer, detail: error instanceof EgressError ? error.detail : detail })
    }
  }
  const looked = (known: Known, source: KeySource): Promise<void> => {
    known.looking ??= look(known, source).finally(() => {
      delete known.looking
    })
    return known.looking
  }

  const current = (source: KeySource): Known => {
    const id = hash('sha256', JSON.stringify(source))
    let known = sources.get(id)
    if (!known) {
      // Only identities make sources; those that were taken away are not asked for again.
      if (sources.size >= 1000) sources.delete(sources.keys().next().value as string)
      known = { kids: new Set(), at: never, lookedAt: never, failedUntil: never, failures: 0 }
      sources.set(id, known)
    }
    return known
  }

  return {
    of: async (source, kid) => {
      const known = current(source)
      const failing = known.failedUntil > now()
      if (!failing && now() - known.at > freshMs) {
        const looking = looked(known, source)
        // While the issuer is known to be out, nobody waits for another try.
        if (known.failures === 0 || now() - known.at > outageMs) await looking
      } else if (!failing && kid !== undefined && known.keys && !known.kids.has(kid)) {
        if (now() - known.lookedAt >= kidMs && known.looking === undefined) {
          known.lookedAt = now()
          void looked(known, source)
        }
        await known.looking
      }
      if (known.keys && now() - known.at <= outageMs) return known.keys
      if (known.failure === undefined || passing(known.failure))
        throw new ServiceError('overloaded', 'The keys of the token’s issuer cannot be fetched just now.', {
          retryAfterSeconds: 5
        })
      throw known.failure
    }
  }
}
