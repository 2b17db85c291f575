import { type RawBuilder, sql } from 'kysely'
import { astray, rarely } from '../../store/migrations/lists.ts'
import type { MessageRow } from '../../store/schema.ts'
import type { Store } from '../../store/store.ts'
import { type Asked, fits } from '../filter.ts'
import type { Seen } from './merge.ts'

/** Where a service's messages through one channel stand. */
export type Place = Pick<MessageRow, 'service' | 'channel_id'>

/** A place, and between which ids a walk is there: values, or the columns that they stand in. */
export type Spot = Record<keyof Place | 'below' | 'above', string | RawBuilder<string>>
/** The columns of a list of spots; PostgreSQL's alone, which has to be told that ids are ordered by their bytes. */
export const spotColumns: Spot = {
  service: sql`spot.service`,
  channel_id: sql`spot.channel_id`,
  below: sql`spot.below collate "C"`,
  above: sql`spot.above collate "C"`
}

/** The indexes that are gone down place by place; compared: with each row. */
export type PlaceWay = 'place' | 'placeCompared' | 'rare' | 'rareCompared' | 'astray'
type Values = Asked & { size: number }

/**
 * The queries that look at a portion of a place. A range of channel and id together is what only the index of places has in
 * order: PostgreSQL would rather go down the ids of everybody where it takes a place for a large one.
 */
export function placeWays(dialect: Store['dialect']): Record<PlaceWay, (p: Values, spot: Spot) => RawBuilder<Seen>> {
  const place = (p: Values, { service, channel_id, below, above }: Spot) =>
    sql`service = ${service} and mode = ${p.mode}
      and (channel_id, id) < (${channel_id}, ${below}) and (channel_id, id) > (${channel_id}, ${above})`
  const inOrder = (p: Values) => sql`order by channel_id desc, id desc limit ${p.size} + 0`
  const walked = (p: Values, spot: Spot, verdict: RawBuilder<unknown>) =>
    sql<Seen>`select id, ${verdict} as fits from messages where ${place(p, spot)} ${inOrder(p)}`
  // The state in a cast, lest SQLite plan anew for each: the index is of some.
  const rare = (p: Values, spot: Spot, verdict: RawBuilder<unknown>) =>
    sql<Seen>`select id, ${verdict} as fits from messages
      where ${sql.raw(rarely)} and state = cast(${p.state} as text) and ${place(p, spot)} ${inOrder(p)}`
  /** All that is asked for stands in the index: no row is read. */
  const nothing = sql`1`
  return {
    place: (p, spot) => walked(p, spot, nothing),
    placeCompared: (p, spot) => walked(p, spot, fits(p, dialect)),
    rare: (p, spot) => rare(p, spot, nothing),
    rareCompared: (p, spot) => rare(p, spot, fits(p, dialect)),
    // What is not found by the instant that its id tells. A row is read only where its instant is asked for.
    astray: (p, spot) => sql<Seen>`
      select near.id, case when near.created_at >= ${p.since} and near.created_at < ${p.until}
        then (select ${fits(p, dialect)} from messages where messages.id = near.id) end as fits
      from (
        select id, created_at from messages where ${sql.raw(astray(dialect))} and ${place(p, spot)}
        ${inOrder(p)}
      ) near order by near.id desc`
  }
}
