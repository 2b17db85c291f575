import { createHash } from 'node:crypto'
import { prepare, type Store } from '../store/store.ts'

/** Sessions that were signed out, on every replica: a copy of their cookie is worth nothing any more. */
export interface EndedSessions {
  end: (id: string, until: number) => Promise<void>
  has: (id: string) => Promise<boolean>
}

/** Kept by a digest until the session would have ended by itself. */
export function createEndedSessions(store: Store): EndedSessions {
  const { build } = store
  const digest = (id: string): string => createHash('sha256').update(id).digest('base64url')
  const one = prepare<{ id: string }, { id: string }>(p =>
    build.selectFrom('console_ended').select('id').where('id', '=', p.id)
  )
  return {
    end: async (id, until) => {
      await store.write(function* () {
        yield build.deleteFrom('console_ended').where('until', '<', store.clock()).compile()
        const row = { id: digest(id), until }
        yield build
          .insertInto('console_ended')
          .values(row)
          .onConflict(conflict => conflict.doNothing())
          .compile()
      })
    },
    has: async id => (await store.read(one({ id: digest(id) }))).length > 0
  }
}
