import type { Store } from './store.ts'

/** So long a secret that has ended is still told of in the tables, for whoever looks into a leak. */
const keptMs = 400 * 24 * 3600_000

/** Drops the sealed secrets of rotations that are told no more, and what ended long ago. Answers how many were touched. */
export const forgetSecrets = (store: Store, now: number): Promise<number> =>
  store.write(function* () {
    const { build } = store
    const told = build.updateTable('key_secrets').set({ sealed: null }).where('sealed', 'is not', null)
    const dropped = (yield told.where('sealed_until', '<=', now).compile()).changes
    yield build
      .deleteFrom('key_secrets')
      .where('expires_at', '<', now - keptMs)
      .compile()
    return dropped
  })
