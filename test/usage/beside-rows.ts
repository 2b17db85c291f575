import { CompiledQuery } from 'kysely'
import type { Store } from '../../src/store/store.ts'

const keys = ['day', 'mode', 'service', 'channel_id', 'template', 'status', 'category', 'price_type'] as const
type Counter = Record<(typeof keys)[number], string> & { count: number }

/**
 * Holds what is counted against the messages that are there: a sentence for each counter that is off. For stores whose messages
 * no retention has deleted. In one statement, so that it may be asked while others write.
 */
export async function usageBesideRows(store: Pick<Store, 'dialect' | 'read'>): Promise<string[]> {
  const sqlite = store.dialect === 'sqlite'
  const day = sqlite
    ? `strftime('%Y-%m-%d', created_at / 1000, 'unixepoch')`
    : `to_char(to_timestamp(created_at / 1000.0) at time zone 'UTC', 'YYYY-MM-DD')`
  const price = (name: string) => `coalesce(${sqlite ? 'pricing' : 'cast(pricing as json)'} ->> '${name}', '')`
  const counted = `select ${keys.join(', ')}, count from`
  const rows = `select ${day} as day, mode, service, channel_id, coalesce(template, '') as template, state as status,
      ${price('category')} as category, ${price('type')} as price_type, -1 as count from messages
    where direction = 'outbound' and origin is null and state not in ('queued', 'claimed', 'sending')`
  const all = `${counted} usage union all ${counted} usage_lines union all ${rows}`
  const off = await store.read(
    CompiledQuery.raw(
      `select ${keys.join(', ')}, sum(count) as count from (${all}) as everything group by ${keys.join(', ')} having sum(count) <> 0`
    ) as CompiledQuery<Counter>
  )
  return off.map(({ count, ...key }) => `${Object.values(key).join(' ')}: counted ${count} more than there are`)
}
