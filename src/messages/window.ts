import type { ContactWindow } from '../../schemas/contacts.ts'
import type { DispatchChannel } from '../dispatch/provider-client.ts'
import type { MessageRow } from '../store/schema.ts'
import type { Store } from '../store/store.ts'
import { fallsBack } from './fallback.ts'
import { ofPerson } from './filter.ts'
import { identities } from './identities.ts'

const windowMs = 24 * 3600_000

/** The window of somebody who last wrote at `wrote`; both in milliseconds since the epoch, by the store's clock. */
export const windowAfter = (wrote: number, now: number): ContactWindow => ({
  open: now < wrote + windowMs,
  closesAt: new Date(wrote + windowMs).toISOString()
})

/**
 * Whether WhatsApp takes a free message to a person now, by what was heard here alone: nobody is asked. It is closed only
 * where a channel has heard for a whole window; who hears nothing, or for less, cannot know what was written before.
 * @param person as phone.ts gives it
 */
export type HeardWindow = (channel: Pick<DispatchChannel, 'id' | 'mode'>, person: string) => Promise<ContactWindow>

export function createHeardWindow(store: Store): HeardWindow {
  const { build } = store
  const names = identities(store)
  /** Inbound or outbound messages of a person. */
  const messagesOf = (people: string[], { id, mode }: Parameters<HeardWindow>[0], direction: MessageRow['direction']) =>
    build
      .selectFrom('messages')
      .select('created_at')
      .where('channel_id', '=', id)
      .where(ofPerson(people))
      .where('mode', '=', mode)
      .where('direction', '=', direction)
      .limit(1)
  /** What WhatsApp would not deliver because the window was closed, of what was sent after an instant. */
  const refused = (people: string[], from: number, channel: Parameters<HeardWindow>[0]) =>
    messagesOf(people, channel, 'outbound')
      // Providers tell when somebody wrote in whole seconds.
      .where('created_at', '>=', from + 1000)
      .where(eb =>
        eb.or([
          eb('error', 'like', '%"code":"window_closed"%'),
          eb('warnings', 'like', `%${JSON.stringify(fallsBack)}%`)
        ])
      )
  return async (channel, person) => {
    const { id, mode } = channel
    const people = await names.of(mode, id, person)
    const lastWrote = messagesOf(people, channel, 'inbound')
      // WhatsApp's own words about somebody are no word of theirs, and what is written in a group opens the group.
      .where('type', 'not in', ['system', 'revoke'])
      .where(eb => eb.or([eb('options', 'is', null), eb('options', 'not like', '%"groupId":%')]))
      // Not the last that came: webhooks come in any order, and days late.
      .orderBy('created_at', 'desc')
    const registered = build
      .selectFrom('webhook_registrations')
      .select(['registered_at', 'silent_since'])
      .where('channel_id', '=', id)
      .where('mode', '=', mode)
    const [[row], [hears]] = await Promise.all([store.read(lastWrote.compile()), store.read(registered.compile())])
    const now = store.clock()
    const known = row && windowAfter(row.created_at, now)
    const since = hears?.silent_since === null ? hears.registered_at : null
    // Of what came before it we know at most what the person wrote last: WhatsApp's own word stands until the next one.
    const from = row?.created_at ?? since
    if (from !== null && (await store.read(refused(people, from, channel).compile())).length > 0) return { open: false }
    if (known?.open) return known
    return since !== null && since + windowMs <= now ? (known ?? { open: false }) : { open: 'unknown' }
  }
}
