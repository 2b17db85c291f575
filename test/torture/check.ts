import { actsOf } from './broadcaster.ts'
import { checkBroadcasts } from './check-broadcasts.ts'
import { checkEvents, checkHeard, checkPosted } from './check-heard.ts'
import { checkSequence, checkUsage } from './check-sequence.ts'
import type { Act, Attempt, History, Row, Sight } from './history.ts'
import { ranks, type Told } from './told.ts'

// The judge of a run. It takes nothing on trust: it knows what clients saw, the rows, the events, and what the providers
// did and told.

export const rules = {
  lost: 'every message that an answer named is in the journal, for its recipient, and one for each of a broadcast',
  oneId: 'one Idempotency-Key, one message, or one broadcast',
  replay: 'the answer that was kept for a key is the first one, byte for byte',
  twice: 'the provider took no message twice, and none a third time that may be sent once more',
  falseNo: 'what is failed, expired or canceled was not taken by the provider',
  falseYes: 'what is accepted was taken by the provider, and what is sent, delivered or read was told so',
  limbo: 'nothing is queued or sending when everything is over',
  backwards: 'no answer contradicts a later one, nor the journal',
  notSent: 'where every answer said that nothing was sent, nothing was',
  stranger: 'every message and every send was asked for, once at most',
  unheard:
    'what a provider told and had acknowledged had its effect: the greatest state stands, what was written is there',
  echo: 'nothing that was told had its effect twice',
  eventless: 'each state that a message came to has its event',
  ghost: 'no event tells of what did not happen, and none tells it twice',
  untold: 'every event reached its subscriber at least once, always under the same id',
  order: 'the sequence of events rises per contact and channel, over all messages, as things happened',
  usage: 'what is counted as usage is what the messages are',
  blind: 'there was something to see: messages, answers, sends, and all of the record'
} as const
export type Rule = keyof typeof rules

export interface Judgement {
  /** How many things each rule was held against. */
  checked: Record<Rule, number>
  violations: { rule: Rule; text: string }[]
  counts: Record<string, number>
}

const pending = ['queued', 'sending']
/** Taken by the provider, and not said to be failed afterwards. */
const taken = ['accepted', 'sent', 'delivered', 'read']
const over = ['failed', 'expired', 'canceled']

/** What may befall a message beside its own send. */
export interface Path {
  /** What its provider told of it. */
  told: ReadonlySet<Told['kind']>
  /** It goes on with its fallback when the window turns out closed. */
  falls: boolean
}
const alone: Path = { told: new Set(), falls: false }

/** The path of a message, by its recipient. */
export function pathOf(acts: readonly Act[], told: readonly Told[]): (to: string) => Path {
  const heard = grouped(told, ({ to }) => to)
  const falling = new Set(acts.flatMap(({ to, fallback }) => (fallback ? [to] : [])))
  return to => ({ told: new Set(heard.get(to)?.map(({ kind }) => kind)), falls: falling.has(to) })
}

/** Whether a message that was shown as `before` may be shown as `after` later (docs/api.md 4). */
export function mayFollow(before: string, after: string, { told, falls }: Path = alone): boolean {
  // A message that the provider puts off waits again: the two are one to a caller, not settled.
  if (pending.includes(before)) return true
  if (before === after) return true
  // An answer with a 5xx is not kept for its key: it is given anew, after the message was looked at.
  if (after === 'over') return over.includes(before) || mayFollow(before, 'failed', { told, falls })
  const late = told.has('failed')
  if (before === 'over') return over.includes(after) || (late && ['delivered', 'read'].includes(after))
  // The next attempt is another message to the provider: it begins anew.
  if (falls && late && !['delivered', 'read'].includes(before)) return true
  if (before === 'unknown') return ranks.includes(after)
  if (!late && (before === 'failed' || after === 'failed')) return false
  return ranks.includes(before) && ranks.indexOf(after) > ranks.indexOf(before)
}

export const grouped = <T>(items: readonly T[], by: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = by(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}

/** All that was shown of messages, an answer that was kept for its key left out: it tells how it was then. */
export const sightsOf = ({ acts, sights }: History): Sight[] => [
  ...sights,
  ...acts.flatMap(({ attempts }) =>
    attempts.flatMap(({ id, told, final = false, replayed, from, until }) =>
      id !== undefined && told !== undefined && !replayed ? [{ id, status: told, final, from, until }] : []
    )
  )
]

/** How often each recipient may be sent to, all acts together. */
export function allowedTo(acts: readonly Act[]): Map<string, number> {
  const allowed = new Map<string, number>()
  for (const { to, twice, fallback } of acts) allowed.set(to, (allowed.get(to) ?? 0) + (twice || fallback ? 2 : 1))
  return allowed
}

export function judge(given: History): Judgement {
  const { broadcasts = [], journal, arrivals, dropped, heard } = given
  // Each message of a broadcast is judged as one that was asked for alone.
  const acts = [...given.acts, ...broadcasts.flatMap(actsOf)]
  const history = { ...given, acts }
  const path = pathOf(acts, heard?.told ?? [])
  const failedLate = (to: string): boolean => path(to).told.has('failed')
  /** Taken at first, and failed by a later word: as it stands, or until its time was over while the fallback waited. */
  const failedAfter = (to: string, status: string): boolean => failedLate(to) && (status === 'failed' || path(to).falls)
  const checked = Object.fromEntries(Object.keys(rules).map(rule => [rule, 0])) as Record<Rule, number>
  const violations: Judgement['violations'] = []
  const hold = (rule: Rule, right: boolean, text: () => string): void => {
    checked[rule]++
    if (!right) violations.push({ rule, text: text() })
  }

  const byId = new Map(journal.map(row => [row.id, row]))
  const rowsTo = grouped(journal, row => row.to)
  const done = grouped(
    arrivals.filter(({ processed }) => processed),
    ({ to }) => to
  )
  const timesTaken = (to: string): number => done.get(to)?.length ?? 0

  for (const act of acts) {
    for (const { id, status } of act.attempts)
      if (id !== undefined)
        hold('lost', byId.get(id)?.to === act.to, () => `${id}, told by a ${status} for ${act.to}, is not there`)
  }
  for (const act of [...given.acts, ...broadcasts]) {
    checkKey(act, byId, hold)
    checkReplays(act, history.storeFaults === true, hold)
  }
  checkBroadcasts(broadcasts, acts, journal, hold)
  for (const [to, all] of grouped(acts, act => act.to)) {
    const open = all.filter(
      ({ attempts }) => attempts.length === 0 || !attempts.every(({ outcome }) => outcome === 'not_sent')
    )
    if (open.length < all.length && !failedLate(to))
      hold(
        'notSent',
        timesTaken(to) <= (allowedTo(open).get(to) ?? 0),
        () => `${to} was told not_sent, and the provider took it`
      )
    checkOnce(all, rowsTo.get(to) ?? [], hold)
  }
  const known = allowedTo(acts)
  for (const { id, to } of journal) hold('stranger', known.has(to), () => `${id} to ${to}: nobody asked for it`)
  for (const [to, all] of done) {
    hold('twice', all.length <= (known.get(to) ?? 1), () => `${to} was sent to ${all.length} times`)
    hold('stranger', known.has(to) && rowsTo.has(to), () => `${to} was sent to without a message`)
  }
  /** A recipient's others may have been taken: what replaced a failed one of the same key, and what was asked for besides. */
  const others = (to: string): number =>
    rowsTo.get(to)!.filter(({ status }) => !over.includes(status) || failedAfter(to, status)).length
  const again = new Set(acts.flatMap(({ to, twice, fallback }) => (twice || fallback ? [to] : [])))
  for (const { id, to, status } of journal) {
    if (over.includes(status) && !failedAfter(to, status))
      hold(
        'falseNo',
        timesTaken(to) <= others(to) * (again.has(to) ? 2 : 1),
        () => `${id} to ${to} is ${status}, and was taken`
      )
    if (taken.includes(status))
      hold(
        'falseYes',
        timesTaken(to) >= rowsTo.get(to)!.filter(row => taken.includes(row.status)).length,
        () => `${id} to ${to} is ${status}, and was not taken`
      )
    hold('limbo', !pending.includes(status), () => `${id} to ${to} is still ${status}`)
  }
  checkSights(sightsOf(history), byId, path, hold)
  if (heard) {
    checkHeard(history, heard, hold)
    checkEvents(history, heard, hold)
    checkPosted(heard, hold)
    checkSequence(history, heard, hold)
    checkUsage(heard.rows.usage, hold)
  }

  hold('blind', dropped === 0, () => `${dropped} entries of the provider's record were dropped`)
  for (const [what, size] of Object.entries({ acts, journal, arrivals }))
    hold('blind', size.length > 0, () => `there are no ${what}`)
  return { checked, violations, counts: countsOf(given, timesTaken) }
}

export type Hold = (rule: Rule, right: boolean, text: () => string) => void

/** A failed message whose answer is a 5xx makes room for another (docs/api.md 2); nothing else does. */
function checkKey({ key, attempts }: Pick<Act, 'key' | 'attempts'>, byId: ReadonlyMap<string, Row>, hold: Hold): void {
  if (key === undefined) return
  const told = attempts.filter(({ id }) => id !== undefined)
  for (const [i, { id, status }] of told.entries()) {
    const next = told[i + 1]
    if (!next) return
    const replaced = status! >= 500 && byId.get(id!)?.status === 'failed'
    hold('oneId', next.id === id || replaced, () => `${key} was answered with ${id}, then with ${next.id}`)
  }
}

function checkReplays({ key, attempts }: Pick<Act, 'key' | 'attempts'>, storeFaults: boolean, hold: Hold): void {
  let first: Attempt | undefined
  for (const answer of attempts) {
    if (answer.text === undefined || answer.id === undefined || answer.status! >= 500) continue
    if (answer.replayed && first)
      hold('replay', answer.text === first.text, () => `${key} was answered in two ways, for ${answer.id}`)
    if (answer.replayed || !storeFaults) first ??= answer
  }
}

/** @param acts all that have this recipient */
function checkOnce(acts: readonly Act[], rows: readonly Row[], hold: Hold): void {
  const living = rows.filter(({ status }) => status !== 'failed').length
  const most = acts.reduce((sum, { key, attempts }) => sum + (key === undefined ? attempts.length : 1), 0)
  hold('stranger', living <= most, () => `${acts[0]!.to} has ${living} messages, and ${most} was asked for`)
}

function checkSights(
  sights: readonly Sight[],
  byId: ReadonlyMap<string, Row>,
  path: (to: string) => Path,
  hold: Hold
): void {
  for (const [id, all] of grouped(sights, ({ id }) => id)) {
    const row = byId.get(id)
    const way = path(row?.to ?? '')
    const last = row ? [{ ...row, final: false, from: Number.POSITIVE_INFINITY, until: Number.POSITIVE_INFINITY }] : []
    const ordered = [...all, ...last].sort((a, b) => a.from - b.from)
    for (const [i, after] of ordered.entries())
      for (const before of ordered.slice(0, i)) {
        // Two that overlap in time have no order.
        if (before.until > after.from) continue
        // What nobody will look for any more, only a webhook can still prove.
        const closed = before.final && before.status === 'unknown' && way.told.size === 0
        const right = mayFollow(before.status, after.status, way) && !closed
        hold(
          'backwards',
          right || before.status === after.status,
          () => `${id} was ${before.status}${before.final ? ', for good' : ''}, then ${after.status}`
        )
      }
  }
}

function countsOf(
  { acts, broadcasts = [], journal, arrivals, heard }: History,
  timesTaken: (to: string) => number
): Record<string, number> {
  const attempts = [...acts, ...broadcasts].flatMap(act => act.attempts)
  const counts: Record<string, number> = {
    acts: acts.length,
    requests: attempts.length,
    ok: attempts.filter(({ status = 0 }) => status >= 200 && status < 300).length,
    refused: attempts.filter(({ status = 0 }) => status >= 400).length,
    unanswered: attempts.filter(({ error }) => error !== undefined).length,
    replayed: attempts.filter(({ replayed }) => replayed).length,
    upstreamSends: arrivals.length,
    upstreamTaken: arrivals.filter(({ processed }) => processed).length,
    takenTogether: arrivals.filter(({ together }) => together).length,
    rows: journal.length,
    broadcasts: broadcasts.length,
    broadcastRows: journal.filter(({ broadcast }) => broadcast !== undefined).length,
    ...(heard && {
      told: heard.told.length,
      written: heard.rows.messages.filter(({ direction }) => direction === 'inbound').length,
      events: heard.rows.events.length,
      posted: heard.posted.length
    })
  }
  for (const { status } of journal) counts[status] = (counts[status] ?? 0) + 1
  counts.unknownButTaken = journal.filter(({ status, to }) => status === 'unknown' && timesTaken(to) > 0).length
  return counts
}

/** The figures of every rule, as lines. */
export function report({ checked, violations, counts }: Judgement): string[] {
  const of = (rule: Rule) => violations.filter(one => one.rule === rule)
  return [
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(' · '),
    ...(Object.keys(rules) as Rule[]).map(
      rule => `${of(rule).length} of ${checked[rule]} against ${rule}: ${rules[rule]}`
    ),
    ...violations.slice(0, 40).map(({ rule, text }) => `VIOLATION ${rule}: ${text}`)
  ]
}
