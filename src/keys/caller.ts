import type { Mode } from '../../schemas/common.ts'
import type { Scope } from '../../schemas/keys.ts'
import { ServiceError } from '../errors.ts'
import type { Limits } from '../limits/account.ts'

/** Who asks, and what the key allows. Absent lists are no restriction. */
export interface Caller {
  /** The id of the key, or of the identity. */
  readonly keyId: string
  /** Whom the issuer of an identity's token vouched for. */
  readonly subject?: string
  /** Where this request comes from; absent where nobody can read it. */
  readonly address?: string
  readonly service: string
  readonly mode: Mode
  readonly scopes: ReadonlySet<Scope>
  readonly channels?: ReadonlySet<string>
  readonly templates?: ReadonlySet<string>
  readonly recipientPrefixes?: readonly string[]
  readonly cidrs?: readonly string[]
  readonly defaultChannel?: string
  /** Absent: none. What was used of them is kept under `keyId`. */
  readonly limits?: Limits
}

/** Whether a key has a right. `admin` implies every other, and no test key has it, whatever its row says (docs/api.md 11). */
export const hasScope = (caller: Caller, scope: Scope): boolean =>
  caller.mode === 'test'
    ? scope !== 'admin' && caller.scopes.has(scope)
    : caller.scopes.has(scope) || caller.scopes.has('admin')

/** Throws a 403 that names the missing scope. */
export function requireScope(caller: Caller, scope: Scope): void {
  if (scope === 'admin' && caller.mode === 'test')
    throw new ServiceError('forbidden', 'A test key administers nothing: this takes a live key with the scope admin.')
  if (!hasScope(caller, scope)) throw new ServiceError('forbidden', `This key lacks the scope ${scope}.`)
}

/** Throws a 403 unless the key allows the channel, so that a restricted key cannot learn which others exist. */
export function requireChannel(caller: Caller, channelId: string): void {
  if (caller.channels && !caller.channels.has(channelId))
    throw new ServiceError('forbidden', `This key may not use the channel ${channelId}.`)
}

export function requireRecipient(caller: Caller, phone: string): void {
  if (caller.recipientPrefixes && !caller.recipientPrefixes.some(prefix => phone.startsWith(prefix))) {
    throw new ServiceError(
      'forbidden',
      `This key may only message numbers that begin with ${caller.recipientPrefixes.join(', ')}.`
    )
  }
}

export function requireTemplate(caller: Caller, name: string): void {
  if (caller.templates && !caller.templates.has(name))
    throw new ServiceError('forbidden', `This key may not send the template ${name}.`)
}

/** Whether an object of `service` and `mode` is there at all for this caller. */
export const sees = (caller: Caller, owner: { service: string; mode: Mode }): boolean =>
  owner.mode === caller.mode && (owner.service === caller.service || hasScope(caller, 'read_all'))

/** What a channel received, what somebody else sent through it, and what it said by itself: it belongs to no service. */
const ofChannel = ({ service }: { service: string }): boolean => service === ''

/** Whether a message is there at all for this caller. A service that only sends reads nobody's replies (docs/api.md 11). */
export const seesMessage = (caller: Caller, row: { service: string; mode: Mode; channel_id: string }): boolean =>
  row.mode === caller.mode &&
  (!caller.channels || caller.channels.has(row.channel_id)) &&
  (ofChannel(row) ? hasScope(caller, 'inbound:read') : sees(caller, row))
