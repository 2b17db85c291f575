import type { Store, Unit } from '../store/store.ts'

/** Inside the unit that ends a key or an identity: ends its subscriptions. Answers the ids of those that it ended. */
export function* endSubscriptions(store: Store, keyId: string): Unit<string[]> {
  const { build } = store
  const ending = build
    .updateTable('subscriptions')
    .set({ disabled_reason: 'key_ended', disabled_at: store.clock() })
    .where('key_id', '=', keyId)
    .where(eb => eb.or([eb('disabled_reason', 'is', null), eb('disabled_reason', 'in', ['gone', 'failing'])]))
    .returning('id')
  const { rows } = yield ending.compile()
  return (rows as { id: string }[]).map(({ id }) => id).sort()
}
