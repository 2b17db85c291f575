import type { Mode } from '../../../schemas/common.ts'
import { type Caller, hasScope } from '../../keys/caller.ts'
import type { Store } from '../../store/store.ts'
import type { ListFilter } from '../filter.ts'
import type { Place } from './place-ways.ts'
import { mostNames, type Stepped, type Walks } from './walks.ts'

/** So many channels are looked for where they would stand; of more, those that are there. */
const fewChannels = 8

/** Whose messages a caller can mean; undefined: everybody's. */
function knownServices(caller: Caller, { direction, status }: ListFilter): string[] | undefined {
  const received = hasScope(caller, 'inbound:read')
  // What comes in is of no service.
  if (direction === 'inbound' || status === 'received') return received ? [''] : []
  if (hasScope(caller, 'read_all')) return undefined
  return received ? [caller.service, ''] : [caller.service]
}

/** Whether only a look at the store tells where the messages stand that a caller can mean. */
export const meansAll = (caller: Caller, filter: ListFilter): boolean =>
  filter.channel === undefined && knownServices(caller, filter) === undefined

/** Finds where the messages stand that a caller can mean. */
export function createPlaces(walks: Pick<Walks, 'services' | 'places'>, read: Store['read']) {
  const servicesOf = async (caller: Caller, filter: ListFilter): Promise<string[]> => {
    const known = knownServices(caller, filter)
    if (known) return known
    const services = hasScope(caller, 'inbound:read') ? [''] : []
    for (let after = '', more = true; more; ) {
      const found = await read(walks.services({ after }))
      services.push(...found.map(({ service }) => service))
      after = services.at(-1) ?? ''
      more = found.length === mostNames
    }
    return services
  }

  /** The places of one service, or of all. */
  const everyPlace = async (mode: Mode, service?: string): Promise<Place[]> => {
    const places: Place[] = []
    let last: Stepped = { service: service ?? '', channel_id: '' }
    for (let more = true; more; ) {
      const found = await read(walks.places({ ...last, mode, all: service === undefined ? 1 : 0 }))
      places.push(...found.filter((step): step is Place => step.service !== null && step.channel_id !== null))
      last = found.at(-1) ?? last
      more = found.length === mostNames && last.service !== null
    }
    return places
  }

  const placesOf = async (caller: Caller, filter: ListFilter): Promise<Place[]> => {
    const { mode, channels } = caller
    const few =
      filter.channel !== undefined ? [filter.channel] : channels && channels.size <= fewChannels && [...channels]
    if (few)
      return (await servicesOf(caller, filter)).flatMap(service => few.map(channel_id => ({ service, channel_id })))
    const known = knownServices(caller, filter)
    const found = known ? await Promise.all(known.map(service => everyPlace(mode, service))) : [await everyPlace(mode)]
    const received = hasScope(caller, 'inbound:read')
    return found
      .flat()
      .filter(({ service, channel_id }) => (received || service !== '') && (!channels || channels.has(channel_id)))
  }
  return { servicesOf, placesOf }
}
