import type { ErrorCode } from '../../../schemas/problem.ts'
import type { Operation, UpstreamFailure, Verdict } from '../adapter.ts'
import { type Json, record, string } from './decode.ts'
import { invalidNumber, invalidParameters, isProblem, words } from './outcome.ts'

/** A row fits if any of its signs does. */
interface Row {
  source: string
  status?: readonly number[]
  /** Looked for in everything that WATI says. */
  says?: RegExp
  shows?: (body: Json) => boolean
  /** Only of these acts; elsewhere the same words mean another thing. */
  only?: readonly Operation[]
  code: ErrorCode
  detail: string
  /** WATI did not take it and may take it later; the channel waits meanwhile. */
  later?: true
  /** Only where the answer says how long to wait. */
  waits?: true
  aboutTemplate?: true
}

const limited = {
  code: 'rate_limited',
  detail: 'WATI’s rate limit for this account is reached.',
  later: true,
  status: [429]
} as const

/** The first row that fits. Each is a definite refusal: nothing reached the recipient. */
const rows: readonly Row[] = [
  // A time to come back at says more than any words: what has no end is not given one.
  { ...limited, source: 'RFC 9110 10.2.3; docs/reliability.md 4, row 429', waits: true },
  {
    source: 'the words: inference; no list of them is published',
    says: /\bcontact (was )?not found|no such contact|contact does not exist/i,
    only: ['updateContactAttributes', 'listConversation'],
    code: 'not_found',
    detail: 'WATI has no contact of this number.'
  },
  {
    source: 'docs/upstream.md 3.5: AUTH; 3.1: an expired token gives 401 on every call',
    status: [401, 403],
    code: 'channel_rejected',
    detail: 'WATI refuses the credentials of this channel: its Maton connection has to be renewed.'
  },
  {
    source: 'docs/upstream.md 3.4.5, 3.5 known texts',
    says: /ticket has been expired/i,
    code: 'window_closed',
    detail: 'The recipient has not written within the last 24 hours: WATI takes only a template now.'
  },
  {
    source: 'docs/upstream.md 3.5 known texts; 3.4.8: pending and rejected as a 400',
    says: /template (is )?not (yet )?approved|template\b.{0,80}\b(pending|rejected|not found|does not exist)/i,
    code: 'template_not_found',
    aboutTemplate: true,
    detail: 'WATI has no approved template of this name.'
  },
  {
    source: 'docs/upstream.md 3.4.8, 3.5 known texts; 3.4.9: errors.invalidCustomParameters',
    says: /typos or blank text/i,
    shows: invalidParameters,
    code: 'template_invalid',
    aboutTemplate: true,
    detail: 'WATI finds a variable of the template missing, blank or misnamed.'
  },
  {
    source:
      'docs/upstream.md 3.4.8: marketing daily limit, trial quota, workspace offline; docs/reliability.md 4, row 429',
    says: /\b(quota|trial|plan|daily (\w+ ){0,3}limit|marketing (\w+ ){0,3}limit)\b|workspace\b.{0,20}\boffline/i,
    code: 'message_rejected',
    detail: 'A limit of the WATI account or its plan is reached: waiting a moment will not help.'
  },
  { ...limited, source: 'docs/upstream.md 3.5: RATE_LIMITED, 3.8' },
  {
    source:
      'docs/upstream.md 3.5 known flags, 3.4.9: errors.invalidWhatsappNumbers; the words: inference from the flags',
    says: /not (registered )?on whats ?app|not a (valid )?whats ?app (number|user|account)|invalid whats ?app ?number/i,
    shows: invalidNumber,
    code: 'recipient_invalid',
    detail: 'WATI says that the recipient is not on WhatsApp.'
  }
]
const otherwise: Row = {
  source: 'docs/upstream.md 3.5: REJECTED',
  code: 'message_rejected',
  detail: 'WATI refused the request.'
}

const fits = (row: Row, said: string, { status = 0, headers, body }: UpstreamFailure, operation?: Operation): boolean =>
  (row.only === undefined || (operation !== undefined && row.only.includes(operation))) &&
  (row.waits === undefined || header(headers, 'retry-after') !== '') &&
  (row.status?.includes(status) || row.says?.test(said) || row.shows?.(record(body)) || false)

/** docs/upstream.md 2.4, the error form of 3.8, and the problem details of WATI's framework: others may be Maton's own. */
const marks = ['result', 'ok', 'info', 'validWhatsAppNumber', 'receivers']
const isWatis = (body: Json): boolean =>
  isProblem(body) ||
  marks.some(mark => Object.hasOwn(body, mark)) ||
  (typeof body.code === 'number' && string(body.message) !== undefined && body.timestamp !== undefined)

/** A 4xx is a refusal, except those that tell nothing of this attempt (docs/reliability.md 4: 408, 425). */
const refusesBy = (status = 0): boolean => status >= 400 && status < 500 && status !== 408 && status !== 425

type Headers = UpstreamFailure['headers']
const header = (headers: Headers, name: string): string => string([headers?.[name]].flat()[0])?.trim() ?? ''

/** The windows of docs/upstream.md 3.8 are 10 s long. A message waits a day at most, unless its caller says otherwise. */
const windowSeconds = 10
const longestWaitSeconds = 24 * 60 * 60

/** In seconds, or as a date that is measured from the answer's own: there is no clock here. Often absent (3.8). */
function retryAfter(headers: Headers): number {
  const value = header(headers, 'retry-after')
  const stated = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.parse(header(headers, 'date'))) / 1000
  return stated > 0 ? Math.min(Math.ceil(stated), longestWaitSeconds) : windowSeconds
}

/** Numbers in a reason are people's: the last four digits stay, however the rest is spaced. */
const mask = (said: string): string =>
  said
    .replace(/\d(?:[ ().-]?\d){6,}/g, run => `…${run.replace(/\D/g, '').slice(-4)}`)
    .slice(0, 500)
    .toWellFormed()

/** WATI's own words in ours; undefined where they are not WATI's, or settle nothing (5xx, no answer, unreadable). */
export function classify(failure: UpstreamFailure, operation?: Operation): Verdict | undefined {
  const { kind, status, headers } = failure
  const body = record(failure.body)
  if (kind !== 'refused' && !(kind === 'status' && refusesBy(status) && isWatis(body))) return undefined
  const said = words(body)
  const row = rows.find(candidate => fits(candidate, said.join('\n'), failure, operation)) ?? otherwise
  const reason = said[0] === undefined ? undefined : mask(said[0])
  return {
    code: row.code,
    outcome: 'not_sent',
    later: row.later ?? false,
    ...(row.aboutTemplate && { aboutTemplate: true }),
    ...(row.later && { throttles: 'channel', retryAfterSeconds: retryAfter(headers) }),
    detail: row === otherwise && reason !== undefined ? `${row.detail} It says: ${reason}` : row.detail,
    provider: {
      name: 'wati',
      status: status ?? null,
      ...(typeof body.code === 'number' && { code: String(body.code) }),
      ...(reason !== undefined && { message: reason })
    }
  }
}
