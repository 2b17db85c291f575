import { placeOf } from '../../src/events/index.ts'
import { grouped, type Hold, mayFollow, pathOf } from './check.ts'
import type { Heard, History } from './history.ts'
import type { HeardRow } from './rows.ts'
import { ranks, type Told } from './told.ts'

// What the providers told and had acknowledged, against what became of it: the rows, and the journal of events.

interface Line {
  status: string
  attempt: number
}
const linesOf = ({ timeline }: HeardRow): Line[] =>
  timeline
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Line)

/** States that come by webhook alone. */
const byWord = ['sent', 'delivered', 'read']
/** States without an event of their own. */
const quiet = ['queued', 'claimed', 'sending']

/** Every acknowledged event had its effect, once; nothing else had one. */
export function checkHeard({ acts, arrivals }: History, { told, rows }: Heard, hold: Hold): void {
  const outbound = rows.messages.filter(({ direction }) => direction === 'outbound')
  const inbound = rows.messages.filter(({ direction }) => direction === 'inbound')
  const rowsTo = grouped(outbound, ({ contact }) => contact ?? '')
  const actTo = new Map(acts.map(act => [act.to, act]))
  const timesTaken = grouped(
    arrivals.filter(({ processed }) => processed),
    ({ to }) => to
  )
  const wrote = new Set(told.flatMap(({ kind, wamid }) => (kind === 'wrote' ? [wamid] : [])))
  const statuses = grouped(
    told.filter(({ kind }) => kind !== 'wrote'),
    ({ to }) => to
  )
  for (const [to, all] of statuses) {
    const most = greatest(all)
    const plain = timesTaken.get(to)?.length === 1 && !(actTo.get(to)?.fallback && most === 'failed')
    const states = (rowsTo.get(to) ?? []).map(({ state }) => state)
    // Where nothing names the send and its own answer was lost, nobody can know.
    const bare = !all.some(({ planted }) => planted)
    if (bare && states.includes('unknown')) continue
    // That the first attempt failed says nothing of one more, whose answer was lost as well.
    const again = actTo.get(to)?.twice && most === 'failed' && states.includes('unknown')
    if ((plain && !again) || (actTo.get(to)?.fallback && most === 'read'))
      hold('unheard', states.includes(most), () => `${to} was told ${most}, and is ${states.join(', ')}`)
  }
  const written = grouped(inbound, row => row.provider_message_id ?? '')
  for (const wamid of wrote) hold('unheard', written.has(wamid), () => `${wamid} was written, and is not there`)
  for (const [wamid, all] of written) {
    hold('echo', all.length === 1, () => `${wamid} was written once, and is there ${all.length} times`)
    hold('stranger', wrote.has(wamid), () => `${wamid} is there, and nobody wrote it`)
  }
  for (const row of outbound) {
    const { id, contact, state } = row
    const heard = statuses.get(contact ?? '')?.map(({ kind }) => kind as string) ?? []
    if (byWord.includes(state)) hold('falseYes', heard.includes(state), () => `${id} is ${state}, and was not told so`)
    const lines = linesOf(row)
      .filter(({ status }) => byWord.includes(status))
      .map(({ status, attempt }) => `${status} of attempt ${attempt}`)
    hold('echo', new Set(lines).size === lines.length, () => `${id} has twice in its timeline: ${lines.join(', ')}`)
  }
  hold('blind', rows.unread === 0, () => `${rows.unread} webhooks were not read to their end`)
  hold('blind', wrote.size > 0 && statuses.size > 0, () => 'nothing was told')
}

const greatest = (all: readonly Told[]): string =>
  all.map(({ kind }) => kind as string).sort((a, b) => ranks.indexOf(b) - ranks.indexOf(a))[0]!

/** One event for each state that a message came to, in their order; none for what did not happen (docs/reliability.md P53). */
export function checkEvents({ acts, sights }: History, { told, rows }: Heard, hold: Hold): void {
  const eventsOf = grouped(rows.events, ({ message_id }) => message_id)
  const path = pathOf(acts, told)
  const seen = grouped(sights, ({ id }) => id)
  for (const row of rows.messages) {
    const { id, state } = row
    const states = (eventsOf.get(id) ?? []).map(({ type }) => type.replace('message.', ''))
    const all = () => `${id} is ${state}, and its events are ${states.join(', ') || 'none'}`
    if (!quiet.includes(state)) hold('eventless', states.at(-1) === state, all)
    for (const { status } of seen.get(id) ?? [])
      if (!quiet.includes(status))
        hold('eventless', states.includes(status), () => `${all()}; it was shown as ${status}`)
    const lines = linesOf(row)
    const timesIn = (status: string): number =>
      status === 'received' ? 1 : new Set(lines.flatMap(line => (line.status === status ? [line.attempt] : []))).size
    for (const each of new Set(states)) {
      const told = states.filter(state => state === each).length
      hold('ghost', told <= timesIn(each), () => `${all()}; it was ${each} ${timesIn(each)} times`)
    }
    for (const [i, each] of states.entries()) {
      if (i === 0) continue
      const before = states[i - 1]!
      hold('backwards', mayFollow(before, each, path(row.contact ?? '')), all)
    }
  }
  const known = new Set(rows.messages.map(({ id }) => id))
  for (const { message_id, type } of rows.events)
    hold('ghost', known.has(message_id), () => `${type} of ${message_id}, which is not there`)
}

/** What a subscriber got is the journal: nothing is missing, and nothing came under two ids (docs/reliability.md P40). */
export function checkPosted({ rows, posted }: Heard, hold: Hold): void {
  const idsOf = new Map<number, Set<string>>()
  const events = new Map(rows.events.map(event => [event.position, event]))
  for (const { id, type, message } of posted) {
    const position = placeOf(id) ?? 0
    idsOf.set(position, (idsOf.get(position) ?? new Set()).add(id))
    const event = events.get(position)
    hold('ghost', event?.type === type && event.message_id === message, () => `${id} was posted: ${type} of ${message}`)
  }
  for (const { position, type, message_id } of rows.events) {
    const ids = [...(idsOf.get(position) ?? [])]
    hold('untold', ids.length === 1, () => `${type} of ${message_id} was posted as ${ids.join(', ') || 'nothing'}`)
  }
}
