import type { Logger } from 'pino'
import type { Key } from '../../schemas/keys.ts'
import type { Caller } from '../keys/caller.ts'
import type { Keyring } from '../keys/keyring.ts'
import { createSeal } from '../keys/seal.ts'
import type { Store } from '../store/store.ts'
import { createEgress, type Egress, type EgressOptions } from '../upstream/egress.ts'
import { createTokenCallers } from './callers.ts'
import { createIdentities, type Identities } from './identities.ts'
import { createIssuerKeys } from './issuer-keys.ts'

export type { Identities }

/** Everybody who calls, with a key or a token. */
export interface Callers {
  /** Who comes with this key or token, from an address that is undefined where nobody can read it. Throws 401, 403, 503. */
  authenticate: (secret: string, address: string | undefined) => Promise<Caller>
  /** The key that a caller carries; an identity has the form of a key without a secret. */
  self: (caller: Caller) => Promise<Key>
}

export interface IdentityRoom {
  identities: Identities
  callers: Callers
}

export interface IdentityRoomParts {
  store: Store
  keyring: Keyring
  pepper: string
  log: Logger
  egress: Pick<EgressOptions, 'allow' | 'proxies'>
}

/** For a whole document of an issuer: whoever came with the token waits for it. */
const timeoutMs = 5000

/** Callers that are known by an issuer's tokens, beside those with keys. */
export function assembleIdentities({ store, keyring, pepper, log, egress }: IdentityRoomParts): IdentityRoom {
  const seal = createSeal(pepper)
  let opened: Egress | undefined
  const open = async (): Promise<Egress> => {
    opened ??= createEgress({ ...egress, timeoutMs })
    return opened
  }
  const keys = createIssuerKeys({
    egress: open,
    tell: facts => log.warn(facts, 'the keys of an issuer cannot be fetched')
  })
  const tokens = createTokenCallers({
    ...{ store, seal, keys },
    tell: facts => log.info(facts, 'a token is refused')
  })
  const identities = createIdentities({
    ...{ store, seal },
    checkUrl: async url => (await open()).guard.check(url),
    changed: tokens.forget
  })
  return {
    identities,
    callers: {
      authenticate: async (secret, address) => {
        // The key of the settings may be any text, and so begin as a token does.
        const caller = secret.startsWith('eyJ') ? await tokens.authenticate(secret, address) : undefined
        return caller ?? keyring.authenticate(secret, address)
      },
      self: caller => (caller.keyId.startsWith('idn_') ? identities : keyring).self(caller)
    }
  }
}
