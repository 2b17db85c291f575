import { sql } from 'kysely'
import type { Channel, CreateChannel, PatchChannel } from '../../schemas/channels.ts'
import type { Mode } from '../../schemas/common.ts'
import { messageTypes } from '../../schemas/content.ts'
import type { AnyAdapter } from '../adapters/adapter.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, requireChannel } from '../keys/caller.ts'
import type { Seal } from '../keys/seal.ts'
import { blockKey, blockQueries } from '../messages/blocks.ts'
import { auditEntry } from '../store/audit.ts'
import type { ChannelRow } from '../store/schema.ts'
import { change, first, type Store, type Unit } from '../store/store.ts'
import { createFileApplier } from './apply-file.ts'
import { createHearing } from './hearing.ts'
import { createKnownChannels, type KnownChannel } from './known.ts'
import { createMissingChannels } from './missing.ts'
import { createSettingsCheck } from './settings.ts'
import { telling } from './told.ts'

export interface Channels {
  /** The channel of a request: the named one, else the key's default, its only one, or the one marked default. */
  resolve: (caller: Caller, id: string | undefined) => Promise<DispatchChannel>
  /** A channel for work that was accepted before; undefined when it is gone. */
  bind: (id: string, mode: Mode) => Promise<DispatchChannel | undefined>
  /** Asks the store anew: another replica may have changed them, and its word of it not have come yet. */
  refresh: () => Promise<void>
  /** Returns the channel from memory, without waiting: a moment old on a replica. */
  peek: (id: string, mode: Mode) => DispatchChannel | undefined
  all: (mode: Mode) => Promise<DispatchChannel[]>
  list: (caller: Caller) => Promise<Channel[]>
  ids: () => Promise<string[]>
  get: (caller: Caller, id: string) => Promise<Channel>
  create: (input: CreateChannel, actor: Caller | null) => Promise<Channel>
  patch: (id: string, input: PatchChannel, actor: Caller) => Promise<Channel>
  remove: (id: string, actor: Caller) => Promise<void>
  /** The stop switch: from its commit on no replica hands over a message of this channel, until it is lifted. */
  pause: (id: string, paused: boolean, actor: Caller) => Promise<Channel>
  /**
   * Makes the store's file-managed channels those of the file. Throws one error that names every fault.
   * @returns those that the file held until now and does not hold any more
   */
  applyFile: (path: string) => Promise<string[]>
  /** Whether it is gone for want of a line in the channels file: what was accepted for it waits until it is back. */
  isMissing: (id: string) => Promise<boolean>
  /** Words for /readyz; null: nothing waits for a channel that is missing. */
  degraded: () => Promise<string | null>
}

export interface ChannelsOptions {
  store: Store
  adapters: ReadonlyMap<string, AnyAdapter>
  /** How long the list may be believed where other replicas can change it, in milliseconds. */
  believeMs?: number
  /** For the secrets among the settings. */
  seal: Seal
}

export function createChannels({ store, adapters, seal, believeMs = 2000 }: ChannelsOptions): Channels {
  const { build } = store
  const blocks = blockQueries(store)
  const check = createSettingsCheck(adapters, seal)
  const known = createKnownChannels(store, check.unpack, believeMs)
  const { current, refresh } = known
  const require = async (id: string) => {
    const entry = (await current()).get(id)
    if (!entry) throw new ServiceError('not_found', `There is no channel ${id}.`)
    return entry
  }
  const bound = ({ row, settings }: KnownChannel, mode: Mode): DispatchChannel => ({
    id: row.id,
    provider: row.provider,
    connectionId: row.connection_id,
    mode,
    settings
  })
  const view = ({ row, settings }: KnownChannel, detailed: boolean): Channel => {
    const adapter = adapters.get(row.provider)!
    return {
      id: row.id,
      provider: row.provider,
      connectionId: row.connection_id,
      settings: check.withoutSecrets(row.provider, settings as Channel['settings']),
      default: row.is_default === 1,
      paused: row.paused === 1,
      managedBy: row.managed_by,
      warnings: adapter.remarks?.(settings, store.clock()) ?? [],
      ...(detailed && {
        capabilities: {
          messageTypes: messageTypes.filter(type => adapter.encoders[type]),
          operations: Object.keys(adapter.operations),
          notes: [...adapter.notes]
        }
      }),
      createdAt: new Date(row.created_at).toISOString(),
      updatedAt: new Date(row.updated_at).toISOString()
    }
  }
  const clearDefault = (except: string) =>
    build.updateTable('channels').set({ is_default: 0 }).where('is_default', '=', 1).where('id', '!=', except).compile()
  const face = ({ id, provider, connection_id, settings, is_default, managed_by }: ChannelRow): string =>
    JSON.stringify([id, provider, connection_id, check.unpack(provider, settings), is_default, managed_by])
  const hearing = createHearing(store, adapters)
  const missing = createMissingChannels(store)
  /** Every change of channels, with its events and a word to the other replicas. */
  const write = <T>(unit: () => Unit<T>): Promise<T> =>
    store.write(function* () {
      const done = yield* telling(store, known.everything({}), face, unit)
      yield* known.announce()
      return done
    })
  const applyFile = createFileApplier({ store, check, hearing, missing, clearDefault, write, current })
  const changeable = ({ row }: { row: ChannelRow }): void => {
    if (row.managed_by === 'file')
      throw new ServiceError(
        'conflict',
        `The channel ${row.id} is declared in the channels file: change it there and restart.`
      )
  }

  return {
    resolve: async (caller, wanted) => {
      const all = await current()
      const only = caller.channels?.size === 1 ? [...caller.channels][0] : undefined
      // A default that the key may not use is none to it.
      const allowed = [...all.values()].filter(({ row }) => !caller.channels || caller.channels.has(row.id))
      const marked = allowed.find(({ row }) => row.is_default === 1)?.row.id
      const id = wanted ?? caller.defaultChannel ?? only ?? marked
      if (id === undefined) {
        const names = allowed.slice(0, 5).map(({ row }) => row.id)
        throw new ServiceError(
          'invalid_request',
          '/channel must be given: neither the key nor the server has a default.',
          {
            errors: [
              {
                path: '/channel',
                message: `must be given, for example ${names.join(', ') || 'one made with POST /channels'}`
              }
            ]
          }
        )
      }
      requireChannel(caller, id)
      return { ...bound(await require(id), caller.mode), service: caller.service }
    },
    bind: async (id, mode) => {
      // Missing may only mean newer than our list: another replica made it, and its message must not be given up for that.
      if (!(await current()).has(id)) await refresh()
      const entry = known.get(id)
      return entry && bound(entry, mode)
    },
    refresh,
    peek: (id, mode) => {
      const entry = known.get(id)
      return entry && bound(entry, mode)
    },
    ids: async () => [...(await current()).keys()],
    all: async mode => [...(await current()).values()].map(entry => bound(entry, mode)),
    list: async caller =>
      [...(await current()).values()]
        .filter(({ row }) => !caller.channels || caller.channels.has(row.id))
        .map(entry => view(entry, false)),
    get: async (caller, id) => {
      requireChannel(caller, id)
      return view(await require(id), true)
    },
    create: async (input, actor) => {
      check.checkSettings(input.provider, input.settings)
      const now = store.clock()
      const row: ChannelRow = {
        id: input.id,
        provider: input.provider,
        connection_id: input.connectionId,
        settings: check.pack(input.provider, input.settings),
        is_default: input.default ? 1 : 0,
        paused: 0,
        managed_by: 'api',
        created_at: now,
        updated_at: now
      }
      const made = await write(function* () {
        yield* missing.back(row.id, undefined)
        const inserted = yield* change(
          build
            .insertInto('channels')
            .values(row)
            .onConflict(conflict => conflict.column('id').doNothing())
        )
        if (inserted === 0) return false
        if (input.default) yield clearDefault(row.id)
        yield* auditEntry(store, actor, 'channel.created', row.id, { provider: row.provider })
        return true
      })
      await refresh()
      if (!made) throw new ServiceError('conflict', `There is a channel ${input.id} already.`)
      return view(await require(input.id), true)
    },

    patch: async (id, input, actor) => {
      const before = await require(id)
      changeable(before)
      // Secrets are never shown, so whoever changes the rest cannot give them back: they stay unless another is given.
      const { provider } = before.row
      const settings = input.settings && {
        ...check.onlySecrets(provider, before.settings as object),
        ...input.settings
      }
      for (const name of check.secretsOf(provider)) if (settings?.[name] === null) delete settings[name]
      if (settings) check.checkSettings(provider, settings)
      const changes: Partial<ChannelRow> = {
        updated_at: store.clock(),
        ...(input.connectionId && { connection_id: input.connectionId }),
        ...(settings && { settings: check.pack(provider, settings) }),
        ...(input.default !== undefined && { is_default: input.default ? 1 : 0 })
      }
      await write(function* () {
        if (input.default) yield clearDefault(id)
        yield build.updateTable('channels').set(changes).where('id', '=', id).compile()
        yield* hearing.follow(before, { connectionId: input.connectionId, settings })
        yield* auditEntry(store, actor, 'channel.changed', id, { fields: Object.keys(input) })
      })
      await refresh()
      return view(await require(id), true)
    },

    remove: async (id, actor) => {
      changeable(await require(id))
      const removed = await write(function* () {
        // Each in the words and the order of a partial index: what is settled is not looked at.
        const one = build.selectFrom('messages').select('id').where('channel_id', '=', id).limit(1)
        const queued = one.where(sql<boolean>`state = 'queued'`).orderBy('queue')
        const inHand = one.where(sql<boolean>`state in ('claimed', 'sending')`).orderBy('lease_until')
        if ((yield* first(queued)) ?? (yield* first(inHand))) return false
        yield build.deleteFrom('channels').where('id', '=', id).compile()
        yield* hearing.forget()
        yield* auditEntry(store, actor, 'channel.deleted', id)
        return true
      })
      if (!removed)
        throw new ServiceError(
          'conflict',
          `The channel ${id} has messages that are not settled: wait for them or cancel them.`
        )
      await refresh()
    },

    pause: async (id, paused, actor) => {
      await require(id)
      const key = blockKey.channel(id)
      const detail = `The channel ${id} is paused: its messages wait.`
      await write(function* () {
        yield paused ? blocks.stop({ key, detail, at: store.clock() }) : blocks.lift({ key })
        yield* auditEntry(store, actor, paused ? 'channel.paused' : 'channel.resumed', id)
      })
      await refresh()
      return view(await require(id), true)
    },

    applyFile: async path => {
      const lost = await applyFile(path)
      await refresh()
      return lost
    },
    isMissing: missing.has,
    degraded: async () => {
      const [id] = await missing.awaited()
      return id === undefined ? null : `messages wait for the channel ${id}, which is missing in the channels file`
    }
  }
}
