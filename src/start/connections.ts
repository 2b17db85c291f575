import type { Logger } from 'pino'
import type { Channels } from '../channels/channels.ts'
import { type Connections, type Standing, standingOf } from '../channels/connections.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import { ServiceError } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import { createPeriodic, type Periodic } from '../periodic.ts'
import { eventEntry } from '../store/event-entry.ts'
import type { ConnectionStandingRow } from '../store/schema-events.ts'
import { all, change, type Store, type Unit } from '../store/store.ts'
import type { DemoChannel } from './demo.ts'

export interface ConnectionWatch extends Periodic {
  /** One question to Maton for all channels. Tells the log a line a channel: all at the first look, then what has changed. */
  run: () => Promise<void>
  /** Words for /readyz; null: every channel has its connection, or nobody knows. */
  degraded: () => Promise<string | null>
}

export interface ConnectionWatchParts {
  channels: Pick<Channels, 'all'>
  connections: Pick<Connections, 'list'>
  /** Channels of sandbox mode, which have no connection of the account. */
  demo: readonly DemoChannel[]
  store: Store
  log: Logger
}

interface Found {
  channel: DispatchChannel
  standing: Standing
}

const everyMs = 5 * 60_000
/** Who asks: nobody's key. */
const server: Caller = { keyId: '', service: '', mode: 'live', scopes: new Set(['admin']) }

const words: Readonly<Record<Standing, string>> = {
  active: 'its connection is active',
  pending: 'its connection waits for somebody to authorize it',
  failed: 'its connection has failed: authorize it again',
  refused: 'Maton refuses our key: look at MATON_API_KEY',
  missing: 'Maton knows no such connection of this provider: look at its connectionId',
  unknown: 'Maton gave no answer that could be read'
}
const wrong: ReadonlySet<Standing> = new Set(['pending', 'failed', 'refused', 'missing'])

/** Looks whether every channel has a connection, so that a wrong key or id is told at the start and not by the first message. */
export function createConnectionWatch({
  channels,
  connections,
  demo,
  store,
  log
}: ConnectionWatchParts): ConnectionWatch {
  let known = new Map<string, Standing>()

  const ask = async (): Promise<(channel: DispatchChannel) => Standing> => {
    try {
      const found = new Map(
        (await connections.list(server, {})).items.map(({ id, provider, status }) => [`${provider} ${id}`, status])
      )
      return ({ provider, connectionId }) => found.get(`${provider} ${connectionId}`) ?? 'missing'
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      const standing = standingOf(error)
      return () => standing
    }
  }
  const { build } = store
  const stood = build.selectFrom('connection_standings').selectAll().compile()
  /** Writes down how a connection stands now, with an event where it stood otherwise when anybody last looked. */
  function* note({ provider, id, status, channels }: ConnectionStandingRow & { channels: string[] }): Unit<void> {
    const of = (row: ConnectionStandingRow) => row.provider === provider && row.id === id
    const before = (yield* all(stood)).find(of)?.status
    if (before === undefined) {
      yield build
        .insertInto('connection_standings')
        .values({ provider, id, status })
        .onConflict(conflict => conflict.doNothing())
        .compile()
      return
    }
    const changed = yield* change(
      build
        .updateTable('connection_standings')
        .set({ status })
        .where('provider', '=', provider)
        .where('id', '=', id)
        .where('status', '=', before)
        .where('status', '!=', status)
    )
    const data = { id, provider, status, before, channels }
    if (changed > 0) yield eventEntry(store, { type: 'connection.changed', mode: 'live', channel: null, data })
  }
  const noteAll = async (found: Found[]): Promise<void> => {
    const rows = await store.read(stood)
    const used = Map.groupBy(found, ({ channel: { provider, connectionId } }) => `${provider} ${connectionId}`)
    for (const [{ channel, standing: status }, ...others] of used.values() as Iterable<[Found, ...Found[]]>) {
      const { provider, connectionId: id } = channel
      // No answer says nothing.
      if (status === 'unknown' || rows.some(row => row.provider === provider && row.id === id && row.status === status))
        continue
      const channels = [channel, ...others.map(other => other.channel)].map(each => each.id)
      await store.write(() => note({ provider, id, status, channels }))
    }
  }
  const run = async (): Promise<void> => {
    const used = (await channels.all('live')).filter(
      ({ id, connectionId }) => !demo.some(is => is.id === id && is.connectionId === connectionId)
    )
    if (used.length === 0) return
    const standing = await ask()
    const before = known
    known = new Map(used.map(channel => [channel.id, standing(channel)]))
    await noteAll(used.map(channel => ({ channel, standing: known.get(channel.id)! })))
    for (const { id, provider, connectionId } of used) {
      const is = known.get(id)!
      if (before.get(id) === is) continue
      const line = { channel: id, provider, connectionId, connection: is }
      if (wrong.has(is)) log.error(line, words[is])
      else if (is === 'unknown') log.warn(line, words[is])
      else log.info(line, words[is])
    }
  }
  return {
    ...createPeriodic(run, everyMs, log, 'the connections could not be looked at: they are looked at again'),
    run,
    degraded: async () => {
      const bad = [...known].filter(([, standing]) => wrong.has(standing))
      if (bad.length === 0) return null
      const [, first] = bad[0]!
      if (bad.every(([, standing]) => standing === 'refused')) return words.refused
      return `${bad.map(([id, standing]) => `${id}: ${standing}`).join(', ')} (${words[first]})`
    }
  }
}
