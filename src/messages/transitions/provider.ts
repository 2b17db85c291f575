import { type RawBuilder, sql } from 'kysely'
import type { MessageRow, MessageState } from '../../store/schema.ts'
import { prepare, type Store } from '../../store/store.ts'
import type { ProviderEvent } from '../provider-status.ts'
import { told } from '../timeline.ts'
import { unexpired } from './queue.ts'

/** Each status with those it may follow. A provider that says failed and then delivered was wrong at first. */
const earlier: Record<ProviderEvent['status'], MessageState[]> = {
  accepted: ['unknown'],
  sent: ['unknown', 'accepted'],
  failed: ['unknown', 'accepted', 'sent'],
  delivered: ['unknown', 'accepted', 'sent', 'failed'],
  read: ['unknown', 'accepted', 'sent', 'failed', 'delivered']
}
/** Nothing more has to happen after these (docs/api.md 4). */
const ends: ReadonlySet<ProviderEvent['status']> = new Set(['delivered', 'read', 'failed'])

/** After these nobody has to be written to again. */
const arrivals: ReadonlySet<ProviderEvent['status']> = new Set(['delivered', 'read'])

type Instants = Pick<MessageRow, 'accepted_at' | 'sent_at' | 'delivered_at' | 'read_at'>
type Told = { id: string; entry: string; provider_message_id: string | null } & Instants &
  Pick<MessageRow, 'person' | 'pricing'>

/** Moves a message to where its provider says that it is (docs/message-states.md). */
export function providerTransitions(store: Store) {
  const { build, now } = store
  /** The earlier of what is known and what is told: then the order in which it is told does not matter. */
  const first = (known: RawBuilder<unknown>, told: number | null) =>
    sql<number>`case when ${known} is null or ${known} > cast(${told} as bigint) then cast(${told} as bigint) else ${known} end`
  const text = (value: string | null) => sql<string>`cast(${value} as text)`
  const earliest = (p: Omit<Told, 'id' | 'entry'>) => ({
    provider_message_id: sql<string>`coalesce(provider_message_id, ${text(p.provider_message_id)})`,
    accepted_at: first(sql.ref('accepted_at'), p.accepted_at),
    sent_at: first(sql.ref('sent_at'), p.sent_at),
    delivered_at: first(sql.ref('delivered_at'), p.delivered_at),
    read_at: first(sql.ref('read_at'), p.read_at),
    person: sql<string>`coalesce(${text(p.person)}, person)`,
    // Told once, with the first of its statuses that has it (docs/webhooks.md C8).
    pricing: sql<string>`coalesce(pricing, ${text(p.pricing)})`
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
          final: ends.has(status) ? 1 : 0,
          lease_until: null,
          error: p.error,
          failed_at: p.failed_at,
          resolution: sql`coalesce(cast(${p.resolution} as text), resolution)`,
          timeline: told(p.entry)
        })
        .where('id', '=', p.id)
        .where(eb =>
          eb.or([
            eb('state', 'in', earlier[status]),
            eb.and([
              eb('state', 'in', underWay(status)),
              // Of one more attempt nothing has failed yet. What waits after its first one was refused, or failed and is to be
              // tried again: only an arrival says otherwise.
              status === 'failed'
                ? eb('resolution', 'is', null)
                : eb.or([
                    eb('state', '=', 'sending'),
                    eb('resolution', '=', 'resent_once'),
                    ...(arrivals.has(status) ? [eb('attempts', '>', 0)] : [])
                  ])
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
  const fill = prepare<Told, unknown>(p =>
    build
      .updateTable('messages')
      .set({ ...earliest(p), timeline: told(p.entry) })
      .where('id', '=', p.id)
      .where('state', 'in', ['accepted', 'sent', 'delivered', 'read', 'failed'])
  )
  type Content = Pick<MessageRow, 'type' | 'content' | 'options' | 'warnings' | 'error'>
  /** To where it waits for its fallback; as it is where its time is over. */
  const fall = prepare<{ id: string; attempts: number; entry: string } & Content, unknown>(p =>
    build
      .updateTable('messages')
      .set({
        ...{ state: 'queued', final: 0, run_at: now, lease_until: null },
        ...{ type: p.type, content: p.content, options: p.options, warnings: p.warnings, error: p.error },
        // These are the latest attempt's.
        ...{ provider_message_id: null, accepted_at: null, sent_at: null, failed_at: null, pricing: null },
        timeline: told(p.entry)
      })
      .where('id', '=', p.id)
      .where('attempts', '=', p.attempts)
      .where('state', 'in', ['sending', 'unknown', 'accepted', 'sent'])
      .where(unexpired(now))
  )
  /** Back from there, where the first attempt arrived after all and the fallback never left. Under way, as it was: nothing has failed, and no event says so. */
  const rise = prepare<{ id: string; attempts: number } & Content, unknown>(p =>
    build
      .updateTable('messages')
      .set({
        ...{ state: 'sending', final: 0, lease_until: null },
        ...{ type: p.type, content: p.content, options: p.options, warnings: p.warnings, error: p.error }
      })
      .where('id', '=', p.id)
      .where('attempts', '=', p.attempts)
      .where('state', 'in', ['queued', 'claimed', 'failed'])
  )

  return { advances, fill, fall, rise }
}
