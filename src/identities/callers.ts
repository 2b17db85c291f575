import { hash, randomBytes } from 'node:crypto'
import { ServiceError } from '../errors.ts'
import { inRanges } from '../ip.ts'
import { createBelief } from '../keys/belief.ts'
import type { Caller } from '../keys/caller.ts'
import { toCaller } from '../keys/rows.ts'
import type { Seal } from '../keys/seal.ts'
import type { CallerIdentityRow } from '../store/schema-identities.ts'
import type { Store } from '../store/store.ts'
import { matches } from './claims.ts'
import type { IssuerKeys } from './issuer-keys.ts'
import { claimsOf, sourceOf } from './rows.ts'
import { readToken, TokenRefused, verifyToken } from './verify.ts'

/** Tells who sends a token. */
export interface TokenCallers {
  /**
   * @returns undefined where the text is no token of an issuer that an identity names
   * @throws 401 alike for all that is wrong with a token; 403 for an address; 503 where its issuer cannot be asked
   */
  authenticate: (token: string, address: string | undefined) => Promise<Caller | undefined>
  /** An identity has changed: nothing that was known of it before holds any more. */
  forget: (id: string) => void
}

export interface TokenCallersParts {
  store: Store
  seal: Seal
  keys: IssuerKeys
  /** Told why a token of a known issuer was refused; never a word of the token. */
  tell: (facts: { reason: string; identities?: string[] }) => void
  /** How long identities and verified tokens are believed, in milliseconds: what a revocation takes on another replica. */
  believeMs?: number
}

/** A token that was verified, and when it ends. */
interface Verified {
  caller: Caller
  deadAt: number
  usedAt: number
}
const noteMs = 50_000
const refused = () =>
  new ServiceError('unauthenticated', 'The token is not accepted; the log of the server says why.', {
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' }
  })

export function createTokenCallers({ store, seal, keys, tell, believeMs = 3000 }: TokenCallersParts): TokenCallers {
  const { build } = store
  const salt = randomBytes(16).toString('hex')
  const belief = createBelief<Verified>({ believeMs })
  let identities: { rows: Promise<CallerIdentityRow[]>; until: number } | undefined
  /** All that count, read once for all tokens of a moment. */
  const current = (): Promise<CallerIdentityRow[]> => {
    if (!identities || identities.until <= performance.now()) {
      const rows = store.read(
        build.selectFrom('caller_identities').selectAll().where('revoked_at', 'is', null).compile()
      )
      const read = { rows, until: performance.now() + believeMs }
      rows.catch(() => {
        if (identities === read) identities = undefined
      })
      identities = read
    }
    return identities.rows
  }
  const note = (verified: Verified, at: number, address: string | undefined): void => {
    verified.usedAt = at
    const touch = build.updateTable('caller_identities').set({ last_used_at: at, last_used_from: address ?? null })
    const unit = function* () {
      yield touch.where('id', '=', verified.caller.keyId).compile()
    }
    // Beside the request: a full disk must not keep a valid token from reading, and the next look tells it again.
    store.write(unit).catch(() => {})
  }

  const verify = async (token: string, said: NonNullable<ReturnType<typeof readToken>>): Promise<Verified> => {
    const { issuer, audiences, payload, kid } = said
    const fitting = (await current()).filter(
      row => row.issuer === issuer && audiences.includes(row.audience) && matches(claimsOf(row), payload)
    )
    const [row] = fitting
    if (!row) throw new TokenRefused('no identity fits its audience and claims')
    const at = store.clock()
    const verified = await verifyToken(token, { keys, source: sourceOf(row, seal), audience: row.audience, kid, at })
    if (fitting.length > 1) {
      tell({ reason: 'a token fits several identities', identities: fitting.map(({ id }) => id) })
      throw refused()
    }
    const subject = verified.payload.sub
    if (subject !== undefined && (JSON.parse(row.revoked_subjects) as string[]).includes(subject))
      throw new TokenRefused('its subject is shut out')
    return {
      caller: { ...toCaller(row), ...(subject !== undefined && { subject }) },
      deadAt: Math.min(verified.deadAt, row.expires_at ?? Number.POSITIVE_INFINITY),
      usedAt: row.last_used_at ?? 0
    }
  }

  return {
    authenticate: async (token, address) => {
      const digest = hash('sha256', salt + token)
      let verified = belief.find(digest)
      if (!verified) {
        const said = readToken(token)
        if (!said || !(await current()).some(({ issuer }) => issuer === said.issuer)) return undefined
        try {
          verified = await belief.look(digest, () => verify(token, said))
        } catch (error) {
          if (!(error instanceof TokenRefused)) throw error
          tell({ reason: error.message })
          throw refused()
        }
      }
      const at = store.clock()
      if (!verified || verified.deadAt <= at) throw refused()
      const { caller } = verified
      if (caller.cidrs && (address === undefined || !inRanges(address, caller.cidrs)))
        throw new ServiceError('forbidden', 'This identity may not be used from this address.')
      if (at - verified.usedAt > noteMs) note(verified, at, address)
      return caller
    },
    forget: id => {
      identities = undefined
      belief.forget(id)
    }
  }
}
