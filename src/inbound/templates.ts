import { eventEntry } from '../store/event-entry.ts'
import type { Store } from '../store/store.ts'
import type { HeardHandlers } from './effects.ts'

const word = 'template '
/** Of a name that PostgreSQL would not pass on (8,000 bytes) all are meant. */
const wordOf = (name = ''): string => (name.length > 512 ? '' : name)

/**
 * What follows from a template's change: every replica asks for its definition again.
 * @param forget drops what is remembered of a name, or of all
 */
export function createTemplateHandler(store: Store, forget: (name?: string) => void): HeardHandlers {
  store.notifications?.subscribe(told => {
    if (told.startsWith(word)) forget(told.slice(word.length) || undefined)
  })
  return {
    template: function* (
      { name, language, providerTemplateId, change, value, before, effectiveAt: at, reason },
      { channel: { id, mode } }
    ) {
      forget(name)
      const effectiveAt = at === undefined ? undefined : new Date(at).toISOString()
      const data = { change, name, language, providerTemplateId, value, before, effectiveAt, reason }
      yield eventEntry(store, { type: 'template.updated', mode, channel: id, data })
      if (store.notifications) yield store.notifications.publish(word + wordOf(name))
      return { outcome: 'done' }
    }
  }
}
