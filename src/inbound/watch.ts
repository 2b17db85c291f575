import type { Logger } from 'pino'
import type { Mode } from '../../schemas/common.ts'
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
  log: Logger
  /** Told of each change once, by the replica that found it. */
  onChange?: (silence: Silence) => void
  /** The instant, in milliseconds. */
  now?: () => number
}

const everyMs = 60_000
/** A look at the provider costs a call of the account's rate. */
const lookEveryMs = 10 * 60_000
/** Messages are accepted and nothing is told of any for this long: something is broken (docs/api.md 12). */
export const silentAfterMs = 15 * 60_000

export function createWebhookWatch({
  store,
  registrations,
  log,
  onChange = () => {},
  now = Date.now
}: WebhookWatchParts): WebhookWatch {
  const queries = registrationQueries(store)

  /** Since when a registration is silent; null: it is not. */
  const silentSince = async (row: WebhookRegistrationRow): Promise<number | null> => {
    const key = { channel: row.channel_id, mode: row.mode }
    const [lane] = await store.read(queries.lane(key))
    const after = Math.max(Number(lane?.status_at ?? 0), Number(row.registered_at ?? 0))
    const [first] = await store.read(queries.acceptedAfter({ ...key, after, before: now() - silentAfterMs }))
    if (first?.accepted_at) return Number(first.accepted_at)
    return row.at_provider === 'false' ? Number(row.checked_at) : null
  }

  const judge = async (row: WebhookRegistrationRow): Promise<Silence | undefined> => {
    const since = await silentSince(row)
    if ((since === null) === (row.silent_since === null)) return undefined
    const key = { channel: row.channel_id, mode: row.mode }
    const changed = await store.write(function* () {
      const count = yield* change(since === null ? queries.speaking(key) : queries.silent({ ...key, since }))
      const silentSince = since === null ? null : new Date(since).toISOString()
      const data = { id: row.channel_id, silentSince, problem: row.problem }
      if (count > 0) yield eventEntry(store, { type: 'channel.silent', ...key, data })
      return count
    })
    // another replica found it first
    if (changed === 0) return undefined
    const silence = { ...key, since, problem: row.problem }
    const words = { channel: row.channel_id, mode: row.mode, ...(row.problem && { problem: row.problem }) }
    if (since === null) log.info(words, 'webhooks are heard again')
    else log.warn({ ...words, since: new Date(since).toISOString() }, 'webhooks are silent')
    onChange(silence)
    return silence
  }

  const run = async (): Promise<Silence[]> => {
    const due = await store.write(function* () {
      const { rows } = yield queries.due({ older_ms: lookEveryMs })
      return rows as WebhookRegistrationRow[]
    })
    for (const { channel_id, mode } of due) await registrations.look(channel_id, mode)
    const rows = (await store.read(queries.all({}))).filter(row => row.registered === 1)
    const found = await Promise.all(rows.map(judge))
    return found.filter(silence => silence !== undefined)
  }

  return {
    ...createPeriodic(run, everyMs, log, 'the watch over webhooks failed: it looks again in a minute'),
    run,
    degraded: async () => {
      const silent = (await store.read(queries.all({}))).filter(row => row.mode === 'live' && row.silent_since !== null)
      return silent.length === 0
        ? null
        : `nothing is heard of ${silent.map(row => row.channel_id).join(', ')}: see GET /channels/{id}/webhooks`
    }
  }
}
