import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'

// `npm run top`: the first two questions of the operator's page in a terminal, live. A client of the API and of nothing else;
// the key comes from SWITCHBOARD_KEY, since what stands on a command line is seen by everybody on the machine.

const usage = `npm run top -- [options]

  --every SECONDS      between two looks (default 2)
  --once               one look, as plain text; so it is too where the output is no terminal
  --url ADDRESS        default: SWITCHBOARD_URL, else http://127.0.0.1:3000

The key stands in SWITCHBOARD_KEY: one with admin, or with read_all and channels:read.`

/** What GET /overview answers, as far as it is shown. */
interface Overview {
  at: string
  mode: string
  server: { mode: string; degraded: string | null }
  held: boolean
  account: { ratePerSecond: number | null; used: number | null; throttledUntil: string | null }
  channels: {
    id: string
    provider: string
    paused: boolean
    accepted: { lastMinute: number; thisMinute: number; lastHour: number; perMinute: number[] }
    failed: { lastHour: number; codes: { code: string; by: string; count: number }[] }
    calls: { recent: number; unanswered: number }
    breaker: { state: string }
    throttledUntil: string | null
    waiting: number
    unknown: { open: number }
    webhooks: { lastHeardAt: string | null; silentSince: string | null }
  }[]
}
interface Backlog {
  waiting: number
  items: {
    service: string
    lane: string
    channel: string
    broadcastId: string | null
    waiting: number
    oldestAt: string
    stoppedBy: string[]
    expectedEndAt: string | null
  }[]
}

/** What is to be told in one sentence, without a stack. */
class Refused extends Error {}

async function ask<T>(url: string, key: string, path: string): Promise<T> {
  let answer: Response
  try {
    answer = await fetch(url + path, { headers: { authorization: `Bearer ${key}` } })
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } }
    throw new Refused(`${url} cannot be reached (${cause?.code ?? (error as Error).message}).`)
  }
  if (answer.ok) return (await answer.json()) as T
  const said = (await answer.json().catch(() => ({}))) as { detail?: string }
  throw new Refused(`${answer.status}: ${said.detail ?? 'no reason that can be read'}`)
}

const bars = '▁▂▃▄▅▆▇█'
/** The last hour in twenty signs. */
function spark(figures: number[]): string {
  const threes = Array.from({ length: 20 }, (_, i) =>
    figures.slice(i * 3, i * 3 + 3).reduce((sum, each) => sum + each, 0)
  )
  const most = Math.max(1, ...threes)
  return threes.map(each => bars[Math.round((each / most) * (bars.length - 1))]).join('')
}

const span = (seconds: number): string =>
  seconds < 120
    ? `${Math.max(0, Math.round(seconds))} s`
    : seconds < 7200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3600)} h`

/** No sign of somebody else's may move the cursor or colour the terminal. */
const plain = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')

/** Rows in columns as wide as their longest. */
function table(rows: string[][]): string[] {
  const shown = rows.map(row => row.map(plain))
  const widths = shown[0]!.map((_, i) => Math.max(...shown.map(row => row[i]!.length)))
  return shown.map(row =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd()
  )
}

function stateOf({ paused, breaker, throttledUntil, webhooks }: Overview['channels'][number]): string {
  const words = [
    ...(paused ? ['paused'] : []),
    ...(breaker.state === 'open' ? ['BREAKER OPEN'] : []),
    ...(throttledUntil !== null ? ['throttled'] : []),
    ...(webhooks.silentSince !== null ? ['WEBHOOKS SILENT'] : [])
  ]
  return words.join(', ') || 'ok'
}

/** Both answers as lines of text. */
function linesOf(overview: Overview, backlog: Backlog): string[] {
  const now = Date.parse(overview.at)
  const { account, server } = overview
  const since = (iso: string): string => span((now - Date.parse(iso)) / 1000)
  const pace =
    account.ratePerSecond === null
      ? 'not paced'
      : `${Math.round((account.used ?? 0) * 100)} % of ${account.ratePerSecond} calls a second in use`
  const notes = [
    ...(overview.held ? ['HELD AFTER A RESTORE'] : []),
    ...(server.degraded === null ? [] : [`degraded: ${server.degraded}`]),
    ...(account.throttledUntil === null ? [] : ['MATON ASKED THE ACCOUNT TO WAIT'])
  ]
  const channels = overview.channels.map(each => [
    each.id,
    stateOf(each),
    `${each.accepted.lastMinute} (${each.accepted.thisMinute})`,
    `${spark(each.accepted.perMinute)} ${each.accepted.lastHour}`,
    each.failed.codes
      .slice(0, 3)
      .map(({ code, by, count }) => `${count} ${code} by ${by}`)
      .join(', ') || '0',
    `${each.calls.unanswered}/${each.calls.recent}`,
    String(each.unknown.open),
    String(each.waiting),
    each.webhooks.lastHeardAt === null ? 'never' : `${since(each.webhooks.lastHeardAt)} ago`
  ])
  const lines = backlog.items
    .slice(0, 30)
    .map(each => [
      each.service,
      each.lane,
      each.channel,
      each.broadcastId ?? '-',
      String(each.waiting),
      since(each.oldestAt),
      each.stoppedBy.length > 0
        ? `stopped: ${each.stoppedBy.join(', ')}`
        : each.expectedEndAt === null
          ? 'nobody knows'
          : `in ${span((Date.parse(each.expectedEndAt) - now) / 1000)}`
    ])
  return [
    plain(`Switchboard  ${overview.at.slice(0, 19)}Z  ${overview.mode} traffic  ${server.mode}  account: ${pace}`),
    ...notes.map(plain),
    '',
    ...table([
      ['CHANNEL', 'STATE', 'A MINUTE (NOW)', 'LAST HOUR', 'FAILED', 'UNANSWERED', 'UNKNOWN', 'WAITING', 'WEBHOOK'],
      ...channels
    ]),
    '',
    `${backlog.waiting} waiting`,
    ...(lines.length > 0
      ? table([['SERVICE', 'LANE', 'CHANNEL', 'BROADCAST', 'WAITING', 'OLDEST', 'END'], ...lines])
      : [])
  ]
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      every: { type: 'string', default: '2' },
      once: { type: 'boolean', default: false },
      url: { type: 'string' },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return void process.stdout.write(`${usage}\n`)
  const key = process.env.SWITCHBOARD_KEY
  if (!key) throw new Refused(`SWITCHBOARD_KEY is not set.\n\n${usage}`)
  const url = (values.url ?? process.env.SWITCHBOARD_URL ?? 'http://127.0.0.1:3000').replace(/\/$/, '')
  const seconds = Number(values.every)
  if (!(seconds >= 0.5 && seconds <= 3600)) throw new Refused('--every takes 0.5 to 3600 seconds.')
  const live = process.stdout.isTTY === true && !values.once
  for (;;) {
    let lines: string[]
    try {
      const [overview, backlog] = await Promise.all([
        ask<Overview>(url, key, '/overview'),
        ask<Backlog>(url, key, '/backlog')
      ])
      lines = linesOf(overview, backlog)
    } catch (error) {
      // A restart is waited for; a refusal is not.
      if (!live || !(error instanceof Refused) || /^4\d\d/.test(error.message)) throw error
      lines = [plain(error.message), 'It is tried again.']
    }
    if (!live) return void process.stdout.write(`${lines.join('\n')}\n`)
    // Over what stood there, and only as much as fits.
    const fitting = lines.slice(0, process.stdout.rows - 1).map(line => line.slice(0, process.stdout.columns))
    process.stdout.write(`\x1b[H\x1b[2J${fitting.join('\n')}\n`)
    await wait(seconds * 1000)
  }
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : 'it failed'}\n`)
  process.exitCode = 1
}
