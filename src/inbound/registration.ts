import type { Mode } from '../../schemas/common.ts'
import type { ChannelWebhooks, RotateWebhook } from '../../schemas/webhooks.ts'
import type { AnyAdapter, RegisteredWebhook } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import { CallFailed, type DispatchChannel, type ProviderClient } from '../dispatch/provider-client.ts'
import { ServiceError } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import { auditEntry } from '../store/audit.ts'
import type { WebhookRegistrationRow } from '../store/schema-inbound.ts'
import type { Store } from '../store/store.ts'
import type { Door } from './door.ts'
import { registrationQueries } from './registrations.ts'
import type { WebhookTokens } from './tokens.ts'

/** Where a channel's webhooks go: what is known of it, and the acts on it (docs/api.md 12). */
export interface WebhookRegistrations {
  get: (caller: Caller, channel: string) => Promise<ChannelWebhooks>
  /** Has the provider call us, reads back whether it will, and tells what it could not cover. */
  register: (caller: Caller, channel: string) => Promise<ChannelWebhooks>
  /** Takes our address away at the provider. */
  remove: (caller: Caller, channel: string) => Promise<void>
  /** A new secret address; where the provider was registered by us, it is told the new one. */
  rotate: (caller: Caller, channel: string, input: RotateWebhook) => Promise<ChannelWebhooks>
  /** Looks at the provider again: what it says now, kept. */
  look: (channel: string, mode: Mode) => Promise<WebhookRegistrationRow | undefined>
}

export interface RegistrationParts {
  store: Store
  adapters: ReadonlyMap<string, AnyAdapter>
  channels: Channels
  providerClient: ProviderClient
  door: Door
  tokens: WebhookTokens
  /** How the outside reaches us, without a trailing slash; undefined: nobody said. */
  baseUrl: () => string | undefined
  /** The mode in which an administrator's acts count: test where there is no account. */
  mode: Mode
}

/** Meta takes no longer address (docs/webhooks.md C2). */
const longestUrl = 200
const defaultOverlapSeconds = 24 * 3600

const instant = (ms: number | null | undefined): string | null => (ms ? new Date(Number(ms)).toISOString() : null)

export function createWebhookRegistrations(parts: RegistrationParts): WebhookRegistrations {
  const { store, adapters, channels, providerClient, door, tokens, baseUrl, mode: actingMode } = parts
  const queries = registrationQueries(store)

  const urlOf = async (channel: string, mode: Mode): Promise<string | undefined> => {
    const base = baseUrl()
    const path = await door.pathOf(channel, mode)
    return base === undefined || path === undefined ? undefined : base + path
  }
  const bind = async (id: string, mode: Mode): Promise<DispatchChannel> => {
    const channel = await channels.bind(id, mode)
    if (!channel) throw new ServiceError('not_found', `There is no channel ${id}.`)
    return channel
  }
  const rowOf = async (channel: string, mode: Mode): Promise<WebhookRegistrationRow | undefined> =>
    (await store.read(queries.of({ channel, mode })))[0]

  const view = async (caller: Caller, id: string, mode: Mode): Promise<ChannelWebhooks> => {
    const channel = await bind(id, mode)
    const key = { channel: id, mode }
    const [row, [lane], [troubles], url] = await Promise.all([
      rowOf(id, mode),
      store.read(queries.lane(key)),
      store.read(queries.troubles(key)),
      urlOf(id, mode)
    ])
    const { appSecret, verifyToken } = channel.settings as { appSecret?: string; verifyToken?: string }
    const hear = adapters.get(channel.provider)?.hear
    const verified = appSecret !== undefined && hear?.signature !== undefined
    // The sandbox calls every door of test mode by itself.
    const connected = mode === 'test' || row?.registered === 1 || Boolean(lane?.heard_at)
    const secret = caller.scopes.has('admin') || caller.scopes.has('webhooks:write')
    return {
      channel: id,
      mode: !connected ? 'none' : verified ? 'verified' : 'token',
      ...(secret && url !== undefined && { url }),
      // one of the operator's own is a secret setting, and never shown
      ...(secret &&
        url !== undefined &&
        hear?.signature &&
        !verifyToken && { verifyToken: tokens.verifyToken(id, mode) }),
      registered: registeredView(row, mode),
      lastHeardAt: instant(lane?.heard_at),
      lastStatusAt: instant(lane?.status_at),
      unmatched: Number(troubles?.unmatched ?? 0),
      unreadable: Number(troubles?.unreadable ?? 0),
      ...(row?.silent_since && { silentSince: instant(row.silent_since)! }),
      warnings: warningsOf(url, hear?.notCovered)
    }
  }

  /** What the provider says now of where it calls. Never throws for what it does not know. */
  const inspect = async (channel: DispatchChannel, url: string): Promise<Seen> => {
    if (!adapters.get(channel.provider)?.operations.getWebhook) return { atProvider: 'unknown' }
    try {
      const { output } = await providerClient.call('getWebhook', channel, { url })
      return seen(output, url)
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error
      return { atProvider: 'unknown', problem: `It cannot be read back: ${error.verdict.detail}` }
    }
  }

  const require = async (id: string): Promise<{ channel: DispatchChannel; url: string }> => {
    const channel = await bind(id, actingMode)
    if (!adapters.get(channel.provider)?.operations.registerWebhook)
      throw new ServiceError(
        'unsupported',
        `The provider of ${id} has no call that registers a webhook.${byHand(channel)}`
      )
    const url = await urlOf(id, actingMode)
    if (url === undefined)
      throw new ServiceError('conflict', 'Set PUBLIC_URL: nobody knows how the provider can reach this server.')
    if (url.length > longestUrl)
      throw new ServiceError(
        'conflict',
        `PUBLIC_URL is too long: a webhook’s address has at most ${longestUrl} characters.`
      )
    return { channel, url }
  }
  const byHand = ({ provider }: DispatchChannel): string => {
    const how = adapters.get(provider)?.hear?.byHand
    return how === undefined ? '' : ` By hand: ${how}`
  }

  /** Makes sure of the account's subscription first: without it nothing is told, and Meta refuses the override. */
  const tell = async (channel: DispatchChannel, url: string): Promise<string | undefined> => {
    const { operations } = adapters.get(channel.provider)!
    const { verifyToken = tokens.verifyToken(channel.id, channel.mode) } = channel.settings as { verifyToken?: string }
    try {
      if (operations.getWebhookSubscription && operations.subscribeWebhooks) {
        const { output } = await providerClient.call('getWebhookSubscription', channel, {})
        if (!output.subscribed) await providerClient.call('subscribeWebhooks', channel, {})
      }
      return (await providerClient.call('registerWebhook', channel, { url, verifyToken })).output.id
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error
      const refused = error.toServiceError()
      throw new ServiceError(refused.code, `${refused.message}${byHand(channel)}`, refused.facts)
    }
  }

  const keep = async (
    caller: Caller | null,
    { id, mode }: DispatchChannel,
    hookId: string | undefined,
    { atProvider, fields, problem }: Seen,
    act: string
  ): Promise<void> => {
    const now = store.clock()
    const row: WebhookRegistrationRow = {
      channel_id: id,
      mode,
      hook_id: hookId ?? null,
      registered: 1,
      at_provider: `${atProvider}`,
      fields: fields ? JSON.stringify(fields) : null,
      problem: problem ?? null,
      checked_at: now,
      registered_at: now,
      silent_since: null
    }
    await store.write(function* () {
      yield queries.keep(row)
      yield* auditEntry(store, caller, act, id)
    })
  }

  const take = async (channel: DispatchChannel, url: string, id: string | undefined): Promise<void> => {
    if (!adapters.get(channel.provider)?.operations.removeWebhook) return
    await providerClient.call('removeWebhook', channel, { url, ...(id !== undefined && { id }) })
  }

  return {
    get: async (caller, id) => {
      await channels.get(caller, id)
      return view(caller, id, caller.mode === 'live' ? actingMode : 'test')
    },

    register: async (caller, id) => {
      const { channel, url } = await require(id)
      const before = await inspect(channel, url)
      // Told again: a provider may refuse an address that it has (docs/webhooks.md D2).
      const known = before.atProvider === true && before.inherited === undefined
      // Switched off by the provider: it would refuse the address that it still has.
      if (before.switchedOff && before.id !== undefined) await take(channel, url, before.id)
      const hookId = known ? before.id : await tell(channel, url)
      const after = known ? before : await inspect(channel, url)
      await keep(caller, channel, after.id ?? hookId, after, 'webhooks.registered')
      return view(caller, id, actingMode)
    },

    remove: async (caller, id) => {
      const { channel, url } = await require(id)
      const row = await rowOf(id, actingMode)
      await take(channel, url, row?.hook_id ?? undefined)
      await store.write(function* () {
        yield queries.forget({ channel: id, mode: actingMode })
        yield* auditEntry(store, caller, 'webhooks.removed', id)
      })
    },

    rotate: async (caller, id, input) => {
      await bind(id, actingMode)
      const before = await rowOf(id, actingMode)
      const old = await urlOf(id, actingMode)
      await tokens.rotate(id, actingMode, input?.overlapSeconds ?? defaultOverlapSeconds)
      await store.write(function* () {
        yield* auditEntry(store, caller, 'webhooks.rotated', id)
      })
      if (before?.registered === 1 && old !== undefined) {
        // The old address counts for a while yet, so a provider that refuses the new one loses nothing today.
        const { channel, url } = await require(id)
        const hookId = await tell(channel, url)
        if (before.hook_id !== null) await take(channel, old, before.hook_id)
        const after = await inspect(channel, url)
        await keep(caller, channel, after.id ?? hookId, after, 'webhooks.registered')
      }
      return view(caller, id, actingMode)
    },

    look: async (id, mode) => {
      const channel = await channels.bind(id, mode)
      const url = await urlOf(id, mode)
      if (!channel || url === undefined) return undefined
      const { atProvider, fields, problem } = await inspect(channel, url)
      const looked = {
        ...{ channel: id, mode, at_provider: `${atProvider}` as const, problem: problem ?? null },
        fields: fields ? JSON.stringify(fields) : null
      }
      await store.write(function* () {
        yield queries.looked(looked)
      })
      return rowOf(id, mode)
    }
  }
}

/** What was read back. */
interface Seen {
  atProvider: boolean | 'unknown'
  id?: string
  fields?: string[]
  problem?: string
  inherited?: true
  /** It has our address, and does not call it. */
  switchedOff?: true
}

/** @param url ours */
function seen(found: RegisteredWebhook | null, url: string): Seen {
  if (found === null) return { atProvider: false, problem: 'The provider calls no address: register it again.' }
  const { id, fields, inherited } = found
  const told = { ...(id !== undefined && { id }), ...(fields && { fields }), ...(inherited && { inherited }) }
  if (found.url !== url) {
    const whose = inherited ? 'the account’s address, which is another than ours' : 'another address than ours'
    // Not the address itself: whatever secret it holds is somebody else's.
    return { ...told, atProvider: false, problem: `The provider calls ${whose}, at ${hostOf(found.url)}.` }
  }
  if (found.working) return { ...told, atProvider: true }
  return {
    ...told,
    ...{ atProvider: false, switchedOff: true },
    problem: 'The provider has switched the webhook off, because its calls failed: register it again.'
  }
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : 'an address that is no URL')

/** @param mode in test mode the sandbox calls every door by itself */
function registeredView(row: WebhookRegistrationRow | undefined, mode: Mode): ChannelWebhooks['registered'] {
  if (row?.registered !== 1) return { atProvider: mode === 'test' ? true : 'unknown', checkedAt: null }
  return {
    atProvider: row.at_provider === 'unknown' ? 'unknown' : row.at_provider === 'true',
    ...(row.fields !== null && { fields: JSON.parse(row.fields) as string[] }),
    ...(row.problem !== null && { problem: row.problem }),
    checkedAt: instant(row.checked_at)
  }
}

function warningsOf(url: string | undefined, notCovered: string | undefined): string[] {
  return [
    ...(url === undefined ? ['Without PUBLIC_URL nobody knows how the provider can reach this server.'] : []),
    ...(url?.startsWith('http:')
      ? ['The address is http: whoever reads along sees its secret. Providers want https.']
      : []),
    ...(notCovered === undefined ? [] : [notCovered])
  ]
}
