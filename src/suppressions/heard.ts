import type { HeardPreference } from '../adapters/heard.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import { newId } from '../ids.ts'
import type { HeardHandlers, HeardMessageHook, Place } from '../inbound/effects.ts'
import { identities, namesOf } from '../messages/identities.ts'
import { queueOf } from '../messages/queue.ts'
import { day, keepOptions } from '../messages/row.ts'
import { messageTransitions } from '../messages/transitions/message.ts'
import { isUserId } from '../phone.ts'
import { auditEntry } from '../store/audit.ts'
import type { MessageRow } from '../store/schema.ts'
import type { SuppressionRow } from '../store/schema-suppressions.ts'
import { all, type Store, type Unit } from '../store/store.ts'
import type { Entries } from './entries.ts'
import { optOutsOf, willOf } from './words.ts'

// A person's own will, as WhatsApp tells it or as it was written to us. It is kept in the commit that marks it as heard.

/** What a person has said, and what only a person's own word takes back: what a caller keeps is the caller's to lift. */
const own: SuppressionRow['source'][] = ['word', 'whatsapp']
/** The person, as the audit log names the one who did it. */
const recipient = { keyId: 'recipient' }

interface Said {
  value: 'stop' | 'resume'
  category: SuppressionRow['category']
  source: 'word' | 'whatsapp'
  saidAt: number
  reason?: string
}

export interface HeardWills {
  handlers: HeardHandlers
  /** What a message says beside being one. */
  heardMessage: HeardMessageHook
}

export function createHeardWills(store: Store, entries: Entries): HeardWills {
  const people = identities(store)
  const { insert } = messageTransitions(store)

  /** Inside a unit: on every channel of the number that it was said to. Answers whether anything is new. */
  function* keep(identity: string, said: Said, { channel: { mode }, siblings }: Place): Unit<boolean> {
    const { value, category, source, saidAt, reason } = said
    let changed = false
    if (value === 'stop') {
      for (const channel_id of siblings) {
        const { row, added } = yield* entries.add({ mode, identity, channel_id, category, source, saidAt, reason })
        if (!added) continue
        changed = true
        yield* auditEntry(store, recipient, 'suppression.added', row.id, {
          mode,
          channel: channel_id,
          category,
          source
        })
      }
      return changed
    }
    const names = yield* entries.namesIn(mode, identity)
    for (const channel of siblings) {
      // A stop of everything that is taken back takes the one of marketing with it.
      const meant = { names, channel, ...(category === 'marketing' && { category }) }
      for (const { id } of yield* entries.remove(mode, meant, { sources: own, saidUntil: saidAt })) {
        changed = true
        yield* auditEntry(store, recipient, 'suppression.removed', id, { mode, channel, source })
      }
    }
    return changed
  }

  /** What a person who said something is called: by the number, unless that is somebody else's by now. */
  function* speaker(
    { phone, userId }: { phone: string | null | undefined; userId: string | null | undefined },
    { id, mode }: DispatchChannel
  ): Unit<string | undefined> {
    if (!phone || !userId) return phone ?? userId ?? undefined
    const names = (yield* all(people.namesOf(mode, id, userId))).map(({ identity }) => identity)
    return names.includes(phone) ? phone : userId
  }

  /** The answer to a stop, while the person's own message keeps the window open. It is of no service: it belongs to the channel. */
  function* confirm(body: string, to: string, heard: MessageRow, { id, mode, provider }: DispatchChannel): Unit<void> {
    const now = store.clock()
    const closes = heard.created_at + day
    if (closes <= now) return
    const place = { mode, service: '', channel_id: id, lane: 0, broadcast_id: null }
    yield insert({
      id: newId('msg', now),
      ...place,
      queue: queueOf(place),
      ...{ key_id: '', provider, direction: 'outbound', contact: to, user_id: isUserId(to) ? to : null },
      ...{ type: 'text', content: JSON.stringify({ body }), options: keepOptions({ answers: 'opt_out' }) },
      ...{ state: 'queued', final: 0, attempts: 0, run_at: now, send_at: null, expires_at: closes },
      ...{
        reference: null,
        metadata: null,
        resend_of: null,
        deliver_by: null,
        traceparent: null,
        timeline: '',
        created_at: now
      },
      lease_ms: 0
    })
  }

  return {
    handlers: {
      preference: function* ({ person, category, value, at }: HeardPreference, place) {
        const { channel, siblings } = place
        const saidAt = Math.min(at ?? place.receivedAt, store.clock())
        yield* people.link({ channel_id: channel.id, mode: channel.mode }, namesOf(person), { at: saidAt, siblings })
        const identity = yield* speaker({ phone: person.phone, userId: person.userId }, channel)
        if (identity === undefined) return { outcome: 'ignored' }
        yield* keep(identity, { value, category, source: 'whatsapp', saidAt }, place)
        return { outcome: 'done' }
      }
    },

    heardMessage: function* (row, { message }, place) {
      const will = willOf(message, optOutsOf(place.channel.settings))
      if (!will) return
      const identity = yield* speaker({ phone: row.contact, userId: row.user_id }, place.channel)
      if (identity === undefined) return
      const { value, word, optOut } = will
      const said = {
        value,
        category: optOut.category,
        source: 'word',
        saidAt: row.created_at,
        reason: `wrote: ${word}`
      } as const
      const isNew = yield* keep(identity, said, place)
      if (value === 'stop' && isNew && optOut.confirm !== undefined && message.standby === undefined)
        yield* confirm(optOut.confirm, identity, row, place.channel)
    }
  }
}
