import { type Caller, hasScope, sees } from '../keys/caller.ts'
import type { EventHead } from './journal.ts'

/** Of what belongs to no service: what the channel itself is, which every key that may use it may know. */
const ofChannel: ReadonlySet<EventHead['type']> = new Set(['template.updated', 'channel.updated', 'channel.silent'])

/**
 * The filter of what a key may see: what is of its own service (of all with `read_all`), and with `inbound:read` what the
 * channels that it may use received and what people did there. A connection is the administrator's.
 */
export const hears =
  (caller: Caller) =>
  ({ type, mode, channel_id, service }: EventHead): boolean => {
    if (mode !== caller.mode) return false
    if (type === 'connection.changed') return hasScope(caller, 'admin')
    if (channel_id !== null && caller.channels && !caller.channels.has(channel_id)) return false
    if (service !== '') return sees(caller, { service, mode })
    return ofChannel.has(type) || hasScope(caller, 'inbound:read')
  }
