import type {
  CreateSuppression,
  Suppression,
  SuppressionFilter,
  SuppressionTarget
} from '../../schemas/suppressions.ts'
import type { Channels } from '../channels/channels.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, requireChannel, requireRecipient } from '../keys/caller.ts'
import { requirePerson } from '../phone.ts'
import { auditEntry } from '../store/audit.ts'
import { pageRequest, toPage } from '../store/page.ts'
import type { Store } from '../store/store.ts'
import { type Entries, toSuppression } from './entries.ts'

/** Who must not be messaged, as callers keep it (docs/api.md 12). Each mode has a list of its own. */
export interface Suppressions {
  list: (caller: Caller, filter: SuppressionFilter) => Promise<{ items: Suppression[]; nextCursor: string | null }>
  /** Adds one, or answers the one that is there. */
  add: (caller: Caller, body: CreateSuppression) => Promise<Suppression>
  /** Takes all away that are meant, under whatever name of the person. Throws a 404 where there is none. */
  remove: (caller: Caller, target: SuppressionTarget) => Promise<void>
  /** Throws the 403 or 404 for a channel or recipient that the key may not suppress on. */
  requireRights: (caller: Caller, channel: string | undefined, to: string) => Promise<void>
}

export interface SuppressionsParts {
  store: Store
  channels: Channels
  entries: Entries
}

export function createSuppressions({ store, channels, entries }: SuppressionsParts): Suppressions {
  /** Every channel is more than a key with a list of them may speak for. */
  const requireRights: Suppressions['requireRights'] = async (caller, channel, to) => {
    requireRecipient(caller, to)
    if (channel !== undefined) await channels.resolve(caller, channel)
    else if (caller.channels)
      throw new ServiceError('forbidden', 'This key is limited to some channels: name one of them as the channel.')
  }

  return {
    requireRights,

    list: async (caller, { to, limit, cursor, ...filter }) => {
      if (filter.channel !== undefined) requireChannel(caller, filter.channel)
      const names = to === undefined ? undefined : await entries.namesOf(caller.mode, requirePerson(to, 'query/to'))
      const page = pageRequest({ limit, cursor })
      const rows = await store.read(entries.list(caller, { ...filter, names }, page))
      const { items, nextCursor } = toPage(rows, page.limit)
      return { items: items.map(toSuppression), nextCursor }
    },

    add: async (caller, { to, channel, category, reason }) => {
      const identity = requirePerson(to, '/to')
      await requireRights(caller, channel, identity)
      const { row } = await store.write(function* () {
        const channel_id = channel ?? ''
        const by = { createdBy: caller.keyId, source: 'api' } as const
        const made = yield* entries.add({ mode: caller.mode, identity, channel_id, category, reason, ...by })
        if (made.added)
          yield* auditEntry(store, caller, 'suppression.added', made.row.id, { mode: caller.mode, channel, category })
        return made
      })
      return toSuppression(row)
    },

    remove: async (caller, { to, channel, category }) => {
      const identity = requirePerson(to, 'query/to')
      await requireRights(caller, channel, identity)
      const names = await entries.namesOf(caller.mode, identity)
      const removed = await store.write(function* () {
        const gone = yield* entries.remove(caller.mode, { names, channel, category })
        for (const { id } of gone) yield* auditEntry(store, caller, 'suppression.removed', id, { mode: caller.mode })
        return gone
      })
      if (removed.length === 0) throw new ServiceError('not_found', 'There is no such suppression of this person.')
    }
  }
}
