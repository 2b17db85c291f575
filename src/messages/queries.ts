import type { MessageFilter } from '../../schemas/messages.ts'
import type { Caller } from '../keys/caller.ts'
import type { PageRequest } from '../store/page.ts'
import type { MessageRow } from '../store/schema.ts'
import { prepare, type Store } from '../store/store.ts'
import { type Narrowing, narrowed } from './filter.ts'
import { messageTransitions } from './transitions/message.ts'

export type MessageQueries = ReturnType<typeof messageQueries>

/** Every query on one message and on lists of them, with the statements that move it; what waits is in queue.ts. Queries of the hot path are compiled once. */
export function messageQueries(store: Store) {
  const { build } = store
  return {
    ...messageTransitions(store),
    byId: prepare<{ id: string }, MessageRow>(p => build.selectFrom('messages').selectAll().where('id', '=', p.id)),
    /** Keeps a file at least as long as a message that will read it. */
    keepFile: prepare<{ id: string; until: number }, unknown>(p =>
      build.updateTable('media').set({ expires_at: p.until }).where('id', '=', p.id).where('expires_at', '<', p.until)
    ),

    list: (caller: Caller, filter: Narrowing & Pick<MessageFilter, 'status'>, page: PageRequest) => {
      let query = build
        .selectFrom('messages')
        .selectAll()
        .where(narrowed(caller, filter, store.dialect))
        .orderBy('id', 'desc')
        .limit(page.limit + 1)
      if (page.after) query = query.where('id', '<', page.after)
      if (filter.status)
        query = query.where('state', 'in', filter.status === 'queued' ? ['queued', 'claimed'] : [filter.status])
      return query.compile()
    }
  }
}
