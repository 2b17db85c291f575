import type { AnyAdapter, Heard } from '../adapters/adapter.ts'
import type { Channels } from '../channels/channels.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import type { Place } from './effects.ts'

const secretOf = ({ settings }: DispatchChannel): string | undefined => (settings as { appSecret?: string }).appSecret

/** What a door may tell of, and which channel it means. */
export interface Places {
  /** The channel that something is about, with all of the same number; undefined: it is about none of this connection. */
  placeOf: (heard: Heard, door: DispatchChannel, all: DispatchChannel[]) => Omit<Place, 'receivedAt'> | undefined
  /**
   * The channels that a door may tell of: those of its connection, but none whose signature it does not check. Else whoever
   * knows the address of one channel could tell anything of another that has asked for proof.
   * @param told what is to be placed: where none of them is meant, another replica may have made that channel a moment ago
   */
  siblingsOf: (door: DispatchChannel, told: readonly { heard: Heard }[]) => Promise<DispatchChannel[]>
}

export const createPlaces = (
  adapters: ReadonlyMap<string, AnyAdapter>,
  channels: Pick<Channels, 'all' | 'bind' | 'refresh'>,
  /** Other processes change channels too. */
  shared: boolean
): Places => {
  const placeOf: Places['placeOf'] = (heard, door, all) => {
    const { concerns, names } = adapters.get(door.provider)!.hear!
    const meant = all.filter(each => concerns(each.settings as never, heard.scope))
    const named = meant.filter(each => names?.(each.settings as never, heard.scope))
    const [first, ...others] = named.length > 0 ? named : meant
    const channel = others.find(each => each.id === door.id) ?? first
    return channel && { channel, siblings: meant.map(each => each.id) }
  }
  const siblings = async (door: DispatchChannel): Promise<DispatchChannel[]> =>
    (await channels.all(door.mode)).filter(
      each =>
        each.provider === door.provider &&
        each.connectionId === door.connectionId &&
        (secretOf(each) === undefined || secretOf(each) === secretOf(door))
    )
  return {
    placeOf,
    siblingsOf: async (door, told) => {
      const all = await siblings(door)
      if (!shared || told.every(({ heard }) => placeOf(heard, door, all))) return all
      await channels.refresh()
      return siblings((await channels.bind(door.id, door.mode)) ?? door)
    }
  }
}
