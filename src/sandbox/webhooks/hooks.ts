import { createHmac, randomBytes } from 'node:crypto'
import { request } from 'undici'
import type { HookKeys } from '../stand-in.ts'
import type { Taken } from './happening.ts'

/** One address that webhooks go to. */
export interface Hook {
  id: string
  url: string
  verifyToken?: string
  /** Cloud: what signs its bodies, where that is not the sandbox's own. */
  appSecret?: string
  /** WATI: which events it wants; absent: all. */
  eventTypes?: string[]
  /** WATI: 0 disabled, 1 enabled, 2 defective (docs/webhooks.md D2). */
  status: 0 | 1 | 2
  /** WATI: the sending number it was made for. */
  phoneNumber?: string
  /** How many answers in a row were not 200. */
  failures: number
}

/** Which addresses the account's webhooks go to where none is registered through the API. */
export type DefaultHook = (account: HookAccount) => Promise<DefaultAddress[]>

/** Whose webhooks are meant. */
export interface HookAccount {
  connectionId: string
  /** The sending number: Meta's id of it, or the digits where WATI was told one. */
  scope: { numberId?: string; phone?: string }
}
export interface DefaultAddress {
  url: string
  /** Cloud: what its app signs with; absent: the sandbox's own. */
  appSecret?: string
}

export interface Hooks {
  /** By `number/<id>` and `account/<id>` (Cloud) or `tenant/<connection>` (WATI). */
  at: Map<string, Hook[]>
  /** Every address that is to be told of what becomes of this message. */
  of: (taken: Taken, keys: HookKeys) => Promise<Hook[]>
}

/** @param fallback asked where no hook is registered for a number or account */
export function createHooks(fallback: DefaultHook = async () => []): Hooks {
  const at = new Map<string, Hook[]>()
  // one object an address, so that what is sent to it stays in its order
  const defaults = new Map<string, Hook>()
  return {
    at,
    of: async (taken, of) => {
      const keys = of.keys(taken, at.keys())
      const found = keys.flatMap(key => [at.get(key) ?? []]).find(hooks => hooks.length > 0)
      if (found !== undefined) return found.filter(hook => hook.status === 1)
      const { connectionId } = taken
      return (await fallback({ connectionId, scope: of.scope(taken) })).map(address => {
        const known = defaults.get(address.url) ?? { ...address, id: 'default', status: 1, failures: 0 }
        defaults.set(address.url, known)
        return known
      })
    }
  }
}

export interface PostOptions {
  /** Cloud: signs the bytes as Meta does with the app's secret. */
  appSecret?: string
  /** How long the receiver may take; default 10 s. */
  timeoutMs?: number
}

/** Posts one body. @returns the status; 0 where there was no answer */
export async function post(
  url: string,
  bytes: Buffer,
  { appSecret, timeoutMs = 10_000 }: PostOptions = {}
): Promise<number> {
  const signature = appSecret && createHmac('sha256', appSecret).update(bytes).digest('hex')
  const headers = {
    'content-type': 'application/json',
    ...(signature && { 'x-hub-signature-256': `sha256=${signature}` })
  }
  try {
    const { statusCode, body } = await request(url, {
      method: 'POST',
      headers,
      body: bytes,
      signal: AbortSignal.timeout(timeoutMs)
    })
    await body.dump()
    return statusCode
  } catch {
    return 0 // refused, reset or too slow: told as a failure, and tried again
  }
}

/** Meta's handshake: the address has to give the challenge back as it is (docs/upstream.md 4.12). */
export async function handshake({ url, verifyToken = '' }: Pick<Hook, 'url' | 'verifyToken'>): Promise<boolean> {
  const challenge = String(randomBytes(5).readUIntBE(0, 5))
  const address = new URL(url)
  address.searchParams.set('hub.mode', 'subscribe')
  address.searchParams.set('hub.verify_token', verifyToken)
  address.searchParams.set('hub.challenge', challenge)
  try {
    const { statusCode, body } = await request(address, { signal: AbortSignal.timeout(10_000) })
    return statusCode === 200 && (await body.text()) === challenge
  } catch {
    return false
  }
}
