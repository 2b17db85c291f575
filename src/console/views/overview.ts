import type { Backlog, ChannelOverview, Overview } from '../../../schemas/overview.ts'
import { sparkline } from '../drawings.ts'
import type { View, Visit } from '../visit.ts'
import { count } from '../words.ts'

interface Ready {
  status?: string
  reason?: string
}

/** What speaks against one of the three, a sentence each. */
export interface Verdict {
  who: string
  trouble: string[]
}

const by = (channel: ChannelOverview, who: string, codes?: readonly string[]): number =>
  channel.failed.codes.reduce(
    (sum, each) => sum + (each.by === who && (codes === undefined || codes.includes(each.code)) ? each.count : 0),
    0
  )

/** Is it us, Maton or a provider? From what the answers of the last minutes say. */
export function verdicts(overview: Overview, ready: Ready): Verdict[] {
  const us: string[] = []
  if (ready.status === 'not_ready') us.push(`Not ready: ${ready.reason ?? 'no reason is told'}.`)
  if (overview.held) us.push('Everything is held after a restore: nothing goes out until the hold is released.')
  const maton: string[] = []
  const providers: string[] = []
  if (overview.account.throttledUntil !== null) maton.push('Maton asked the account to wait.')
  if (overview.server.degraded !== null && !overview.held) maton.push(`Degraded: ${overview.server.degraded}`)
  for (const channel of overview.channels) {
    const { id, calls } = channel
    if (channel.paused) us.push(`${id} is paused.`)
    const internal = by(channel, 'switchboard', ['internal'])
    if (internal > 0) us.push(`${id}: ${count(internal, 'message')} failed by a fault of ours in the last hour.`)
    const refused = by(channel, 'maton')
    if (refused > 0) maton.push(`${id}: Maton refused ${count(refused, 'message')} in the last hour.`)
    const told = channel.failed.lastHour - internal - refused
    if (channel.breaker.state === 'open') providers.push(`${id}: its provider does not answer, the breaker is open.`)
    else if (calls.unanswered > 2)
      providers.push(`${id}: ${calls.unanswered} of the last ${calls.recent} calls got no answer.`)
    if (channel.throttledUntil !== null) providers.push(`${id}: the provider asked it to wait.`)
    if (told > 0) providers.push(`${id}: ${count(told, 'message')} failed in the last hour.`)
    if (channel.unknown.open > 0)
      providers.push(`${id}: nobody knows of ${count(channel.unknown.open, 'message')} whether they arrived.`)
    if (channel.webhooks.silentSince !== null) providers.push(`${id}: its webhooks have gone silent.`)
  }
  return [
    { who: 'Us', trouble: us },
    { who: 'Maton', trouble: maton },
    { who: 'Providers', trouble: providers }
  ]
}

async function readiness({ api }: Visit): Promise<Ready> {
  const { value, problem } = await api.look<Ready>('/readyz')
  return value ?? (problem as unknown as Ready)
}

/** The first two questions of the night. */
export const overviewViews: readonly View[] = [
  {
    path: '',
    template: 'overview',
    title: 'Overview',
    everySeconds: 5,
    show: async visit => {
      const overview = await visit.api.get<Overview>('/overview')
      const ready = await readiness(visit)
      return { overview, verdicts: verdicts(overview, ready), sparkline }
    }
  },
  {
    path: '/backlog',
    template: 'backlog',
    title: 'Backlog',
    everySeconds: 5,
    show: async ({ api, fields }) => {
      const backlog = await api.get<Backlog>('/backlog')
      const { service = '', channel = '' } = fields
      const items = backlog.items.filter(
        line => (service === '' || line.service === service) && (channel === '' || line.channel === channel)
      )
      const { value: broadcasts } = await api.look<{ items: { id: string; name: string }[] }>('/broadcasts', {
        limit: 100
      })
      const names = Object.fromEntries((broadcasts?.items ?? []).map(({ id, name }) => [id, name]))
      return { backlog, items, names }
    }
  }
]
