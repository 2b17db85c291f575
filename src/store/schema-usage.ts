/** How many messages, made on a day (UTC), stand where: by what they are asked for. */
interface UsageKey {
  day: string
  mode: 'live' | 'test'
  service: string
  channel_id: string
  /** '' of what is no template. */
  template: string
  status: string
  /** What WhatsApp named, or ''. */
  category: string
  price_type: string
}
export interface UsageRow extends UsageKey {
  count: number
}
/** A change that is not folded into its counter yet. PostgreSQL alone has any. */
export interface UsageLineRow extends UsageRow {
  entry: number
}
export interface UsageCallsRow {
  day: string
  mode: 'live' | 'test'
  service: string
  count: number
}
export interface UsageTables {
  usage: UsageRow
  usage_lines: UsageLineRow
  usage_calls: UsageCallsRow
}
