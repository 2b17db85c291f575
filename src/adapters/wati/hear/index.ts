import type { Hearing } from '../../heard.ts'
import { array, record, string } from '../decode.ts'
import type { Settings } from '../settings.ts'
import { events, other } from './events.ts'

// WATI's webhooks → ours: one event a body, though a list of them is read as well (docs/upstream.md 3.7; docs/webhooks.md A4, D1).

/** The event's name without its variants, lower case. */
const stemOf = (name: string): string => {
  let stem = name.trim().toLowerCase()
  while (/_(v\d+|bsuid)$/.test(stem)) stem = stem.slice(0, stem.lastIndexOf('_'))
  return stem.slice(0, 100)
}

export const hearing: Hearing<Settings> = {
  read: body =>
    (Array.isArray(body) ? array(body) : [body]).map(item => {
      const event = record(item)
      const stem = stemOf(string(event.eventType) ?? '')
      const read = Object.hasOwn(events, stem) ? events[stem] : undefined
      return read ? read(event, stem) : other(event, `event ${stem || 'without a name'}`)
    }),
  byHand:
    'in WATI’s dashboard, Connectors > Webhooks > Add, give the URL that GET /channels/{id}/webhooks shows, and choose the _v2 events where there are such.',
  // A tenant can hold many numbers behind one address: another number than the channel's contradicts it (D3).
  concerns: ({ channelPhoneNumber }, { phone }) =>
    channelPhoneNumber === undefined || phone === undefined || phone === channelPhoneNumber,
  names: ({ channelPhoneNumber }, { phone }) => phone !== undefined && phone === channelPhoneNumber,
  numberOf: ({ channelPhoneNumber }) => channelPhoneNumber
}
