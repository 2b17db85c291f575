import type { ProviderError } from '../../../schemas/problem.ts'
import type { FailureFacts, Operation, UpstreamFailure, Verdict } from '../adapter.ts'
import { effects } from '../adapter.ts'
import { findRow, namesAnObject, noSuchObject, type Row, unlisted } from '../meta-codes.ts'
import { record, string } from './decode.ts'

// Meta asks to decide on `error.code`, not on the HTTP status or the titles (docs/upstream.md 4.10).

const integer = (value: unknown): number | undefined => (Number.isSafeInteger(value) ? (value as number) : undefined)

/**
 * Undefined unless Graph itself speaks. A code that is not in the table counts only beside one of Graph's own marks:
 * `{"error":{"code":429}}` of a gateway in between must not become a refusal by Meta (2.4).
 */
export function classify(failure: UpstreamFailure, operation?: Operation): Verdict | undefined {
  if (failure.kind !== 'status' && failure.kind !== 'refused') return undefined
  const error = record(record(failure.body).error)
  const code = integer(error.code)
  if (code === undefined) return undefined
  const listed = findRow(code, integer(error.error_subcode), saidIn(error).join('\n'))
  if (!listed && string(error.type) === undefined && string(error.fbtrace_id) === undefined) return undefined
  const row = listed ?? unlisted(failure.status, code)
  const provider = providerError(failure, error)
  if (!proves(failure, row)) return { ...(operation && effects[operation] === 'read' ? unread : unknown), provider }
  return verdict(failure, isAboutTheObject(operation, row, provider) ? noSuchObject : row, provider)
}

/** What it says in words, the particular first. `error_data` may be a bare string, which is nothing for a reader. */
const saidIn = (error: Record<string, unknown>): string[] =>
  [string(record(error.error_data).details), string(error.message)].filter(said => said !== undefined)

/** Whether it speaks of the file or message that the caller named. A message's id: docs/upstream.md 5 row 31, unconfirmed. */
function isAboutTheObject(operation: Operation | undefined, row: Row, { message = '' }: ProviderError): boolean {
  if (operation === 'deleteMedia' || operation === 'locateMedia') return namesAnObject(row)
  return operation === 'markMessageRead' && (namesAnObject(row) || /message id/i.test(message))
}

const detail = 'WhatsApp failed in a way that does not say what became of the request.'
const unknown: Omit<Verdict, 'provider'> = { code: 'outcome_unknown', outcome: 'unknown', later: false, detail }
/** A read has no outcome to be unsure of. */
const unread: Omit<Verdict, 'provider'> = { code: 'provider_unavailable', outcome: 'not_sent', later: true, detail }

/** A complete refusal: said inside a 2xx, or by a 4xx other than the one that tells of a lost request. */
const isRefusal = ({ kind, status = 0 }: UpstreamFailure): boolean =>
  kind === 'refused' || (status >= 400 && status < 500 && status !== 408)
/** Whether it is certain that nothing was taken (docs/reliability.md 4). */
const proves = (failure: UpstreamFailure, row: Row): boolean =>
  !row.unclear && (isRefusal(failure) || (row.holdsOn5xx === true && (failure.status ?? 0) >= 500))

function verdict(failure: UpstreamFailure, row: Row, provider: ProviderError): Verdict {
  const retryAfterSeconds = row.later && retryAfter(failure.headers)
  return {
    code: row.code,
    outcome: 'not_sent',
    later: row.later ?? false,
    ...(row.throttles && { throttles: row.throttles }),
    ...(retryAfterSeconds && { retryAfterSeconds }),
    ...(row.aboutTemplate && { aboutTemplate: true }),
    detail: row.says,
    provider
  }
}

/**
 * What Graph said, without secrets and without numbers in full.
 * @param error Graph's error object: of an answer, or of a webhook's `errors[]`
 */
export function providerError(
  failure: Pick<FailureFacts, 'status' | 'headers'>,
  error: Record<string, unknown>
): ProviderError {
  const [message] = saidIn(error)
  const subcode = integer(error.error_subcode)
  const traceId = string(error.fbtrace_id) ?? header(failure.headers, 'x-fb-trace-id')
  return {
    name: 'whatsapp-cloud',
    status: failure.status ?? null,
    code: String(error.code),
    ...(subcode !== undefined && { subcode: String(subcode) }),
    ...(message !== undefined && { message: masked(message) }),
    ...(traceId !== undefined && { traceId: traceId.slice(0, 128) })
  }
}

/** Phone numbers keep their last four digits. Meta repeats a broken token in full: "Malformed access token EAAG…". */
const masked = (text: string): string =>
  text
    .replace(/\bEAA\w{8,}/g, 'EAA…')
    .replace(/(access_token=)[^\s&"']+/gi, '$1…')
    .replace(/\d{7,}/g, digits => `…${digits.slice(-4)}`)
    .slice(0, 1000)
    .toWellFormed()

type Headers = FailureFacts['headers']
const header = (headers: Headers, name: string): string | undefined => string([headers?.[name]].flat()[0])

/** A wild header must not park a channel. */
const longestWaitSeconds = 60 * 60

function retryAfter(headers: Headers): number | undefined {
  const seconds = Math.max(stated(headers), usageEnds(headers))
  return seconds > 0 ? Math.min(Math.ceil(seconds), longestWaitSeconds) : undefined
}

/** Retry-After in seconds or as a date (4.11), which is measured from the answer's own: there is no clock here. */
function stated(headers: Headers): number {
  const value = header(headers, 'retry-after') ?? ''
  if (/^\d+$/.test(value)) return Number(value)
  return (Date.parse(value) - Date.parse(header(headers, 'date') ?? '')) / 1000 || 0
}

/** X-Business-Use-Case-Usage: lists of limits by business id, each with the minutes until access is regained (4.11). */
function usageEnds(headers: Headers): number {
  const limits = Object.values(record(parsed(header(headers, 'x-business-use-case-usage') ?? ''))).flat()
  const minutes = limits.map(limit => integer(record(limit).estimated_time_to_regain_access) ?? 0)
  return minutes.reduce((longest, each) => Math.max(longest, each), 0) * 60
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined // a header that is absent or not JSON tells of no limit
  }
}
