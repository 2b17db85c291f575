import { sql } from 'kysely'
import type { WebhookLaneRow, WebhookRow } from '../store/schema-inbound.ts'
import { change, type Store, type Unit } from '../store/store.ts'

/** The webhooks of one channel and mode: they are read in order, by one process. */
export type Lane = Pick<WebhookLaneRow, 'channel_id' | 'mode'>

/** How far one body is read. */
export interface Piece extends Pick<WebhookRow, 'id' | 'received_at' | 'state' | 'reason'> {
  from: number
  to: number
}

/** Before every id of a webhook that came at this instant or later. */
export const idAt = (ms: number): string => `whk_${Math.max(0, ms).toString(16).padStart(12, '0')}`

/** A webhook that waits, with what came. */
export type KeptBody = WebhookRow & { body: Uint8Array }

export function webhookQueries(store: Store) {
  const { build, now } = store
  const of = ({ channel_id, mode }: Lane) =>
    build.selectFrom('webhooks').where('channel_id', '=', channel_id).where('mode', '=', mode)
  /** The words of the partial index: both databases must see that they imply it. */
  const waiting = sql<boolean>`state = 'waiting'`

  return {
    /** Where something waits. */
    lanes: (): Promise<Lane[]> =>
      store.read(
        build
          .selectFrom('webhooks')
          .select(['channel_id', 'mode'])
          .where(waiting)
          .distinct()
          .orderBy('channel_id')
          .compile()
      ),

    /** The bodies that are next, as many as are good to have in hand. */
    next: async (lane: Lane, most: number, bytes: number): Promise<KeptBody[]> => {
      const heads = await store.read(of(lane).where(waiting).select(['id', 'size']).orderBy('id').limit(most).compile())
      let sum = 0
      const ids = heads.filter(({ size }, i) => (sum += size) <= bytes || i === 0).map(({ id }) => id)
      if (ids.length === 0) return []
      return store.read(
        build
          .selectFrom('webhooks')
          .innerJoin('webhook_bodies', 'webhook_bodies.id', 'webhooks.id')
          .selectAll('webhooks')
          .select('webhook_bodies.body')
          .where('webhooks.id', 'in', ids)
          .orderBy('webhooks.id')
          .compile()
      )
    },

    /** Inside a unit: whether this process may read the lane, from now on for a while. */
    holdLane: function* ({ channel_id, mode }: Lane, holder: string, leaseMs: number): Unit<boolean> {
      const until = sql<number>`${now} + ${leaseMs}`
      const held = build
        .insertInto('webhook_lanes')
        .values({ channel_id, mode, holder, until, heard_at: null, status_at: null })
        .onConflict(conflict =>
          conflict
            .columns(['channel_id', 'mode'])
            .doUpdateSet({ holder, until })
            .where(eb =>
              eb.or([
                eb('webhook_lanes.holder', '=', holder),
                eb('webhook_lanes.holder', 'is', null),
                eb('webhook_lanes.until', '<=', now)
              ])
            )
        )
      return (yield* change(held)) > 0
    },
    /** Inside a unit: others may read it at once. */
    leaveLane: function* ({ channel_id, mode }: Lane, holder: string): Unit<void> {
      yield build
        .updateTable('webhook_lanes')
        .set({ holder: null })
        .where('channel_id', '=', channel_id)
        .where('mode', '=', mode)
        .where('holder', '=', holder)
        .compile()
    },
    /** Inside a unit: the same for all that this process reads. */
    leaveAll: function* (holder: string): Unit<void> {
      yield build.updateTable('webhook_lanes').set({ holder: null }).where('holder', '=', holder).compile()
    },
    /** When the lane last heard anything, and a status. */
    heard: ({ channel_id, mode }: Lane, at: number, status: boolean) =>
      build
        .updateTable('webhook_lanes')
        .set({ heard_at: at, ...(status && { status_at: at }) })
        .where('channel_id', '=', channel_id)
        .where('mode', '=', mode)
        .compile(),

    /** Before bodies that an earlier process left are taken in hand: another one that ends by them has counted them. */
    suspect: (ids: string[]) =>
      build
        .updateTable('webhooks')
        .set(eb => ({ tries: eb('tries', '+', 1) }))
        .where('id', 'in', ids)
        .where(waiting)
        .compile(),

    /** Inside a unit: moves a body on from where it was read to. False: somebody else has. */
    advance: function* ({ id, from, to, state, reason }: Piece): Unit<boolean> {
      const moved = build
        .updateTable('webhooks')
        .set({ position: to, state, reason, tries: 0 })
        .where('id', '=', id)
        .where(waiting)
        .where('position', '=', from)
      return (yield* change(moved)) > 0
    }
  }
}
