import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Seal } from '../keys/seal.ts'

/** What a session is: the key that was signed in with, and when. It lies sealed in the cookie, and nowhere else. */
export interface Session {
  /** Names it, for its end and its token. */
  id: string
  key: string
  startedAt: number
  /** When its operator last did something; what a page asks for by itself is nothing. */
  seenAt: number
}

export interface Sessions {
  begin: (key: string) => Session
  /** The session of a cookie, with whether it should be written anew; undefined: there is none, or it has ended. */
  read: (cookie: string | undefined, secure: boolean) => Session | undefined
  /** Whether it is time to write the cookie again. */
  stale: (session: Session) => boolean
  write: (session: Session, secure: boolean) => string
  clear: (secure: boolean) => string
  /** What every form carries, so that no other page can send one. */
  token: (session: Session) => string
  isToken: (session: Session, given: string | undefined) => boolean
}

/** Without an act for so long it ends. */
export const idleMs = 30 * 60_000
/** And however busy it is, after so long. */
export const longestMs = 12 * 3600_000
/** The cookie is written again after so long, not with every answer. */
const renewMs = 30_000

/** `__Host-` cannot be set by another name of the same site, and asks for Secure and the whole path. */
const nameOf = (secure: boolean): string => (secure ? '__Host-switchboard' : 'switchboard')

export function createSessions({ seal, pepper, clock }: { seal: Seal; pepper: string; clock: () => number }): Sessions {
  const tokenKey = Buffer.from(hkdfSync('sha256', pepper, '', 'switchboard console form', 32))
  const token = ({ id }: Session): string => createHmac('sha256', tokenKey).update(id).digest('base64url')
  const attributes = (secure: boolean): string => `Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`

  const open = (sealed: string): Session | undefined => {
    try {
      return JSON.parse(seal.open(sealed)) as Session
    } catch {
      // Somebody else's, cut off, or of another pepper: it is none.
      return undefined
    }
  }

  return {
    begin: key => ({ id: randomBytes(16).toString('base64url'), key, startedAt: clock(), seenAt: clock() }),
    read: (cookie = '', secure) => {
      const name = `${nameOf(secure)}=`
      const found = cookie
        .split(';')
        .map(part => part.trim())
        .find(part => part.startsWith(name))
      const session = found === undefined ? undefined : open(found.slice(name.length))
      if (!session) return undefined
      const now = clock()
      return now - session.seenAt > idleMs || now - session.startedAt > longestMs ? undefined : session
    },
    stale: ({ seenAt }) => clock() - seenAt > renewMs,
    write: (session, secure) =>
      `${nameOf(secure)}=${seal.close(JSON.stringify({ ...session, seenAt: clock() }))}; ${attributes(secure)}`,
    clear: secure => `${nameOf(secure)}=; Max-Age=0; ${attributes(secure)}`,
    token,
    isToken: (session, given = '') => {
      const right = Buffer.from(token(session))
      const other = Buffer.from(given)
      return right.length === other.length && timingSafeEqual(right, other)
    }
  }
}
