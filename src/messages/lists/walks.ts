import { sql } from 'kysely'
import type { MessageRow } from '../../store/schema.ts'
import { prepare, type Store } from '../../store/store.ts'
import { type Asked, fits, membersOf, namedBy } from '../filter.ts'
import type { Seen } from './merge.ts'
import { type Place, type PlaceWay, placeWays, spotColumns } from './place-ways.ts'

// The statements that lists are made of: few and small, however much is asked for (docs/decisions/0101).

interface Portion {
  below: string
  size: number
}
/** A walk ends at an id, `above`: not with it, nor with any before it. */
type Step = Asked &
  Portion & {
    above: string
    service?: string
    channel_id?: string
    /** What its index is for, where that is no place. */
    value?: string
  }
type Given = Required<Step>

/** Where one stands in the lines of what waits. */
export type Waiting = Pick<MessageRow, 'queue' | 'run_at' | 'id'>
type Queued = Asked & Portion & Pick<Waiting, 'queue' | 'run_at'> & { from: string; end: string }

/** Names of services, or places, that one statement steps over. */
export const mostNames = 100
/** Where a step over places came to; null: no more channels of this service, no more services. */
export type Stepped = { [K in keyof Place]: Place[K] | null }

export type Walks = ReturnType<typeof walkQueries>

export function walkQueries({ build, dialect }: Store) {
  const names = sql.lit(mostNames)
  const byPlace = placeWays(dialect)
  const compared = (words: (p: Given) => unknown) =>
    prepare<Step, Seen>(p => ({
      compile: () =>
        sql<Seen>`select id, ${fits(p, dialect)} as fits from messages
          where ${words(p)} and id < ${p.below} and id > ${p.above} order by id desc limit ${p.size} + 0`.compile(build)
    }))
  const alone = (way: PlaceWay) => prepare<Step, Seen>(p => ({ compile: () => byPlace[way](p, p).compile(build) }))
  const together = (way: PlaceWay) =>
    prepare<Asked & { places: string; size: number }, Seen & { nth: number }>(p => ({
      compile: () =>
        sql<Seen & { nth: number }>`
          select spot.nth, step.id, step.fits from json_to_recordset(cast(${p.places} as json))
            as spot(nth int, service text, channel_id text, below text, above text)
          cross join lateral (${byPlace[way](p, spotColumns)}) step
          order by spot.nth, step.id desc`.compile(build)
    }))

  return {
    /** From service to service down the index of places, not from message to message. */
    services: prepare<{ after: string }, Pick<Place, 'service'>>(p => {
      const next = (after: unknown) => sql`(select min(service) from messages where service > ${after})`
      return {
        compile: () =>
          sql<Pick<Place, 'service'>>`
            with recursive found(service, nth) as (
              select ${next(p.after)}, 1
              union all
              select ${next(sql`found.service`)}, nth + 1 from found where service is not null and nth < ${names}
            )
            select service from found where service is not null order by nth`.compile(build)
      }
    }),
    /** From place to place; where a service has no more, to the next service if all are meant. */
    places: prepare<Stepped & { mode: string; all: number }, Stepped>(p => {
      const service = sql`(select min(service) from messages where service > found.service)`
      const channel = (of: unknown, after: unknown) =>
        sql`(select min(channel_id) from messages where service = ${of} and mode = ${p.mode} and channel_id > ${after})`
      return {
        compile: () =>
          sql<Stepped>`
            with recursive found(service, channel_id, nth) as (
              select cast(${p.service} as text), cast(${p.channel_id} as text), 0
              union all
              select case when channel_id is null then ${service} else service end,
                case when channel_id is null then ${channel(service, sql`''`)}
                  else ${channel(sql`found.service`, sql`found.channel_id`)} end, nth + 1
              from found where service is not null and (channel_id is not null or ${p.all} = 1) and nth < ${names}
            )
            select service, channel_id from found where nth > 0 order by nth`.compile(build)
      }
    }),
    place: alone('place'),
    placeCompared: alone('placeCompared'),
    rare: alone('rare'),
    rareCompared: alone('rareCompared'),
    astray: alone('astray'),
    /** The first portions of many places in one statement. SQLite has no words for it, and no round trips to save. */
    together: {
      place: together('place'),
      placeCompared: together('placeCompared'),
      rare: together('rare'),
      rareCompared: together('rareCompared'),
      astray: together('astray')
    },
    /** All as they stand. */
    any: compared(() => sql`1 = 1`),
    reference: compared(p => sql`reference = ${p.value} and service = ${p.service}`),
    contact: compared(p => sql`contact = ${p.value}`),
    user: compared(p => sql`user_id = ${p.value}`),
    broadcast: compared(p => sql`broadcast_id = ${p.value}`),
    named: compared(p => sql`id in ${namedBy(p)}`),
    /** Of what processes have in hand, which is not much: its index knows no order of ids, so each portion is of all of it. */
    inHand: prepare<Step, Seen>(p => ({
      compile: () =>
        sql<Seen>`
          with hand as materialized (select * from messages where state in ('claimed', 'sending'))
          select id, 1 as fits from hand where ${fits(p, dialect)} and id < ${p.below} and id > ${p.above}
          order by id desc limit ${p.size} + 0`.compile(build)
    })),
    /** A portion of the lines of what waits, in their order. */
    queued: prepare<Queued, Seen & Waiting>(p => ({
      compile: () =>
        sql<Seen & Waiting>`
          select id, queue, run_at, (id < ${p.below} and ${fits(p, dialect)}) as fits from messages
          where state = 'queued' and queue < ${p.end} and (queue, run_at, id) > (${p.queue}, ${p.run_at}, ${p.from})
          order by queue, run_at, id limit ${p.size} + 0`.compile(build)
    })),
    /** Whether more waits in some lines than is skipped: along the index alone. */
    queuedAhead: prepare<{ start: string; end: string; skip: number }, { one: number }>(p => ({
      compile: () =>
        sql<{ one: number }>`
          select 1 as one from messages where state = 'queued' and queue >= ${p.start} and queue < ${p.end}
          order by queue limit 1 offset ${p.skip} + 0`.compile(build)
    })),
    /** The rows of some ids, as far as they still are what was asked for. */
    rows: prepare<Asked & { ids: string }, MessageRow>(p => ({
      compile: () =>
        sql<MessageRow>`
          select * from messages where id in ${membersOf(p.ids, dialect)} and ${fits(p, dialect)}
          order by id desc`.compile(build)
    }))
  }
}
