import type { Channels } from '../channels/channels.ts'
import { ServiceError } from '../errors.ts'
import type { Caller } from '../keys/caller.ts'
import { auditEntry } from '../store/audit.ts'
import { change, type Store } from '../store/store.ts'
import { idAt } from './queries.ts'

/**
 * Has the kept bodies of a channel since an instant read again, after a decoder was mended: what they told has no effect
 * twice, what was set aside or had none gets one. Answers how many bodies.
 */
export type ReplayWebhooks = (caller: Caller, channelId: string, since: string) => Promise<{ bodies: number }>

/** Bodies in one commit. */
const batch = 500

export function createReplay(store: Store, channels: Channels, wake: () => void): ReplayWebhooks {
  const { build } = store
  return async (caller, channelId, since) => {
    if (!(await channels.bind(channelId, caller.mode)))
      throw new ServiceError('not_found', `There is no channel ${channelId}.`)
    let bodies = 0
    for (let after = idAt(Date.parse(since)), rows: { id: string }[] = []; ; after = rows.at(-1)!.id) {
      const next = build.selectFrom('webhooks').select('id').where('channel_id', '=', channelId).where('id', '>', after)
      rows = await store.read(next.where('state', '!=', 'waiting').orderBy('id').limit(batch).compile())
      if (rows.length === 0) break
      const ids = rows.map(({ id }) => id)
      bodies += await store.write(() =>
        change(
          build
            .updateTable('webhooks')
            .set({ state: 'waiting', position: 0, reason: null })
            .where('id', 'in', ids)
            .where('state', '!=', 'waiting')
        )
      )
    }
    await store.write(function* () {
      yield* auditEntry(store, caller, 'channel.webhooks_replayed', channelId, { since, bodies })
    })
    wake()
    return { bodies }
  }
}
