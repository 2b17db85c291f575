import type { JournalEvent } from '../events/index.ts'

/** Members that name something of ours or its state, and hold neither words nor numbers of people. */
const told = ['id', 'status', 'direction', 'broadcastId', 'resendOf', 'change'] as const
/** Our own ids are opaque: another id could be a number. */
const opaque = /^[a-z][a-z_]{0,31}$|^[a-z]{3}_[0-9a-f]{8,40}$/

/** The body that is posted for an event: as GET /events tells it, or without whatever could be personal (docs/reliability.md T40). */
export function payloadOf({ event, text }: Pick<JournalEvent, 'event' | 'text'>, payload: 'full' | 'thin'): string {
  if (payload === 'full') return text
  const data = Object.fromEntries(
    told.flatMap(name => {
      const value = event.data[name]
      return typeof value === 'string' && opaque.test(value) ? [[name, value]] : []
    })
  )
  return JSON.stringify({ ...event, data })
}
