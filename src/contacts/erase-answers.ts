import { sql } from 'kysely'
import type { Store, Unit } from '../store/store.ts'

/** The places of events, to be narrowed. */
const places = ({ build }: Store) => build.selectFrom('events').select('position').where('position', 'is not', null)

/**
 * Inside a unit, ahead of what becomes of the events: what receivers have answered to some of them goes, as it may repeat
 * what they got.
 */
export function* eraseAnswers(
  store: Store,
  narrow: (events: ReturnType<typeof places>) => ReturnType<typeof places>
): Unit<void> {
  const { build } = store
  // By their subscriptions and in so many words, as their indexes are.
  for (const kind of ['event', 'replay'] as const)
    yield build
      .updateTable('deliveries')
      .set({ log: '' })
      .where('kind', '=', sql.lit(kind))
      .where('subscription_id', 'in', build.selectFrom('subscriptions').select('id'))
      .where('position', 'in', narrow(places(store)))
      .compile()
}
