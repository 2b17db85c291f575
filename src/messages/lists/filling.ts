import type { MessageRow } from '../../store/schema.ts'
import type { Asked } from '../filter.ts'
import { type Course, isPlaceWay } from './courses.ts'
import { createWalk, type Look, merge, type Walk } from './merge.ts'
import type { PlaceWay } from './place-ways.ts'
import type { Turns } from './turns.ts'
import type { Walks } from './walks.ts'

/** The least that a walk begins with, where there are many. */
const least = 8
/** Walks that are begun in one statement. */
const atOnce = 100
/** Above every id. */
const top = '~'

export interface FillingParts {
  walks: Walks
  turns: Turns
  /** Whether walks of several places are begun in one statement. */
  together: boolean
  asked: Asked
  /** Messages that the page has room for. */
  room: number
  /** The id behind which the page begins. */
  after?: string | undefined
}

interface Begun {
  course: Course
  walk: Walk
}

/** A page while it is filled. */
export interface Filling {
  readonly rows: MessageRow[]
  /**
   * Takes what walks find until the page is full.
   * @param steps portions that may be looked at for it
   * @returns whether it is full, or nothing more comes; otherwise other walks go on from where these stopped
   */
  fill: (walks: readonly Walk[], steps?: number) => Promise<boolean>
  /** Makes a walk whose look limits its own statements. */
  walk: (look: Look) => Walk
  /** Makes walks, and has each look at its first portion. */
  begin: (courses: readonly Course[]) => Promise<readonly Walk[]>
}

export function createFilling({ walks, turns, together, asked, room, after = top }: FillingParts): Filling {
  const { read, most } = turns
  const rows: MessageRow[] = []
  let below = after

  const firstOf = (others: number) => Math.max(least, Math.ceil((2 * room) / others))
  const startOf = ({ from = top }: Course) => (from < below ? from : below)
  const rowsOf = (ids: readonly string[]) => read(walks.rows({ ...asked, ids: JSON.stringify(ids) }))

  /** In one statement: PostgreSQL's round trips take longer than what it does meanwhile. */
  const beginTogether = async (way: PlaceWay, begun: readonly Begun[], size: number): Promise<void> => {
    const places = begun.map(({ course }, nth) => {
      const { service, channel_id, to: above = '' } = course
      return { nth, service, channel_id, below: startOf(course), above }
    })
    const seen = await read(walks.together[way]({ ...asked, places: JSON.stringify(places), size }))
    const byPlace = Map.groupBy(seen, ({ nth }) => nth)
    for (const [nth, { walk }] of begun.entries()) walk.accept(byPlace.get(nth) ?? [], size)
  }

  return {
    rows,
    walk: look => createWalk(look, below, firstOf(1), () => Number.POSITIVE_INFINITY),
    begin: async courses => {
      const first = firstOf(courses.length)
      const begun = courses.map((course): Begun => {
        const { way, from: _, to: above = '', ...rest } = course
        const look: Look = (below, size) => read(walks[way]({ ...asked, ...rest, below, above, size }))
        return { course, walk: createWalk(look, startOf(course), first, most) }
      })
      const size = Math.min(first, most())
      for (const [way, some] of Map.groupBy(begun, ({ course }) => course.way))
        for (let i = 0; i < some.length; i += atOnce) {
          const next = some.slice(i, i + atOnce)
          if (together && isPlaceWay(way)) await beginTogether(way, next, size)
          else if (together) await Promise.all(next.map(({ walk }) => walk.advance()))
          else for (const { walk } of next) await walk.advance()
        }
      return begun.map(({ walk }) => walk)
    },
    fill: async (begun, steps) => {
      const merged = merge(begun, steps)
      for (let found = true; found; ) {
        const ids = await merged.take(room - rows.length)
        // What is gone meanwhile, or is not what was asked for any more, leaves its place to the next.
        if (ids.length > 0) rows.push(...(await rowsOf(ids)))
        below = merged.next()
        if (rows.length === room || below === '') return true
        found = ids.length > 0
      }
      return false
    }
  }
}
