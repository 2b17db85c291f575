import type { JWTPayload } from 'jose'
import { ServiceError } from '../errors.ts'
import { EgressError } from '../upstream/egress.ts'
import type { IssuerKeys, KeySource } from './issuer-keys.ts'

/** Asymmetric alone: a public key is no secret, so nothing may be proven by knowing it. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const leewaySeconds = 60
const longestKid = 512

/** What a token says of itself, before anybody has vouched for it. */
export interface Claimed {
  issuer: string
  audiences: readonly string[]
  payload: Readonly<Record<string, unknown>>
}

/** Reads a token without believing it; undefined for what is none. */
export function readToken(token: string): (Claimed & { kid: string | undefined }) | undefined {
  const parts = token.split('.')
  if (parts.length !== 3 || !token.startsWith('eyJ')) return undefined
  try {
    const [header, payload] = parts.slice(0, 2).map(part => JSON.parse(Buffer.from(part, 'base64url').toString()))
    const { iss, aud } = payload as JWTPayload
    if (typeof iss !== 'string') return undefined
    const { kid } = header as { kid?: unknown }
    const audiences = (Array.isArray(aud) ? aud : [aud]).filter(each => typeof each === 'string')
    return { issuer: iss, audiences, payload, kid: typeof kid === 'string' ? kid : undefined }
  } catch {
    return undefined
  }
}

/** Why a token is refused, for the log: never a word of it. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused'
}

/** Whom a token is held against. */
export interface Verification {
  keys: IssuerKeys
  source: KeySource
  audience: string
  kid: string | undefined
  /** Milliseconds since 1970. */
  at: number
}

/**
 * Verifies a token: signature, `iss`, `aud`, `exp` (which it must have) and `nbf`.
 * @returns what it says, and from when on it is refused
 * @throws TokenRefused; ServiceError 503 where the issuer's keys cannot be had just now
 */
export async function verifyToken(
  token: string,
  { keys, source, audience, kid, at }: Verification
): Promise<{ payload: JWTPayload; deadAt: number }> {
  if (kid !== undefined && kid.length > longestKid) throw new TokenRefused('its kid is too long')
  const { errors, jwtVerify } = await import('jose')
  try {
    const { payload } = await jwtVerify(token, await keys.of(source, kid), {
      algorithms,
      issuer: source.issuer,
      audience,
      requiredClaims: ['exp'],
      clockTolerance: leewaySeconds,
      currentDate: new Date(at)
    })
    return { payload, deadAt: (payload.exp! + leewaySeconds) * 1000 }
  } catch (error) {
    if (error instanceof errors.JOSEError) throw new TokenRefused(reasons[error.code] ?? error.code)
    if (error instanceof EgressError) throw new TokenRefused(`the keys of its issuer cannot be had: ${error.detail}`)
    if (error instanceof ServiceError) throw error
    // A key that cannot be used for what the header says, or a document that holds no keys.
    throw new TokenRefused(`the keys of its issuer cannot be used: ${(error as Error).name}`)
  }
}

/** jose's codes in words, where its own would repeat what the token says. */
const reasons: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'it has expired',
  ERR_JWT_CLAIM_VALIDATION_FAILED: 'its iss, aud, exp or nbf is not as it must be',
  ERR_JOSE_ALG_NOT_ALLOWED: 'its algorithm is not allowed',
  ERR_JWKS_NO_MATCHING_KEY: 'its issuer has no such key',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'it does not say which key of its issuer it is signed with',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'its signature is wrong'
}
