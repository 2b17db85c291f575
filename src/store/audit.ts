import type { CompiledQuery } from 'kysely'
import type { AuditEntry } from '../../schemas/audit.ts'
import { newId } from '../ids.ts'
import type { Caller } from '../keys/caller.ts'
import { pageRequest, toPage } from './page.ts'
import type { Store } from './store.ts'

/** The entry that goes into the same unit as the change it tells of. `detail` never holds a secret. */
export function auditEntry(
  store: Store,
  actor: Pick<Caller, 'keyId'> | null,
  action: string,
  target: string,
  detail?: unknown
): CompiledQuery {
  const row = {
    id: newId('aud'),
    at: store.clock(),
    actor: actor?.keyId ?? 'start',
    action,
    target,
    detail: detail === undefined ? null : JSON.stringify(detail)
  }
  return store.build.insertInto('audit').values(row).compile()
}

export type Audit = (query: { target?: string; limit?: number; cursor?: string }) => Promise<{
  items: AuditEntry[]
  nextCursor: string | null
}>

/** Reads the audit log, newest first. */
export const createAudit =
  (store: Store): Audit =>
  async query => {
    const { limit, after } = pageRequest(query)
    let rows = store.build
      .selectFrom('audit')
      .selectAll()
      .orderBy('id', 'desc')
      .limit(limit + 1)
    if (query.target) rows = rows.where('target', '=', query.target)
    if (after) rows = rows.where('id', '<', after)
    const { items, nextCursor } = toPage(await store.read(rows.compile()), limit)
    const entry = ({ at, detail, ...rest }: (typeof items)[number]): AuditEntry => ({
      ...rest,
      at: new Date(at).toISOString(),
      detail: detail === null ? null : JSON.parse(detail)
    })
    return { items: items.map(entry), nextCursor }
  }
