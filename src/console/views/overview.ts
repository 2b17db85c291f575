import type { Backlog, ChannelOverview, Overview } from '../../../schemas/overview.ts'
import { sparkline } from '../drawings.ts'
import type { View, Visit } from '../visit.ts'
import { count } from '../words.ts'

interface Ready {
  status?: string
  reason?: string
}

/** Something that speaks against one of the three, with where it can be looked at and ended. */
export interface Finding {
  words: string
  bad: boolean
  href: string
}

export interface Verdict {
  who: string
  findings: Finding[]
  tone: 'good' | 'warn' | 'bad'
}

/** Refusals of single messages: the recipient's or the caller's affair, however many there are. */
const ofOneMessage: ReadonlySet<string> = new Set([
  ...['recipient_invalid', 'recipient_suppressed', 'window_closed', 'template_not_found', 'template_invalid'],
  ...['media_rejected', 'message_rejected', 'unsupported', 'invalid_request', 'not_found', 'forbidden']
])
/** Unknown messages from which on they are no chance. */
const manyUnknown = 10

const failures = ({ failed }: ChannelOverview, fits: (each: { code: string; by: string }) => boolean): number =>
  failed.codes.reduce((sum, each) => sum + (fits(each) ? each.count : 0), 0)

/** What one channel says against us, Maton or its provider. */
function findingsOf(channel: ChannelOverview): Record<'us' | 'maton' | 'providers', Finding[]> {
  const { id, calls, unknown } = channel
  const at = encodeURIComponent(id)
  const links = {
    channel: `/console/channels/${at}`,
    failed: `/console/messages?status=failed&channel=${at}`,
    unknown: `/console/unknown?channel=${at}`
  }
  const found = { us: [] as Finding[], maton: [] as Finding[], providers: [] as Finding[] }
  const say = (who: keyof typeof found, bad: boolean, link: keyof typeof links, words: string) =>
    found[who].push({ words: `${id}: ${words}`, bad, href: links[link] })
  const ours = failures(channel, ({ code }) => code === 'internal')
  const refused = failures(channel, ({ code, by }) => by === 'maton' || code === 'channel_rejected')
  const theirs = failures(channel, ({ code }) => !ofOneMessage.has(code)) - ours - refused
  const messages = (n: number): string => count(n, 'message')
  if (channel.paused) say('us', false, 'channel', 'paused')
  if (ours > 0) say('us', true, 'failed', `${messages(ours)} failed by a fault of ours in the last hour`)
  if (refused > 0) say('maton', true, 'failed', `our account was refused for ${messages(refused)} in the last hour`)
  if (channel.breaker.state === 'open') say('providers', true, 'channel', 'no answer, the breaker is open')
  else if (calls.unanswered > 2)
    say('providers', true, 'channel', `${calls.unanswered} of the last ${calls.recent} calls got no answer`)
  if (channel.throttledUntil !== null) say('providers', false, 'channel', 'the provider asked us to wait')
  if (channel.webhooks.silentSince !== null) say('providers', true, 'channel', 'its webhooks have gone silent')
  if (unknown.open > 0)
    say('providers', unknown.open >= manyUnknown, 'unknown', `nobody knows whether ${messages(unknown.open)} arrived`)
  if (theirs > 0) say('providers', true, 'failed', `${messages(theirs)} failed in the last hour`)
  return found
}

const verdictOf = (who: string, findings: Finding[]): Verdict => ({
  who,
  findings,
  tone: findings.some(({ bad }) => bad) ? 'bad' : findings.length > 0 ? 'warn' : 'good'
})

/** Is it us, Maton or a provider? From what the answers of the last hour say. */
export function verdicts(overview: Overview, ready: Ready): Verdict[] {
  const all = overview.channels.map(findingsOf)
  const us: Finding[] = []
  if (ready.status === 'not_ready') us.push({ words: `not ready: ${ready.reason}`, bad: true, href: '/console' })
  if (overview.held) us.push({ words: 'everything is held after a restore', bad: true, href: '/console/hold/release' })
  const maton: Finding[] = []
  if (overview.account.throttledUntil !== null)
    maton.push({ words: 'Maton asked the account to wait', bad: true, href: '/console/backlog' })
  const { degraded } = overview.server
  if (degraded !== null && !overview.held)
    maton.push({ words: `/readyz says: ${degraded}`, bad: false, href: '/console/channels' })
  return [
    verdictOf('Us', [...us, ...all.flatMap(each => each.us)]),
    verdictOf('Maton', [...maton, ...all.flatMap(each => each.maton)]),
    verdictOf(
      'Providers',
      all.flatMap(each => each.providers)
    )
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
