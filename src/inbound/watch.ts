import type { Logger } from 'pino'
import type { Mode } from '../../schemas/common.ts'
import type { Channels } from '../channels/channels.ts'
import { createPeriodic, type Periodic } from '../periodic.ts'
import { eventEntry } from '../store/event-entry.ts'
import type { WebhookRegistrationRow } from '../store/schema-inbound.ts'
import { change, type Store } from '../store/store.ts'
import type { WebhookRegistrations } from './registration.ts'
import { registrationQueries } from './registrations.ts'

/** A channel whose webhooks have stopped, or have come back. */
export interface Silence {
  channel: string
  mode: Mode
  /** Null: it is heard again. */
  since: number | null
  problem: string | null
}

/** Notices that a provider has stopped telling: the silence that nobody notices for weeks (docs/api.md 12). */
export interface WebhookWatch extends Periodic {
  /** One look at every registration. @returns what has changed by it */
  run: () => Promise<Silence[]>
  /** Words for /readyz: the live channels that are silent; null: none. */
  degraded: () => Promise<string | null>
}

export interface WebhookWatchParts {
  store: Store
  registrations: Pick<WebhookRegistrations, 'look'>
  /** One that is deleted is not waited for. */
  channels: Pick<Channels, 'bind'>
  log: Logger
  /** Told of each change once, by the replica that found it. */
  onChange?: (silence: Silence) => void
}

/** A channel that should be told of what it sends. */
interface Watched {
  channel: string
  mode: Mode
  silent: boolean
  /** Where we had the provider told; else somebody did, by hand. */
  row?: WebhookRegistrationRow
}

const everyMs = 60_000
/** A look at the provider costs a call of the account's rate. */
const lookEveryMs = 10 * 60_000
/** Messages are accepted and nothing is told of any for this long: something is broken (docs/api.md 12). */
export const silentAfterMs = 15 * 60_000

export function createWebhookWatch({
  store,
  registrations,
  channels,
  log,
  onChange = () => {}
}: WebhookWatchParts): WebhookWatch {
  const queries = registrationQueries(store)

  /** Since when a channel is silent; null: it is not. */
  const silentSince = async ({ channel, mode, row }: Watched): Promise<number | null> => {
    const [lane] = await store.read(queries.lane({ channel, mode }))
    const after = Math.max(Number(lane?.status_at ?? 0), Number(row?.registered_at ?? 0))
    // By the clock that messages are accepted by: replicas need not agree on the time.
    const before = store.clock() - silentAfterMs
    const [first] = await store.read(queries.acceptedAfter({ channel, mode, after, before }))
    if (first?.accepted_at) return Number(first.accepted_at)
    return row?.at_provider === 'false' ? Number(row.checked_at) : null
  }

  const judge = async (watched: Watched): Promise<Silence | undefined> => {
    const since = await silentSince(watched)
    if ((since === null) === !watched.silent) return undefined
    const key = { channel: watched.channel, mode: watched.mode }
    const problem = watched.row?.problem ?? null
    const changed = await store.write(function* () {
      const count = yield* change(since === null ? queries.speaking(key) : queries.silent({ ...key, since }))
      const silentSince = since === null ? null : new Date(since).toISOString()
      const data = { id: key.channel, silentSince, problem }
      if (count > 0) yield eventEntry(store, { type: 'channel.silent', ...key, data })
      return count
    })
    // another replica found it first
    if (changed === 0) return undefined
    const words = { ...key, ...(problem && { problem }) }
    if (since === null) log.info(words, 'webhooks are heard again')
    else log.warn({ ...words, since: new Date(since).toISOString() }, 'webhooks are silent')
    const silence = { ...key, since, problem }
    onChange(silence)
    return silence
  }

  const watchedNow = async (): Promise<Watched[]> => {
    const [rows, byHand] = await Promise.all([store.read(queries.all({})), store.read(queries.byHand({}))])
    const registered = rows.filter(row => row.registered === 1)
    const watched: Watched[] = [
      ...registered.map(row => ({
        ...{ channel: row.channel_id, mode: row.mode, silent: row.silent_since !== null },
        row
      })),
      ...byHand.map(({ channel, mode, silent_since }) => ({ channel, mode, silent: silent_since !== null }))
    ]
    const there = await Promise.all(watched.map(({ channel, mode }) => channels.bind(channel, mode)))
    return watched.filter((_, i) => there[i] !== undefined)
  }

  const run = async (): Promise<Silence[]> => {
    const due = await store.write(function* () {
      const { rows } = yield queries.due({ older_ms: lookEveryMs })
      return rows as WebhookRegistrationRow[]
    })
    for (const { channel_id, mode } of due) await registrations.look(channel_id, mode)
    const found = await Promise.all((await watchedNow()).map(judge))
    return found.filter(silence => silence !== undefined)
  }

  return {
    ...createPeriodic(run, everyMs, log, 'the watch over webhooks failed: it looks again in a minute'),
    run,
    degraded: async () => {
      const silent = (await watchedNow()).filter(each => each.mode === 'live' && each.silent)
      return silent.length === 0
        ? null
        : `nothing is heard of ${silent.map(each => each.channel).join(', ')}: see GET /channels/{id}/webhooks`
    }
  }
}
