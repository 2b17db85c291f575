import { type NativeAnswer, UpstreamFailure } from '../adapter.ts'
import { array, type Json, record, string } from './decode.ts'

// WATI answers 200 to much that it refuses, with a flag that differs per endpoint: docs/upstream.md 1 and 3.5.

/** What one item of an `errors` list says. */
const itemWords = (item: unknown): string | undefined =>
  string(item) ?? string(record(item).message) ?? string(record(item).error)
const joined = (items: unknown[]): string | undefined => string(items.flatMap(item => itemWords(item) ?? []).join('; '))

/** The problem details of RFC 9457, as WATI's framework writes them before WATI has looked: a title, and faults by field. */
export const isProblem = ({ title, errors, status, traceId, detail }: Json): boolean =>
  string(title) !== undefined &&
  (Object.keys(record(errors)).length > 0 || typeof status === 'number' || [traceId, detail].some(string))

/** `errors` of problem details: lists of sentences by field. Names without a sentence of their own are named. */
const fieldWords = (errors: Json): string | undefined =>
  joined(
    Object.entries(errors).flatMap(([field, said]) =>
      [said].flat().map(each => [field, itemWords(each) ?? 'is not valid'].filter(Boolean).join(': '))
    )
  )

/** Everything that WATI says in words, the reason of docs/upstream.md 3.5 first. */
export function words(body: Json): string[] {
  const receivers = array(body.receivers).flatMap(receiver => array(record(receiver).errors))
  return [
    string(body.info),
    string(record(body.errors).error),
    string(body.error),
    string(body.message),
    string(record(body.message).failedDetail),
    string(body.errors) ?? joined(array(body.errors)),
    ...(isProblem(body) ? [fieldWords(record(body.errors)), string(body.detail), string(body.title)] : []),
    joined(receivers)
  ].filter(said => said !== undefined)
}

const filled = (value: unknown): boolean => array(value).length > 0 || string(value) !== undefined
/** Whether there is anything in a string, a list, or the members of an object. */
const some = (value: unknown): boolean => filled(value) || Object.values(record(value)).some(filled)

/** The number itself: 3.4.8, 3.4.9 and 3.4.11, in the order of these members. */
export const invalidNumber = (body: Json): boolean =>
  body.validWhatsAppNumber === false ||
  some(record(body.errors).invalidWhatsappNumbers) ||
  array(body.receivers).some(receiver => record(receiver).isValidWhatsAppNumber === false)
export const invalidParameters = (body: Json): boolean => some(record(body.errors).invalidCustomParameters)
/** A failure of this one recipient beside `result: true`: PARTIAL of 3.5, which for a single send is a refusal. */
const recipientFault = (body: Json): boolean =>
  invalidNumber(body) ||
  invalidParameters(body) ||
  some(record(body.errors).error) ||
  array(body.receivers).some(receiver => some(record(receiver).errors))

/** `result` as text: 3.5 for the first; the others are an inference, so that such a word is never taken for an id. */
const refusingWords = new Set(['false', 'error', 'fail', 'failed', 'failure'])
const refuses = (flag: unknown): boolean =>
  flag === false || (typeof flag === 'string' && refusingWords.has(flag.trim().toLowerCase()))
/** `success` is named by docs/reliability.md 4 only; a string `result` is "success" or a file's id (3.4.6). */
const proves = (body: Json): boolean =>
  body.ok === true || body.success === true || body.result === true || string(body.result) !== undefined

/**
 * docs/upstream.md 3.5 for one recipient. Two departures, both towards `unknown`, because a wrong "refused" invites a second
 * send and a wrong "accepted" hides a failure: no flag and no reason at all, and a success that contradicts itself.
 */
function outcomeOf(body: Json): 'accepted' | 'refused' | 'unknown' {
  const said = words(body)
  if ([body.ok, body.result, body.success].some(refuses)) {
    // 3.4.9: the bulk form with all its members empty is not a hard failure
    const emptyBulk =
      Object.keys(record(body.errors)).length > 0 && !some(body.errors) && said.length === 0 && !recipientFault(body)
    return emptyBulk ? 'unknown' : 'refused'
  }
  if (!proves(body)) return said.length > 0 ? 'refused' : 'unknown'
  if (recipientFault(body)) return 'refused'
  if (some(body.error) || some(body.errors)) return 'unknown'
  // docs/reliability.md 4: the receiver is missing from the answer
  const receivers = body.receivers ?? undefined
  if (receivers !== undefined && !array(receivers).some(item => Object.keys(record(item)).length > 0)) return 'unknown'
  return 'accepted'
}

const failures = {
  refused: { kind: 'refused', message: 'WATI refused the request in a successful answer' },
  unknown: { kind: 'unreadable', message: 'WATI’s answer does not say whether it took the request' }
} as const

const fail = (outcome: keyof typeof failures, { status, headers, body }: NativeAnswer): UpstreamFailure =>
  new UpstreamFailure(failures[outcome].message, { kind: failures[outcome].kind, started: true, status, headers, body })

/** The body of an accepted write; throws UpstreamFailure `refused` or `unreadable` for any other. */
export function accepted(answer: NativeAnswer): Json {
  const outcome = outcomeOf(record(answer.body))
  if (outcome !== 'accepted') throw fail(outcome, answer)
  return record(answer.body)
}

/**
 * The receivers in the answer to a write to many, where the fault of one says nothing of the others. `proven`: the others
 * were taken. Throws as `accepted` does where all of it was refused, or nothing is said of any.
 */
export function receiversOf(answer: NativeAnswer): { receivers: Json[]; proven: boolean } {
  const { receivers, ...body } = record(answer.body)
  const outcome = outcomeOf(body)
  const told = array(receivers).filter(item => Object.keys(record(item)).length > 0)
  // A failure without any reason of its own beside receivers that have theirs: nobody can say what it means for the rest.
  const proven = outcome === 'accepted'
  if (!proven && !(outcome === 'refused' && words(body).length === 0 && told.length > 0))
    throw fail(outcome, { ...answer, body })
  if (told.length === 0) throw fail('unknown', answer)
  return { receivers: told.map(record), proven }
}

/** The body of a read that holds the list `name`, which is proof enough unless WATI says that it failed. */
export function holding(name: string, answer: NativeAnswer): Json {
  const body = record(answer.body)
  if ([body.ok, body.result, body.success].some(refuses)) throw fail('refused', answer)
  if (!Array.isArray(body[name])) throw fail('unknown', answer)
  return body
}
