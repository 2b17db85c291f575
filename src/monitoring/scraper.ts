import { createHash, timingSafeEqual } from 'node:crypto'
import { ServiceError } from '../errors.ts'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * Lets in who may read /metrics: everybody, or whoever sends the token. Digests are compared, so that no time tells how
 * much of a guess is right (docs/reliability.md T4, T48).
 * @returns a check that throws 401 `unauthenticated`
 */
export function createScraperCheck(token: string | undefined): (authorization: string | undefined) => void {
  if (token === undefined) return () => {}
  const right = digest(token)
  return authorization => {
    const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    if (given !== undefined && timingSafeEqual(digest(given), right)) return
    throw new ServiceError('unauthenticated', 'Send METRICS_TOKEN: Authorization: Bearer …', {
      headers: { 'www-authenticate': 'Bearer' }
    })
  }
}
