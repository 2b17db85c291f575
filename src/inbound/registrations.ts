import { sql } from 'kysely'
import type { Mode } from '../../schemas/common.ts'
import type { WebhookRegistrationRow } from '../store/schema-inbound.ts'
import { prepare, type Store } from '../store/store.ts'

// What is known of where a channel's webhooks go at the provider: a row a channel and mode.

/** A provider tries for so long to tell what it could not (docs/webhooks.md A1). */
const lateMs = 24 * 3600_000

export interface RegistrationKey {
  channel: string
  mode: Mode
}

/** What is known of a channel whose provider nobody has asked. */
const unasked = {
  ...{ at_provider: 'unknown' as const, hook_id: null, url_digest: null, fields: null, problem: null },
  ...{ registered_at: null, silent_since: null }
}

export type RegistrationQueries = ReturnType<typeof registrationQueries>

/** Every query on registrations. */
export function registrationQueries(store: Store) {
  const { build, now } = store
  return {
    of: prepare<RegistrationKey, WebhookRegistrationRow>(p =>
      build
        .selectFrom('webhook_registrations')
        .selectAll()
        .where('channel_id', '=', p.channel)
        .where('mode', '=', p.mode as Mode)
    ),
    all: prepare<object, WebhookRegistrationRow>(() => build.selectFrom('webhook_registrations').selectAll()),
    keep: (row: WebhookRegistrationRow) =>
      build
        .insertInto('webhook_registrations')
        .values(row)
        .onConflict(conflict => conflict.columns(['channel_id', 'mode']).doUpdateSet(row))
        .compile(),
    /** Nothing is expected any more, until something is heard all the same. */
    forget: prepare<RegistrationKey, unknown>(p =>
      build
        .insertInto('webhook_registrations')
        .values({
          ...{ channel_id: p.channel, mode: p.mode as Mode, registered: 0, checked_at: sql<number>`${now}` },
          ...unasked
        })
        .onConflict(conflict =>
          conflict
            .columns(['channel_id', 'mode'])
            .doUpdateSet({ registered: 0, checked_at: sql<number>`${now}`, ...unasked })
        )
    ),
    /**
     * Live channels that somebody had told at the provider by hand: statuses came, and not by a registration of ours, nor
     * in the day after it was taken away, in which a provider may still tell what it could not before.
     */
    byHand: prepare<object, RegistrationKey & { silent_since: number | null }>(() =>
      build
        .selectFrom('webhook_lanes as lane')
        .leftJoin('webhook_registrations as row', join =>
          join.onRef('row.channel_id', '=', 'lane.channel_id').onRef('row.mode', '=', 'lane.mode')
        )
        .select(['lane.channel_id as channel', 'lane.mode as mode', 'row.silent_since as silent_since'])
        .where('lane.mode', '=', 'live')
        .where(sql<boolean>`lane.status_at > coalesce(row.checked_at + ${lateMs}, 0)`)
        .where(eb => eb(eb.fn.coalesce('row.registered', sql<number>`0`), '=', 0))
    ),
    /** The registrations whose last look is older than this: one replica gets each, because it counts as looked at. */
    due: prepare<{ older_ms: number }, WebhookRegistrationRow>(p =>
      build
        .updateTable('webhook_registrations')
        .set({ checked_at: sql<number>`${now}` })
        .where('registered', '=', 1)
        .where('checked_at', '<=', sql<number>`${now} - ${p.older_ms}`)
        .returningAll()
    ),
    /**
     * What was seen of the registration of that instant: of a later one it says nothing.
     * @param url_digest of the address that was found there; null: what is known of it stays
     */
    looked: prepare<
      RegistrationKey &
        Pick<WebhookRegistrationRow, 'at_provider' | 'fields' | 'problem' | 'url_digest' | 'registered_at'>,
      unknown
    >(p =>
      build
        .updateTable('webhook_registrations')
        .set({ at_provider: p.at_provider as 'true', fields: p.fields, problem: p.problem })
        .set({ url_digest: sql<string>`coalesce(cast(${p.url_digest} as text), url_digest)` })
        .where(sql<boolean>`coalesce(registered_at, 0) = coalesce(cast(${p.registered_at} as bigint), 0)`)
        .where('channel_id', '=', p.channel)
        .where('mode', '=', p.mode as Mode)
    ),
    /** Marks since when it is silent; the change alone counts. */
    silent: prepare<RegistrationKey & { since: number }, unknown>(p =>
      build
        .insertInto('webhook_registrations')
        .values({
          ...{ channel_id: p.channel, mode: p.mode as Mode, registered: 0, checked_at: 0 },
          ...{ ...unasked, silent_since: p.since }
        })
        .onConflict(conflict =>
          conflict
            .columns(['channel_id', 'mode'])
            .doUpdateSet({ silent_since: p.since })
            .where('webhook_registrations.silent_since', 'is', null)
        )
    ),
    /** Marks that it speaks again; the change alone counts. */
    speaking: prepare<RegistrationKey, unknown>(p =>
      build
        .updateTable('webhook_registrations')
        .set({ silent_since: null })
        .where('channel_id', '=', p.channel)
        .where('mode', '=', p.mode as Mode)
        .where('silent_since', 'is not', null)
    ),
    /** When the first message was accepted after an instant: what should have been told of since. */
    acceptedAfter: prepare<RegistrationKey & { after: number; before: number }, { accepted_at: number | null }>(p =>
      build
        .selectFrom('messages')
        .select('accepted_at')
        .where('channel_id', '=', p.channel)
        .where('mode', '=', p.mode as Mode)
        .where('accepted_at', 'is not', null)
        .where('accepted_at', '>', p.after)
        .where('accepted_at', '<=', p.before)
        // what somebody sends from the provider's own inbox is told of by what we hear
        .where('origin', 'is', null)
        .orderBy('accepted_at')
        .limit(1)
    ),
    lane: prepare<RegistrationKey, { heard_at: number | null; status_at: number | null }>(p =>
      build
        .selectFrom('webhook_lanes')
        .select(['heard_at', 'status_at'])
        .where('channel_id', '=', p.channel)
        .where('mode', '=', p.mode as Mode)
    ),
    /** Things that were told of nobody's message, and bodies that could not be read. */
    troubles: prepare<RegistrationKey, { unmatched: number; unreadable: number }>(p =>
      build.selectNoFrom(eb => [
        eb
          .selectFrom('parked_events')
          .select(sql<number>`count(distinct identity)`.as('n'))
          .where('channel_id', '=', p.channel)
          .where('mode', '=', p.mode as Mode)
          .as('unmatched'),
        eb
          .selectFrom('webhooks')
          .select(sql<number>`count(*)`.as('n'))
          .where('channel_id', '=', p.channel)
          .where('mode', '=', p.mode as Mode)
          .where('state', '=', 'set_aside')
          .as('unreadable')
      ])
    )
  }
}
