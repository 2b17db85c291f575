import type { Caller } from '../../keys/caller.ts'
import type { PageRequest } from '../../store/page.ts'
import type { MessageRow } from '../../store/schema.ts'
import type { Store } from '../../store/store.ts'
import { askedBy, type ListFilter } from '../filter.ts'
import { type Course, meetsMany, namedCourses, placeCourses } from './courses.ts'
import { createFilling } from './filling.ts'
import { createPlaces, meansAll } from './places.ts'
import { createTurns } from './turns.ts'
import { createWaiting } from './waiting.ts'
import { walkQueries } from './walks.ts'

// A page of messages is made of walks, each down one index from the newest id on, and of as many portions of each as it takes. No
// statement looks at more than a portion of a walk, and between them others have their turn (docs/decisions/0101).

/** Reads a page of what a caller asks for, and one message more, newest first. */
export type MessageList = (caller: Caller, filter: ListFilter, page: PageRequest) => Promise<MessageRow[]>

/** Rows that one statement looks at, at most. */
const portion = 500
/** More places than this are gone down only after a look at the newest messages, as they stand. */
const manyPlaces = 16
/** Portions of that look, in which most lists are found; in a long backlog more, as the other way is to go through all of it. */
const [glance, longGlance] = [4, 16]

/** @param most rows that one statement looks at */
export function createMessageList(store: Store, most = portion): MessageList {
  const walks = walkQueries(store)
  const together = store.dialect === 'postgres'

  return async (caller, filter, { limit, after }) => {
    if (filter.channel !== undefined && caller.channels?.has(filter.channel) === false) return []
    const turns = createTurns(store, most)
    const asked = askedBy(caller, filter)
    const { placesOf, servicesOf } = createPlaces(walks, turns.read)
    const waiting = createWaiting({ walks, turns, asked })
    const { rows, fill, walk, begin } = createFilling({ walks, turns, together, asked, room: limit + 1, after })

    const queued = filter.status === 'queued'

    /** By place, of many after some of the newest messages. @returns whether that is the page */
    const byPlace = async (): Promise<boolean> => {
      const places = meansAll(caller, filter) ? undefined : await placesOf(caller, filter)
      const many = places === undefined || places.length > manyPlaces
      if (meetsMany(filter) && (many || queued)) {
        const newest: Course[] = many ? [{ way: 'any' }] : placeCourses(places, filter, asked)
        if (await fill(await begin(newest), queued ? longGlance : glance)) return true
      }
      return !queued && fill(await begin(placeCourses(places ?? (await placesOf(caller, filter)), filter, asked)))
    }
    /** First what waits and then what is in hand: what is claimed in between is found there. What goes back to its line then is missed. */
    const byLine = async (): Promise<boolean> => {
      const lines = walk(waiting.look)
      await lines.advance()
      return fill([lines, ...(await begin([{ way: 'inHand' }]))])
    }

    const named = await namedCourses(filter, () => servicesOf(caller, filter))
    if (named) await fill(await begin(named))
    else if (queued && !(await waiting.isLong())) await byLine()
    else if (!(await byPlace()) && queued) await byLine()
    return rows
  }
}
