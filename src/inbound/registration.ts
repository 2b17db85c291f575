import type { Logger } from 'pino'
import type { Mode } from '../../schemas/common.ts'
import type { ChannelWebhooks, RotateWebhook } from '../../schemas/webhooks.ts'
import type { AnyAdapter } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import type { DispatchChannel, ProviderClient } from '../dispatch/provider-client.ts'
import { ServiceError } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import { auditEntry } from '../store/audit.ts'
import { eventEntry } from '../store/event-entry.ts'
import type { WebhookRegistrationRow } from '../store/schema-inbound.ts'
import { first, type Store, type Unit } from '../store/store.ts'
import { createAtProvider, digestOfUrl, type Seen } from './at-provider.ts'
import type { Door } from './door.ts'
import { registrationQueries } from './registrations.ts'
import { instant, registeredView, twinsOf, unreachable, warningsOf } from './shown.ts'
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
  log: Logger
  /** How the outside reaches us, without a trailing slash; undefined: nobody said. */
  baseUrl: () => string | undefined
  /** The mode in which an administrator's acts count: test where there is no account. */
  mode: Mode
}

/** Meta takes no longer address (docs/webhooks.md C2). */
const longestUrl = 200
const defaultOverlapSeconds = 24 * 3600
/** So long the address before counts at least until the provider has taken the new one. */
const leastOverlapSeconds = 15 * 60

export function createWebhookRegistrations(parts: RegistrationParts): WebhookRegistrations {
  const { store, adapters, channels, door, tokens, baseUrl, mode: actingMode } = parts
  const provider = createAtProvider(parts)
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
      registered: registeredView(row, mode, url),
      lastHeardAt: instant(lane?.heard_at),
      lastStatusAt: instant(lane?.status_at),
      unmatched: Number(troubles?.unmatched ?? 0),
      unreadable: Number(troubles?.unreadable ?? 0),
      ...(row?.silent_since && { silentSince: instant(row.silent_since)! }),
      warnings: warningsOf(url, hear?.notCovered, twinsOf(channel, await channels.all(mode), hear?.numberOf))
    }
  }

  const require = async (id: string): Promise<{ channel: DispatchChannel; url: string }> => {
    const channel = await bind(id, actingMode)
    if (!adapters.get(channel.provider)?.operations.registerWebhook)
      throw new ServiceError(
        'unsupported',
        `The provider of ${id} has no call that registers a webhook.${provider.byHand(channel)}`
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
  /** What somebody may have told the provider by hand: our address where there is one, and nothing is wrong where there is none. */
  const reachable = async (id: string): Promise<{ channel: DispatchChannel; url: string | undefined }> => ({
    channel: await bind(id, actingMode),
    url: await urlOf(id, actingMode)
  })

  /** One act of this process on a channel's registration at a time: of two at once the later would be told what the earlier undoes. */
  const turns = new Map<string, Promise<unknown>>()
  const inTurn = <T>(id: string, act: () => Promise<T>): Promise<T> => {
    const mine = (turns.get(id) ?? Promise.resolve()).then(act)
    const ended = mine
      .catch(() => {})
      .then(() => {
        if (turns.get(id) === ended) turns.delete(id)
      })
    turns.set(id, ended)
    return mine
  }

  /** Inside a unit, ahead of what ends a silence: whoever follows events learns that it has ended. */
  function* endSilence({ id: channel, mode }: DispatchChannel): Unit<void> {
    const row = yield* first(queries.of({ channel, mode }))
    if (row == null || row.silent_since === null) return
    const data = { id: channel, silentSince: null, problem: null }
    yield eventEntry(store, { type: 'channel.silent', mode, channel, data })
  }

  const keep = async (
    caller: Caller,
    channel: DispatchChannel,
    url: string,
    hookId: string | undefined,
    { atProvider, fields, problem }: Seen
  ): Promise<void> => {
    const { id, mode } = channel
    const now = store.clock()
    const row: WebhookRegistrationRow = {
      channel_id: id,
      mode,
      hook_id: hookId ?? null,
      url_digest: digestOfUrl(url),
      registered: 1,
      at_provider: `${atProvider}`,
      fields: fields ? JSON.stringify(fields) : null,
      problem: problem ?? null,
      checked_at: now,
      registered_at: now,
      silent_since: null
    }
    await store.write(function* () {
      yield* endSilence(channel)
      yield queries.keep(row)
      yield* auditEntry(store, caller, 'webhooks.registered', id)
    })
  }

  return {
    get: async (caller, id) => {
      await channels.get(caller, id)
      return view(caller, id, caller.mode === 'live' ? actingMode : 'test')
    },

    register: (caller, id) =>
      inTurn(id, async () => {
        const { channel, url } = await require(id)
        const row = await rowOf(id, actingMode)
        await provider.subscribe(channel)
        const before = await provider.inspect(channel, url)
        // One that says so and is silent all the same is told once more: an override fails without a word (docs/webhooks.md C2).
        const silent = before.atProvider === true && row !== undefined && row.silent_since !== null
        // Told again: a provider may refuse an address that it has (docs/webhooks.md D2).
        const known =
          before.inherited === undefined &&
          !silent &&
          (before.atProvider === true || (before.failure !== undefined && hasBeenTold(row, url)))
        // It would refuse the address that it still has.
        const off = (before.switchedOff || silent) && before.id
        if (off) await provider.take(channel, url, off)
        const hookId = known ? (before.id ?? row?.hook_id ?? undefined) : await provider.tell(channel, url)
        const after = known ? before : await provider.inspect(channel, url)
        const hook = after.id ?? hookId
        await keep(caller, channel, url, hook, after)
        const former = row?.hook_id ?? undefined
        if (former !== undefined && hook !== undefined && former !== hook && former !== off)
          await provider.leave(channel, url, former, after.failure)
        return view(caller, id, actingMode)
      }),

    remove: (caller, id) =>
      inTurn(id, async () => {
        const row = await rowOf(id, actingMode)
        const registered = row?.registered === 1
        const { channel, url } = registered ? await require(id) : await reachable(id)
        const former = row?.hook_id ?? undefined
        const seen = url === undefined ? undefined : await provider.inspect(channel, url)
        const { atProvider = false, inherited, switchedOff, failure, digest, id: hook = former } = seen ?? {}
        // Nobody can say whose the address is that a removal without an id would take.
        if (registered && failure && former === undefined) throw provider.refused(channel, failure)
        const unseen = atProvider === 'unknown' && registered
        // As it was before a rotation that the provider refused, or another PUBLIC_URL.
        const earlier = registered && !inherited && digest !== undefined && digest === row.url_digest
        const ours = unseen || (atProvider === true && !inherited) || switchedOff || earlier
        if (url !== undefined && ours) await provider.take(channel, url, hook, failure)
        if (url !== undefined && former !== undefined && (!ours || former !== hook))
          await provider.leave(channel, url, former, failure)
        await store.write(function* () {
          yield* endSilence(channel)
          yield queries.forget({ channel: id, mode: actingMode })
          yield* auditEntry(store, caller, 'webhooks.removed', id)
        })
      }),

    rotate: (caller, id, input) =>
      inTurn(id, async () => {
        const channel = await bind(id, actingMode)
        const before = await rowOf(id, actingMode)
        const registered = before?.registered === 1
        // Ahead of the new token, which the provider could not be told.
        if (registered) await require(id)
        const old = await urlOf(id, actingMode)
        // Where nobody knows whether the provider was told of this one, it may have an id of it that we do not.
        const untold = registered && old !== undefined && before.url_digest !== digestOfUrl(old)
        const seen = untold ? await provider.inspect(channel, old) : undefined
        const overlap = input?.overlapSeconds ?? defaultOverlapSeconds
        // A provider that refuses the new one loses nothing today.
        await tokens.rotate(id, actingMode, registered ? Math.max(overlap, leastOverlapSeconds) : overlap)
        await store.write(function* () {
          yield* auditEntry(store, caller, 'webhooks.rotated', id)
        })
        if (registered && old !== undefined) {
          const { url } = await require(id)
          const hookId = await provider.tell(channel, url)
          const after = await provider.inspect(channel, url)
          const hook = after.id ?? hookId
          await keep(caller, channel, url, hook, after)
          if (overlap < leastOverlapSeconds) await tokens.endFormer(id, actingMode, overlap)
          const former = new Set([before.hook_id, seen?.atProvider === true ? seen.id : undefined])
          for (const each of former)
            if (each != null && each !== hook) await provider.leave(channel, old, each, after.failure)
        }
        return view(caller, id, actingMode)
      }),

    // In turn as well: what an act is about to change would be taken for a fault.
    look: (id, mode) =>
      inTurn(id, async () => {
        const channel = await channels.bind(id, mode)
        if (!channel) return undefined
        const before = await rowOf(id, mode)
        const url = await urlOf(id, mode)
        const { atProvider, fields, problem } =
          url === undefined
            ? { atProvider: 'unknown' as const, problem: unreachable, fields: undefined }
            : await provider.inspect(channel, url)
        const looked = {
          ...{ channel: id, mode, at_provider: `${atProvider}` as const, problem: problem ?? null },
          fields: fields ? JSON.stringify(fields) : null,
          url_digest: atProvider === true ? digestOfUrl(url!) : null,
          registered_at: before?.registered_at ?? null
        }
        await store.write(function* () {
          yield queries.looked(looked)
        })
        return rowOf(id, mode)
      })
  }
}

/** Whether we had the provider told of this address, as far as is known. */
const hasBeenTold = (row: WebhookRegistrationRow | undefined, url: string): boolean =>
  row?.registered === 1 &&
  row.at_provider !== 'false' &&
  row.silent_since === null &&
  row.url_digest === digestOfUrl(url)
