import type { Heard, HeardInbound, HeardStatus, Person } from '../../src/adapters/adapter.ts'
import { createEffects, type Effect, type Place } from '../../src/inbound/effects.ts'
import { messageIds } from '../../src/messages/provider-ids.ts'
import type { MessageRow } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import { changed, get, message, put } from './store-rows.ts'

// What becomes of what the providers tell (docs/reliability.md P5, P37, P38; docs/webhooks.md E), as units of the store.

export const channel = { id: 'support', provider: 'wati', connectionId: 'c', mode: 'live' as const, settings: {} }
export const place: Place = { channel, siblings: ['support'], receivedAt: 1_795_774_000_000 }
export const permutations = <T>(of: T[]): T[][] =>
  of.length < 2 ? [of] : of.flatMap((one, i) => permutations(of.toSpliced(i, 1)).map(rest => [one, ...rest]))

const keepFile = ({ id }: { id: string }) => ({ id: `med_${id}`, query: { sql: 'select 1', parameters: [] } as never })
export const effectsOf = (store: Store) => createEffects({ store, typeBase: '', keepFile })
export const apply = (store: Store, heard: Heard, at = place): Promise<Effect> =>
  store.write(() => effectsOf(store).apply(heard, at))

const broken = {
  code: 'message_rejected',
  detail: 'Message undeliverable',
  provider: { name: 'wati', status: null }
} as const
export const told = (status: HeardStatus['status'], ids: string[], more: Partial<HeardStatus> = {}): HeardStatus => ({
  kind: 'status',
  identity: `status/${ids[0] ?? more.ours}/${status}`,
  ...{
    scope: {},
    status,
    ids,
    at: 1_795_774_460_000 + ['sent', 'failed', 'delivered', 'read', 'played'].indexOf(status)
  },
  ...(status === 'failed' && { failure: broken }),
  ...more
})
/** A message that the provider took, with its ids. */
export async function taken(store: Store, ids: string[], changes: Partial<MessageRow> = {}): Promise<MessageRow> {
  const row = await put(store, message({ state: 'accepted', attempts: 1 }))
  await changed(
    store,
    store.build
      .updateTable('messages')
      .set({ provider_message_id: ids[0]!, accepted_at: 1, ...changes })
      .where('id', '=', row.id)
  )
  await store.write(() =>
    messageIds(store).link({ channel_id: 'support', mode: 'live' }, { id: row.id, attempt: 1 }, ids)
  )
  return get(store, row.id)
}
export const lines = ({ timeline }: MessageRow) =>
  timeline
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as { status: string; attempt: number })
export const wrote = (
  id: string,
  more: Partial<HeardInbound['message']> = {},
  sender: Person = { phone: '14155550100', name: 'Ada' }
): HeardInbound => ({
  kind: 'message',
  identity: `message/${id}`,
  ...{ scope: {}, ids: [id], sender, at: 1_795_774_456_000 },
  message: { type: 'text', content: { body: 'hi' }, ...more }
})
export const rows = (store: Store) =>
  store.read(store.build.selectFrom('messages').selectAll().orderBy('id').compile()) as Promise<MessageRow[]>

let made = 0
export const fresh = (): string => `wamid.${++made}`
