import type {
  CreateSubscription,
  PatchSubscription,
  RotateSubscription,
  Subscription,
  SubscriptionWithSecret
} from '../../schemas/subscriptions.ts'
import { invalid, ServiceError } from '../errors.ts'
import { newId } from '../ids.ts'
import { type Caller, hasScope, requireChannel } from '../keys/caller.ts'
import type { Rights } from '../keys/rights.ts'
import { auditEntry } from '../store/audit.ts'
import { type PageRequest, toPage } from '../store/page.ts'
import type { SubscriptionRow } from '../store/schema-subscriptions.ts'
import { first, type Store, type Unit } from '../store/store.ts'
import { EgressError, type Guard } from '../upstream/egress.ts'
import { locked } from './queries.ts'
import { mintSecret, type Secrets } from './secrets.ts'

/** Who is told of events: what callers do with their subscriptions. */
export interface Subscriptions {
  create: (caller: Caller, input: CreateSubscription) => Promise<SubscriptionWithSecret>
  list: (caller: Caller, page: PageRequest) => Promise<{ items: Subscription[]; nextCursor: string | null }>
  get: (caller: Caller, id: string) => Promise<Subscription>
  patch: (caller: Caller, id: string, input: PatchSubscription) => Promise<Subscription>
  remove: (caller: Caller, id: string) => Promise<void>
  /** A new secret; the one before signs too until the overlap is over. */
  rotate: (caller: Caller, id: string, input: RotateSubscription) => Promise<SubscriptionWithSecret>
  /** From now on it is told again, of what happens from now on. */
  enable: (caller: Caller, id: string) => Promise<Subscription>
  /** The row, where the caller may see it. Throws 404. */
  find: (caller: Caller, id: string) => Promise<SubscriptionRow>
  /** Throws 403 unless the caller has every right that the subscription carries: it decides where all of that goes. */
  requireRights: (caller: Caller, row: SubscriptionRow) => Promise<void>
}

export interface SubscriptionsParts {
  store: Store
  secrets: Secrets
  rights: Rights
  /** Judges addresses without a look-up; each attempt judges what they lead to. */
  guard: () => Promise<Pick<Guard, 'check'>>
  /** The channels that there are. */
  channelIds: () => Promise<string[]>
  /** The end of the journal: what is written from now on lies behind it. */
  end: () => Promise<number>
  /** Ends what waits for a subscription that is disabled. */
  giveUp: (id: string) => Promise<void>
  /** Something may be due. */
  wake: (id: string) => void
  clock: () => number
}

const isUnit = <T extends object>(made: Unit<T> | T): made is Unit<T> => Symbol.iterator in made
/** Of one service and mode: each reads the journal for itself. */
const mostOfService = 100
const parsed = (text: string | null): string[] | undefined => (text === null ? undefined : JSON.parse(text))
const iso = (ms: number): string => new Date(ms).toISOString()

export const toSubscription = (row: SubscriptionRow): Subscription => {
  const channels = parsed(row.channels)
  return {
    id: row.id,
    service: row.service,
    mode: row.mode,
    url: row.url,
    events: JSON.parse(row.events),
    ...(channels && { channels }),
    payload: row.payload,
    ordered: row.ordered === 1,
    status: row.disabled_reason !== null ? 'disabled' : row.failing_since !== null ? 'failing' : 'active',
    ...(row.disabled_reason !== null && row.disabled_reason !== 'deleted' && { disabledReason: row.disabled_reason }),
    ...(row.failing_since !== null && { failingSince: iso(row.failing_since) }),
    createdAt: iso(row.created_at)
  }
}

export function createSubscriptions(parts: SubscriptionsParts): Subscriptions {
  const { store, secrets, rights, clock } = parts
  const { build } = store

  const checkUrl = async (url: string): Promise<void> => {
    try {
      ;(await parts.guard()).check(url)
    } catch (error) {
      if (error instanceof EgressError) throw invalid('/url', error.detail)
      throw error
    }
  }
  const checkChannels = async (caller: Caller, channels: readonly string[] | null | undefined): Promise<void> => {
    for (const id of channels ?? []) requireChannel(caller, id)
    const known = new Set(channels?.length ? await parts.channelIds() : [])
    for (const [i, id] of (channels ?? []).entries())
      if (!known.has(id)) throw invalid(`/channels/${i}`, `names no channel: there is no ${id}`)
  }
  /** A key that may use some channels only sees what tells of no other. */
  const within = (caller: Caller, row: SubscriptionRow): boolean =>
    !caller.channels || (parsed(row.channels)?.every(id => caller.channels!.has(id)) ?? false)
  const there = () =>
    build
      .selectFrom('subscriptions')
      .where(eb => eb.or([eb('disabled_reason', 'is', null), eb('disabled_reason', '!=', 'deleted')]))
  const seen = (caller: Caller) => {
    const rows = there().selectAll().where('mode', '=', caller.mode)
    return hasScope(caller, 'read_all') ? rows : rows.where('service', '=', caller.service)
  }
  const find = async (caller: Caller, id: string): Promise<SubscriptionRow> => {
    const [row] = await store.read(seen(caller).where('id', '=', id).compile())
    if (!row || !within(caller, row)) throw new ServiceError('not_found', `There is no subscription ${id}.`)
    return row
  }
  const requireRights = async (caller: Caller, row: SubscriptionRow): Promise<void> => {
    const maker = row.key_id === caller.keyId ? undefined : await rights(row.key_id)
    const lacking = (['read_all', 'inbound:read'] as const).find(
      scope => maker && hasScope(maker, scope) && !hasScope(caller, scope)
    )
    if (lacking)
      throw new ServiceError(
        'forbidden',
        `This key lacks the scope ${lacking}, which the subscription carries from the key that made it.`
      )
  }
  /** Changes the row under its lock, and answers what it is then. */
  const alter = async (
    caller: Caller,
    id: string,
    action: string,
    act: (row: SubscriptionRow) => Unit<Partial<SubscriptionRow>> | Partial<SubscriptionRow>,
    detail?: unknown
  ): Promise<SubscriptionRow> => {
    await requireRights(caller, await find(caller, id))
    const row = await store.write(function* () {
      const before = yield* first(locked(store, id))
      if (!before || before.disabled_reason === 'deleted') return undefined
      const made = act(before)
      const changes = isUnit(made) ? yield* made : made
      if (Object.keys(changes).length > 0)
        yield build.updateTable('subscriptions').set(changes).where('id', '=', id).compile()
      yield* auditEntry(store, caller, action, id, detail)
      return { ...before, ...changes }
    })
    if (!row) throw new ServiceError('not_found', `There is no subscription ${id}.`)
    parts.wake(id)
    return row
  }

  return {
    find,
    requireRights,
    get: async (caller, id) => toSubscription(await find(caller, id)),

    create: async (caller, input) => {
      await checkUrl(input.url)
      await checkChannels(caller, input.channels)
      const now = clock()
      // A key for some channels can only make one for these.
      const ofChannels = input.channels ?? (caller.channels && [...caller.channels])
      const row: SubscriptionRow = {
        id: newId('sub'),
        service: caller.service,
        mode: caller.mode,
        key_id: caller.keyId,
        url: input.url,
        events: JSON.stringify(input.events),
        channels: ofChannels ? JSON.stringify(ofChannels) : null,
        payload: input.payload ?? 'full',
        ordered: input.ordered ? 1 : 0,
        ...{ disabled_reason: null, disabled_at: null, failing_since: null, failures: 0, told: 0, resume_at: 0 },
        position: await parts.end(),
        created_at: now
      }
      const secret = mintSecret()
      await store.write(function* () {
        const of = there().select(eb => eb.fn.countAll<number>().as('n'))
        const { n } = (yield* first(of.where('service', '=', row.service).where('mode', '=', row.mode)))!
        if (Number(n) >= mostOfService)
          throw new ServiceError(
            'conflict',
            `The service ${row.service} has ${mostOfService} subscriptions: remove one first.`
          )
        yield build.insertInto('subscriptions').values(row).compile()
        yield secrets.first(row.id, secret, now)
        yield* auditEntry(store, caller, 'subscription.created', row.id, { events: input.events })
      })
      parts.wake(row.id)
      return { ...toSubscription(row), secret }
    },

    list: async (caller, { limit, after }) => {
      const rows: SubscriptionRow[] = []
      // Narrowed here, as they are few: the channels stand in JSON.
      let query = seen(caller).orderBy('id', 'desc')
      if (after) query = query.where('id', '<', after)
      for (const row of await store.read(query.compile())) if (within(caller, row)) rows.push(row)
      const page = toPage(rows, limit)
      return { ...page, items: page.items.map(toSubscription) }
    },

    patch: async (caller, id, input) => {
      if (input.url !== undefined) await checkUrl(input.url)
      await checkChannels(caller, input.channels)
      if (input.channels === null && caller.channels)
        throw new ServiceError('forbidden', 'This key may not use all channels: name those that are to be told of.')
      const row = await alter(
        caller,
        id,
        'subscription.changed',
        function* (before) {
          // Nobody waits in a lane any longer.
          if (input.ordered === false && before.ordered === 1)
            yield build
              .updateTable('deliveries')
              .set({ run_at: clock() })
              .where('subscription_id', '=', id)
              .where('state', '=', 'pending')
              .where('lane', 'is not', null)
              .where('run_at', 'is', null)
              .compile()
          return {
            ...(input.url !== undefined && { url: input.url }),
            ...(input.events && { events: JSON.stringify(input.events) }),
            ...('channels' in input && { channels: input.channels ? JSON.stringify(input.channels) : null }),
            ...(input.payload && { payload: input.payload }),
            ...(input.ordered !== undefined && { ordered: input.ordered ? 1 : 0 })
          }
        },
        { fields: Object.keys(input) }
      )
      return toSubscription(row)
    },

    remove: async (caller, id) => {
      await requireRights(caller, await find(caller, id))
      await store.write(function* () {
        // Its deliveries go little by little, and the row after them (upkeep.ts).
        const gone = { disabled_reason: 'deleted', disabled_at: clock() } as const
        yield build.updateTable('subscriptions').set(gone).where('id', '=', id).compile()
        yield secrets.drop(id)
        yield build.deleteFrom('replays').where('subscription_id', '=', id).compile()
        yield* auditEntry(store, caller, 'subscription.deleted', id)
      })
    },

    rotate: async (caller, id, input) => {
      const secret = mintSecret()
      const overlapMs = (input?.overlapSeconds ?? 24 * 3600) * 1000
      const row = await alter(caller, id, 'subscription.rotated', function* () {
        yield* secrets.rotate(id, secret, { now: clock(), overlapMs })
        return {}
      })
      return { ...toSubscription(row), secret }
    },

    enable: async (caller, id) => {
      await requireRights(caller, await find(caller, id))
      await parts.giveUp(id)
      const position = await parts.end()
      const row = await alter(caller, id, 'subscription.enabled', before => {
        if (before.disabled_reason === 'key_ended')
          throw new ServiceError('conflict', `The key that made ${id} has ended: make a new subscription.`)
        if (before.disabled_reason === null)
          throw new ServiceError('conflict', `The subscription ${id} is not disabled.`)
        return {
          ...{ disabled_reason: null, disabled_at: null, failing_since: null, failures: 0, told: 0, resume_at: 0 },
          position
        }
      })
      return toSubscription(row)
    }
  }
}
