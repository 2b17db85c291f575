import { type RawBuilder, sql } from 'kysely'
import type { Resolution } from '../../messages/doubt.ts'
import { timelineEntry } from '../../messages/timeline.ts'
import type { MessageRow, MessageState } from '../../store/schema.ts'
import { change, prepare, type Store, type Unit } from '../../store/store.ts'

/** What the provider says of a message that was handed to it: in a webhook, or in its own history. */
export interface ProviderEvent {
  status: 'accepted' | 'sent' | 'delivered' | 'read' | 'failed'
  /** When it came to that, by the provider's clock, in milliseconds. */
  at: number
  /** Null where the provider does not name it. */
  providerMessageId: string | null
  /** Of a failed one: the problem as JSON (MessageError). */
  error?: string
  /** For the timeline: where this was learnt, and how sure it is. */
  detail: string
  resolution?: Resolution
}

export interface Proofs {
  /**
   * Inside a unit: moves a message to where the provider says that it is, from unknown and onward, never back
   * (RELIABILITY.md P5, P38). Of events in any order, and however often, the end is the same.
   * @returns whether the status changed
   */
  settleFromProvider: (row: Pick<MessageRow, 'id' | 'attempts'>, event: ProviderEvent) => Unit<boolean>
}

/** Each status with those it may follow. A provider that says failed and then delivered was wrong at first. */
const earlier: Record<ProviderEvent['status'], MessageState[]> = {
  accepted: ['unknown'],
  sent: ['unknown', 'accepted'],
  failed: ['unknown', 'accepted', 'sent'],
  delivered: ['unknown', 'accepted', 'sent', 'failed'],
  read: ['unknown', 'accepted', 'sent', 'failed', 'delivered']
}

type Instants = Pick<MessageRow, 'accepted_at' | 'sent_at' | 'delivered_at' | 'read_at'>
type Told = { id: string; entry: string; provider_message_id: string | null } & Instants

export function createProofs({ build }: Store): Proofs {
  /** The earlier of what is known and what is told: then the order in which it is told does not matter. */
  const first = (known: RawBuilder<unknown>, told: number | null) =>
    sql<number>`case when ${known} is null or ${known} > cast(${told} as bigint) then cast(${told} as bigint) else ${known} end`
  const earliest = (p: Instants & Pick<Told, 'provider_message_id'>) => ({
    provider_message_id: sql<string>`coalesce(provider_message_id, cast(${p.provider_message_id} as text))`,
    accepted_at: first(sql.ref('accepted_at'), p.accepted_at),
    sent_at: first(sql.ref('sent_at'), p.sent_at),
    delivered_at: first(sql.ref('delivered_at'), p.delivered_at),
    read_at: first(sql.ref('read_at'), p.read_at)
  })
  /** What is under way: the provider may be faster with its word than with its answer, or than a second attempt. */
  const underWay = (status: ProviderEvent['status']): MessageState[] =>
    status === 'failed' ? ['sending'] : ['sending', 'queued', 'claimed']
  const advance = (status: ProviderEvent['status']) =>
    prepare<Told & Pick<MessageRow, 'error' | 'failed_at' | 'resolution'> & { attempts: number }, unknown>(p =>
      build
        .updateTable('messages')
        .set({
          ...earliest(p),
          state: status,
          final: status === 'read' || status === 'failed' ? 1 : 0,
          lease_until: null,
          error: p.error,
          failed_at: p.failed_at,
          resolution: sql`coalesce(cast(${p.resolution} as text), resolution)`,
          timeline: sql`timeline || cast(${p.entry} as text)`
        })
        .where('id', '=', p.id)
        .where(eb =>
          eb.or([
            eb('state', 'in', earlier[status]),
            eb.and([
              eb('state', 'in', underWay(status)),
              // Of one more attempt nothing has failed yet; of the first one nothing is queued any more.
              status === 'failed'
                ? eb('resolution', 'is', null)
                : eb.or([eb('state', '=', 'sending'), eb('resolution', '=', 'resent_once')])
            ])
          ])
        )
    )
  const advances = {
    accepted: advance('accepted'),
    sent: advance('sent'),
    failed: advance('failed'),
    delivered: advance('delivered'),
    read: advance('read')
  }
  /** A word that comes late: when it was is told all the same. */
  const fill = prepare<Omit<Told, 'entry'>, unknown>(p =>
    build
      .updateTable('messages')
      .set(earliest(p))
      .where('id', '=', p.id)
      .where('state', 'in', ['accepted', 'sent', 'delivered', 'read', 'failed'])
  )

  return {
    settleFromProvider: function* ({ id, attempts }, { status, at, providerMessageId, error, detail, resolution }) {
      const instants: Instants = {
        accepted_at: status === 'failed' ? null : at,
        sent_at: status === 'sent' ? at : null,
        delivered_at: status === 'delivered' ? at : null,
        read_at: status === 'read' ? at : null
      }
      const entry = timelineEntry({ state: status, attempts }, detail)
      const told = { id, provider_message_id: providerMessageId, ...instants }
      const failed = status === 'failed'
      const changed = yield* change(
        advances[status]({
          ...told,
          attempts,
          entry,
          error: failed ? (error ?? null) : null,
          failed_at: failed ? at : null,
          resolution: resolution ?? null
        })
      )
      if (changed > 0) return true
      yield fill(told)
      return false
    }
  }
}
