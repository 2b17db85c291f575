import type { Readable } from 'node:stream'
import { sql } from 'kysely'
import { type Usage, type UsageItem, type UsageQuery, usageStatuses } from '../../schemas/usage.ts'
import { invalid } from '../errors.ts'
import type { Store } from '../store/store.ts'
import { toCsvText } from '../tables/write.ts'

const dayMs = 24 * 3600_000
const columnOf = { day: 'day', service: 'service', channel: 'channel_id', template: 'template' } as const
type Day = Required<Pick<UsageQuery, 'from' | 'to'>>

/** Answers from counters alone: what it costs depends on days, services, channels and templates, and on no message. */
export function createReport(store: Store, ratePerSecond: number) {
  const { build } = store
  const days = ({ from, to }: UsageQuery): Day => {
    const last = to ?? new Date(store.clock()).toISOString().slice(0, 10)
    const first = from ?? new Date(Date.parse(last) - 30 * dayMs).toISOString().slice(0, 10)
    if (first > last) throw invalid('query/from', 'must not lie after to')
    return { from: first, to: last }
  }
  const counters = ({ service, channel, by = 'day', mode = 'live' }: UsageQuery, { from, to }: Day) => {
    const source = (table: 'usage' | 'usage_lines') => {
      let rows = build
        .selectFrom(table)
        .select([sql.ref<string>(columnOf[by]).as('key'), 'status', 'category', 'price_type', 'count'])
        .where('day', '>=', from)
        .where('day', '<=', to)
        .where('mode', '=', mode)
      if (service) rows = rows.where('service', '=', service)
      if (channel) rows = rows.where('channel_id', '=', channel)
      return rows
    }
    return build
      .selectFrom(source('usage').unionAll(source('usage_lines')).as('counters'))
      .select(['key', 'status', 'category', 'price_type', sql<number>`cast(sum(count) as bigint)`.as('count')])
      .groupBy(['key', 'status', 'category', 'price_type'])
      .orderBy('key')
  }
  const calls = ({ service, by = 'day', mode = 'live' }: UsageQuery, { from, to }: Day) => {
    const rows = build
      .selectFrom('usage_calls')
      .select([sql.ref<string>(by).as('key'), sql<number>`cast(sum(count) as bigint)`.as('count')])
      .where('day', '>=', from)
      .where('day', '<=', to)
      .where('mode', '=', mode)
      .groupBy('key')
    return service ? rows.where('service', '=', service) : rows
  }

  return async (query: UsageQuery): Promise<Usage> => {
    const { by = 'day', mode = 'live', channel } = query
    const between = days(query)
    // A request is a service's and no channel's or template's.
    const countsCalls = (by === 'day' || by === 'service') && !channel
    const items = new Map<string, UsageItem>()
    const item = (key: string): UsageItem => {
      const none = { key, calls: countsCalls ? 0 : null, messages: {}, recipients: 0, prices: [] }
      const found = items.get(key) ?? none
      items.set(key, found)
      return found
    }
    for (const row of await store.read(counters(query, between).compile())) {
      const { count, category, price_type } = row
      if (count === 0) continue
      const into = item(row.key)
      const messages = into.messages as Record<string, number>
      messages[row.status] = (messages[row.status] ?? 0) + count
      if (/^(accepted|sent|delivered|read)$/.test(row.status)) into.recipients += count
      if (category === '' && price_type === '') continue
      const price = into.prices.find(each => each.category === category && each.type === price_type)
      if (price) price.count += count
      else into.prices.push({ category, type: price_type, count })
    }
    if (countsCalls)
      for (const { key, count } of await store.read(calls(query, between).compile())) item(key).calls = count
    const ordered = [...items.values()].sort((one, other) => (one.key < other.key ? -1 : 1))
    return { ...between, mode, by, items: ordered, account: { ratePerSecond: ratePerSecond || null } }
  }
}

/** A row for each item, after a header. */
export function toCsv({ by, items }: Usage): Readable {
  async function* rows() {
    yield [by, 'calls', ...usageStatuses, 'recipients', 'prices']
    for (const { key, calls, messages, recipients, prices } of items) {
      const counts = usageStatuses.map(status => String((messages as Record<string, number>)[status] ?? 0))
      const priced = prices.map(({ category, type, count }) => `${category}/${type}: ${count}`).join(', ')
      yield [key, calls === null ? '' : String(calls), ...counts, String(recipients), priced]
    }
  }
  return toCsvText(rows())
}
