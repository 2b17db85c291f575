import type { Logger } from 'pino'
import type { ChannelHealth } from '../../schemas/channel-health.ts'
import { ConnectionId } from '../../schemas/channels.ts'
import type { Mode } from '../../schemas/common.ts'
import type { Connection, ConnectionQuery, CreateConnection } from '../../schemas/connections.ts'
import { type AnyAdapter, UpstreamFailure } from '../adapters/adapter.ts'
import type { Admission } from '../dispatch/admission.ts'
import { throttleOf } from '../dispatch/provider-client.ts'
import { judgeAs } from '../dispatch/verdict.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, hasScope, requireChannel } from '../keys/caller.ts'
import type { Metrics } from '../metrics.ts'
import { timed } from '../request-trace.ts'
import { auditEntry } from '../store/audit.ts'
import type { Store } from '../store/store.ts'
import type { ControlRequest, Passthrough } from '../upstream/passthrough.ts'

export interface Connections {
  list: (caller: Caller, query: ConnectionQuery) => Promise<{ items: Connection[]; nextCursor: null }>
  get: (caller: Caller, id: string) => Promise<Connection>
  create: (caller: Caller, input: CreateConnection) => Promise<Connection>
  /** Throws `conflict` while a channel uses it, unless forced. */
  remove: (caller: Caller, id: string, force: boolean) => Promise<void>
}

/** How a channel's connection stands at Maton; `refused`: it does not take our key. */
export type Standing = ChannelHealth['connection']['status']

/** What a question about connections that failed says of them. */
export function standingOf({ code }: ServiceError): Standing {
  if (code === 'channel_rejected') return 'refused'
  return code === 'not_found' ? 'missing' : 'unknown'
}

export interface ConnectionsParts {
  store: Store
  adapters: ReadonlyMap<string, AnyAdapter>
  /** Maton for live traffic, or the sandbox for test traffic. */
  passthrough: (mode: Mode) => Promise<Passthrough>
  admission: Admission
  log: Logger
  metrics: Metrics
}

/** Maton's words for a connection's state, ours, and the honest default (docs/upstream.md 2.3 [T-CLI]). */
const statuses: Readonly<Record<string, Connection['status']>> = {
  ACTIVE: 'active',
  PENDING: 'pending',
  FAILED: 'failed'
}
/** A word that is missing here is one of another app: such a connection is none of ours. */

const string = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
/** Maton writes microseconds; an instant that cannot be read is none. */
function instant(value: unknown): string | null {
  const ms = Date.parse(string(value) ?? '')
  return Number.isFinite(ms) ? new Date(ms).toISOString() : null
}
const idPattern = new RegExp(ConnectionId.pattern!)

/** Maton's connections, in our words. Nothing of them is kept here. */
export function createConnections({
  store,
  adapters,
  passthrough,
  admission,
  log,
  metrics
}: ConnectionsParts): Connections {
  const providerOf = new Map([...adapters.values()].map(({ app, provider }) => [app, provider]))

  const call = async (operation: string, caller: Caller, request: ControlRequest): Promise<unknown> => {
    const maton = await passthrough(caller.mode)
    // Maton's own calls count against the account too.
    const account = { id: '', mode: caller.mode, service: caller.service }
    const permit = await timed('queue', () => admission.admit(account, {}))
    const onStart = (): void => permit && admission.left(permit)
    const begun = performance.now()
    const done = (code: string): void => metrics.call(operation, 'maton', code, performance.now() - begun)
    try {
      const { body } = await maton.control({ ...request, onStart })
      admission.note(account, true)
      done('ok')
      return body
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error
      const read = request.method === 'GET'
      // Only a request that names one can find that it is not there.
      const gone = error.kind === 'status' && error.status === 404 && request.target.startsWith('/connections/')
      const verdict = judgeAs(error, read, 'maton')
      const throttle = throttleOf(error, verdict, false)
      if (throttle) admission.throttle(account, throttle)
      const code = gone ? 'not_found' : verdict.code === 'not_found' ? 'provider_protocol' : verdict.code
      done(code)
      const { outcome, retryAfterSeconds, provider } = verdict
      // Never the body: a connection's link is in it.
      log.warn({ operation, code, outcome, provider }, 'call to maton failed')
      const detail = gone ? 'Maton knows no such connection.' : verdict.detail
      throw new ServiceError(code, detail, { provider, retryAfterSeconds, outcome })
    }
  }
  const unreadable = (outcome: 'not_sent' | 'unknown'): ServiceError =>
    new ServiceError('provider_protocol', 'Maton answered success in a form that proves nothing.', { outcome })

  const channelsOf = async (): Promise<Map<string, string[]>> => {
    const rows = await store.read(
      store.build.selectFrom('channels').select(['id', 'connection_id']).orderBy('id').compile()
    )
    const users = new Map<string, string[]>()
    for (const { id, connection_id } of rows) users.set(connection_id, [...(users.get(connection_id) ?? []), id])
    return users
  }
  /** Undefined where it is not a connection of one of our providers. Every member is named, so nothing else gets out. */
  const view = (value: unknown, caller: Caller, users: Map<string, string[]>): Connection | undefined => {
    const said = record(value)
    const id = string(said.connection_id)
    const provider = providerOf.get(string(said.app) ?? '')
    if (id === undefined || !idPattern.test(id) || provider === undefined) return undefined
    const method = /^\w{1,32}$/.exec(string(said.method) ?? '')?.[0].toLowerCase()
    const url = string(said.url)
    const shown = url !== undefined && URL.canParse(url) && hasScope(caller, 'connections:write')
    return {
      id,
      provider,
      status: statuses[string(said.status) ?? ''] ?? 'unknown',
      ...(method !== undefined && { method }),
      createdAt: instant(said.creation_time),
      updatedAt: instant(said.last_updated_time),
      ...(shown && { authorizationUrl: url }),
      channels: (users.get(id) ?? []).filter(channel => !caller.channels || caller.channels.has(channel))
    }
  }
  const target = (id: string): string => `/connections/${encodeURIComponent(id)}`
  const get = async (caller: Caller, id: string): Promise<Connection> => {
    const body = await call('getConnection', caller, { method: 'GET', target: target(id) })
    const said = record(body).connection
    if (said === undefined) throw unreadable('not_sent')
    const found = view(said, caller, await channelsOf())
    // The account may hold connections of other apps: they are no business of ours, and must not be deleted here.
    if (found?.id !== id) throw new ServiceError('not_found', `There is no connection ${id}.`)
    return found
  }

  return {
    get,
    list: async (caller, { provider, status }) => {
      const query = new URLSearchParams()
      if (provider) query.set('app', adapters.get(provider)!.app)
      if (status) query.set('status', status.toUpperCase())
      const text = query.size > 0 ? `?${query}` : ''
      const body = await call('listConnections', caller, { method: 'GET', target: `/connections${text}` })
      const said = record(body).connections
      if (!Array.isArray(said)) throw unreadable('not_sent')
      const users = await channelsOf()
      const items = said.flatMap(each => view(each, caller, users) ?? [])
      // Asked again here: a filter that Maton did not know would be passed over in silence.
      const wanted = ({ provider: its, status: state }: Connection) =>
        (!provider || its === provider) && (!status || state === status)
      return { items: items.filter(wanted), nextCursor: null }
    },

    create: async (caller, { provider }) => {
      const json = { app: adapters.get(provider)!.app }
      const body = await call('createConnection', caller, { method: 'POST', target: '/connections', json })
      const made = view(record(body).connection, caller, await channelsOf())
      if (!made) throw unreadable('unknown')
      await store.write(function* () {
        yield* auditEntry(store, caller, 'connection.created', made.id, { provider, mode: caller.mode })
      })
      return made
    },

    remove: async (caller, id, force) => {
      const { provider } = await get(caller, id)
      const users = (await channelsOf()).get(id) ?? []
      for (const channel of users) requireChannel(caller, channel)
      if (users.length > 0 && !force)
        throw new ServiceError(
          'conflict',
          `The connection ${id} is used by ${users.join(', ')}: delete that first, or say force=true.`
        )
      // Written first: what cannot be brought back must not go without a trace.
      await store.write(function* () {
        yield* auditEntry(store, caller, 'connection.deleted', id, { provider, mode: caller.mode, channels: users })
      })
      await call('deleteConnection', caller, { method: 'DELETE', target: target(id) })
    }
  }
}
