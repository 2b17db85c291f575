import { CompiledQuery, sql } from 'kysely'
import type { WebhookLaneRow, WebhookRow } from '../store/schema-inbound.ts'
import { change, first, prepare, type Store, type Unit } from '../store/store.ts'

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
  /** The words of the partial index: both databases must see that they imply it. */
  const waiting = sql<boolean>`state = 'waiting'`
  const lanes = prepare<object, Lane>(() =>
    build.selectFrom('webhooks').select(['channel_id', 'mode']).where(waiting).distinct().orderBy('channel_id')
  )
  const heads = prepare<Lane & { most: number }, Pick<WebhookRow, 'id' | 'size'>>(p =>
    build
      .selectFrom('webhooks')
      .where('channel_id', '=', p.channel_id)
      .where('mode', '=', p.mode)
      .where(waiting)
      .select(['id', 'size'])
      .orderBy('id')
      .limit(p.most)
  )
  const bodies = prepare<Lane & { first: string; last: string }, KeptBody>(p =>
    build
      .selectFrom('webhooks')
      .innerJoin('webhook_bodies', 'webhook_bodies.id', 'webhooks.id')
      .selectAll('webhooks')
      .select('webhook_bodies.body')
      .where('channel_id', '=', p.channel_id)
      .where('mode', '=', p.mode)
      .where(waiting)
      .where('webhooks.id', '>=', p.first)
      .where('webhooks.id', '<=', p.last)
      .orderBy('webhooks.id')
  )
  const hold = prepare<Lane & { holder: string; leaseMs: number }, unknown>(p => {
    const until = sql<number>`${now} + ${p.leaseMs}`
    return build
      .insertInto('webhook_lanes')
      .values({ channel_id: p.channel_id, mode: p.mode, holder: p.holder, until, heard_at: null, status_at: null })
      .onConflict(conflict =>
        conflict
          .columns(['channel_id', 'mode'])
          .doUpdateSet({ holder: p.holder, until })
          .where(eb =>
            eb.or([
              eb('webhook_lanes.holder', '=', p.holder),
              eb('webhook_lanes.holder', 'is', null),
              eb('webhook_lanes.until', '<=', now)
            ])
          )
      )
  })
  const lane = (p: Lane) =>
    build.updateTable('webhook_lanes').where('channel_id', '=', p.channel_id).where('mode', '=', p.mode)
  /** The later of what is known and what is told: what is read again is older. */
  const later = (column: 'heard_at' | 'status_at', at: number) => {
    const [known, told] = [sql.ref(`webhook_lanes.${column}`), sql`cast(${at} as bigint)`]
    return sql<number>`case when ${known} is null or ${known} < ${told} then ${told} else ${known} end`
  }
  const heardAny = prepare<Lane & { at: number }, unknown>(p => lane(p).set({ heard_at: later('heard_at', p.at) }))
  const heardStatus = prepare<Lane & { at: number }, unknown>(p =>
    lane(p).set({ heard_at: later('heard_at', p.at), status_at: later('status_at', p.at) })
  )
  const move = prepare<Omit<Piece, 'received_at'>, unknown>(p =>
    build
      .updateTable('webhooks')
      .set({ position: p.to, state: p.state, reason: p.reason, tries: 0 })
      .where('id', '=', p.id)
      .where(waiting)
      .where('position', '=', p.from)
  )

  return {
    /** Where something waits. */
    lanes: (): Promise<Lane[]> => store.read(lanes({})),

    /** The bodies that are next, as many as are good to have in hand, and whether there are more. */
    next: async (
      { channel_id, mode }: Lane,
      most: number,
      bytes: number
    ): Promise<{ rows: KeptBody[]; more: boolean }> => {
      let sum = 0
      const waits = await store.read(heads({ channel_id, mode, most }))
      const ids = waits.filter(({ size }, i) => (sum += size) <= bytes || i === 0).map(({ id }) => id)
      const [first, last] = [ids[0], ids.at(-1)]
      if (first === undefined || last === undefined) return { rows: [], more: false }
      const more = ids.length < waits.length || waits.length === most
      return { rows: await store.read(bodies({ channel_id, mode, first, last })), more }
    },

    /** Inside a unit: whether this process may read the lane, from now on for a while. */
    holdLane: function* ({ channel_id, mode }: Lane, holder: string, leaseMs: number): Unit<boolean> {
      return (yield* change(hold({ channel_id, mode, holder, leaseMs }))) > 0
    },
    /** Inside a unit: others may read it at once. */
    leaveLane: function* (left: Lane, holder: string): Unit<void> {
      yield lane(left).set({ holder: null }).where('holder', '=', holder).compile()
    },
    /** Inside a unit: the same for all that this process reads. */
    leaveAll: function* (holder: string): Unit<void> {
      yield build.updateTable('webhook_lanes').set({ holder: null }).where('holder', '=', holder).compile()
    },
    /** When the lane last heard anything, and a status. */
    heard: ({ channel_id, mode }: Lane, at: number, status: boolean) =>
      (status ? heardStatus : heardAny)({ channel_id, mode, at }),

    /** Inside a unit: a channel without a door of its own in use has heard something, or a status. */
    heardBeside: function* ({ channel_id, mode }: Lane, at: number, status: boolean): Unit<void> {
      const known = { heard_at: later('heard_at', at), ...(status && { status_at: later('status_at', at) }) }
      yield build
        .insertInto('webhook_lanes')
        .values({ channel_id, mode, holder: null, until: 0, heard_at: at, status_at: status ? at : null })
        .onConflict(conflict => conflict.columns(['channel_id', 'mode']).doUpdateSet(known))
        .compile()
    },

    /**
     * Before bodies that an earlier process left are taken in hand: another one that ends by them has counted them. They are read
     * from their beginning, since that process may have been of a release that finds more or less in them; effects are had once.
     */
    suspect: (ids: string[]) =>
      build
        .updateTable('webhooks')
        .set(eb => ({ tries: eb('tries', '+', 1), position: 0 }))
        .where('id', 'in', ids)
        .where(waiting)
        .compile(),
    /** Takes that back. */
    spare: (ids: string[]) =>
      build
        .updateTable('webhooks')
        .set(eb => ({ tries: eb('tries', '-', 1) }))
        .where('id', 'in', ids)
        .where('tries', '>', 0)
        .where(waiting)
        .compile(),

    /** Inside a unit: sets a body aside for want of its channel. False: the channel is back, and the body waits to be read. */
    setAsideWithoutChannel: function* (piece: Piece, { channel_id }: Lane): Unit<boolean> {
      // Channels are made under a lock that excludes this one (src/channels/told.ts): whichever is last sees what the other did.
      if (store.dialect === 'postgres') yield CompiledQuery.raw('lock table channels in row exclusive mode')
      const { id, from, to, state, reason } = piece
      if (yield* first(build.selectFrom('channels').select('id').where('id', '=', channel_id))) return false
      return (yield* change(move({ id, from, to, state, reason }))) > 0
    },

    /** Inside a unit: moves a body on from where it was read to. False: somebody else has. */
    advance: function* ({ id, from, to, state, reason }: Piece): Unit<boolean> {
      return (yield* change(move({ id, from, to, state, reason }))) > 0
    }
  }
}
