import { isUserId } from '../../phone.ts'
import { astrayMs, rare } from '../../store/migrations/lists.ts'
import { idAt } from '../../store/retention.ts'
import { type Asked, asksNoMore, type ListFilter } from '../filter.ts'
import type { Place, PlaceWay } from './place-ways.ts'
import type { Walks } from './walks.ts'

// Which walks a list is made of: what names few messages goes first, and what is asked beside is compared.

/** One walk to be made: the index that it goes down, and what it keeps to there. */
export interface Course extends Partial<Place> {
  way: Exclude<keyof Walks, 'services' | 'places' | 'together' | 'queued' | 'queuedAhead' | 'rows'>
  value?: string
  /** Where the ids begin and end that can be among them; absent: anywhere. */
  from?: string
  to?: string
}

const ofPlaces: Record<PlaceWay, true> = {
  ...{ place: true, placeCompared: true, rare: true, rareCompared: true, astray: true }
}
export const isPlaceWay = (way: Course['way']): way is PlaceWay => Object.hasOwn(ofPlaces, way)

const isRare = (status: string | undefined): boolean => (rare as readonly (string | undefined)[]).includes(status)
export const hasInstant = ({ since, until }: ListFilter): boolean => since !== undefined || until !== undefined

/** Whether the newest messages of all, as they stand, are worth a look first: nearly all that they are is asked for. */
export const meetsMany = (filter: ListFilter): boolean => !hasInstant(filter) && !isRare(filter.status)

/**
 * Says by what few messages are named; undefined: by nothing.
 * @param services asks whose messages are meant
 */
export async function namedCourses(
  { people, reference, providerMessageId, broadcastId, status }: ListFilter,
  services: () => Promise<string[]>
): Promise<Course[] | undefined> {
  if (providerMessageId) return [{ way: 'named' }]
  if (reference) return (await services()).map(service => ({ way: 'reference', service, value: reference }))
  if (people)
    return [
      ...people.map(value => ({ way: 'contact' as const, value })),
      ...people.filter(isUserId).map(value => ({ way: 'user' as const, value }))
    ]
  if (broadcastId) return [{ way: 'broadcast', value: broadcastId }]
  if (status === 'sending') return [{ way: 'inHand' }]
  return undefined
}

/** By place. An id tells when its message was made; those of which that is not so have walks of their own. */
export function placeCourses(places: readonly Place[], filter: ListFilter, asked: Asked): Course[] {
  const { since, until, status } = filter
  const few = isRare(status)
  const more = !asksNoMore(few ? { ...asked, state: null } : asked)
  const way = few ? (more ? 'rareCompared' : 'rare') : more ? 'placeCompared' : 'place'
  const courses = places.map(place => ({
    ...{ way, ...place },
    ...(until !== undefined && { from: idAt('msg', asked.until + astrayMs) }),
    ...(since !== undefined && { to: idAt('msg', asked.since - astrayMs) })
  })) satisfies Course[]
  return hasInstant(filter) ? [...courses, ...places.map(place => ({ way: 'astray' as const, ...place }))] : courses
}
