import type { CompiledQuery } from 'kysely'
import { newId } from '../ids.ts'
import type { Caller } from '../keys/caller.ts'
import type { Store } from './store.ts'

/** The entry that goes into the same unit as the change it tells of. `detail` never holds a secret. */
export function auditEntry(
  store: Store,
  actor: Caller | null,
  action: string,
  target: string,
  detail?: unknown
): CompiledQuery {
  const row = {
    id: newId('aud'),
    at: Date.now(),
    actor: actor?.keyId ?? 'start',
    action,
    target,
    detail: detail === undefined ? null : JSON.stringify(detail)
  }
  return store.build.insertInto('audit').values(row).compile()
}
