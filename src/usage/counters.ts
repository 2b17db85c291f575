import { CompiledQuery } from 'kysely'
import { change, type Store } from '../store/store.ts'

/** Lines of one commit. */
const batch = 5000
const columns = 'day, mode, service, channel_id, template, status, category, price_type'

/**
 * Folds the lines that PostgreSQL's commits have written into the counters. One process at a time; whoever reads meanwhile sees each
 * line in one place.
 */
export async function fold(store: Store): Promise<void> {
  if (store.dialect === 'sqlite') return
  for (let count = batch; count === batch; )
    count = await store.write(function* () {
      yield CompiledQuery.raw('select pg_advisory_xact_lock(7305552)')
      const lines = `select entry from usage_lines order by entry limit ${batch}`
      return yield* change(
        CompiledQuery.raw(
          `with gone as (delete from usage_lines where entry in (${lines}) returning ${columns}, count),
             folded as (insert into usage (${columns}, count)
               select ${columns}, sum(count) from gone group by ${columns} order by ${columns}
               on conflict (${columns}) do update set count = usage.count + excluded.count)
           select 1 from gone`
        )
      )
    })
}

/** @param before the first day that is kept */
export const forgetUsage = (store: Store, before: string): Promise<void> =>
  store.write(function* () {
    yield store.build.deleteFrom('usage').where('day', '<', before).compile()
    yield store.build.deleteFrom('usage_calls').where('day', '<', before).compile()
  })
