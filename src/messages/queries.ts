import type { MessageRow } from '../store/schema.ts'
import { prepare, type Store } from '../store/store.ts'
import { createMessageList } from './lists/list.ts'
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

    list: createMessageList(store)
  }
}
