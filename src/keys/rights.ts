import type { Store } from '../store/store.ts'
import type { Caller } from './caller.ts'
import { adminCaller, toCaller } from './rows.ts'

/** What a key or an identity allows at this moment, for what acts in its name when nobody asks; undefined: it has ended. */
export type Rights = (keyId: string) => Promise<Caller | undefined>

export function createRights(store: Store, clock: () => number = store.clock): Rights {
  const { build } = store
  const keys = build.selectFrom('keys').selectAll()
  const identities = build.selectFrom('caller_identities').selectAll()
  return async keyId => {
    if (keyId === adminCaller.keyId) return adminCaller
    const [row] = keyId.startsWith('idn_')
      ? await store.read(identities.where('id', '=', keyId).compile())
      : await store.read(keys.where('id', '=', keyId).compile())
    const ended = !row || row.revoked_at !== null || (row.expires_at !== null && row.expires_at <= clock())
    return ended ? undefined : toCaller(row)
  }
}
