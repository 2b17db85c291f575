import type { IncomingHttpHeaders } from 'node:http'
import type { Call } from './call.ts'
import { malformed } from './maton/operations.ts'
import { standIns } from './stand-ins.ts'

/** What the facade must keep to itself: Maton forwards every header but Host and Authorization (docs/upstream.md 2.2). */
const PRIVATE = new Set([
  'cookie',
  'x-request-id',
  'traceparent',
  'tracestate',
  'idempotency-key',
  'forwarded',
  'x-real-ip',
  'prefer',
  'proxy-authorization'
])

/** The private headers that a request carries. */
export function leakedHeaders(headers: IncomingHttpHeaders): string[] {
  const leaked = []
  for (const name in headers) {
    if (PRIVATE.has(name) || name.startsWith('x-forwarded-')) leaked.push(`the header ${name} was sent on`)
  }
  return leaked
}

/** Whether a bearer passes: the one that was set, or any that is not empty. */
export function isAuthorized(header: string | undefined, apiKey: string | undefined): boolean {
  const token = /^Bearer +(\S.*)$/i.exec(header ?? '')?.[1]
  return token !== undefined && (apiKey === undefined || token === apiKey)
}

/** A limit of so many calls in any sliding second; 0 is no limit. Refused calls do not count. */
export function createRateLimit(perSecond: number, now: () => number = () => performance.now()): () => boolean {
  if (perSecond <= 0) return () => true
  const times = new Float64Array(perSecond).fill(Number.NEGATIVE_INFINITY)
  let at = 0
  return () => {
    const instant = now()
    if (instant - (times[at] ?? 0) < 1000) return false
    times[at] = instant
    at = (at + 1) % perSecond
    return true
  }
}

/** What each kind of operation takes as a body, none where it is not listed. */
const BODIES: Record<Call['operation']['body'], readonly Call['body']['kind'][]> = {
  none: ['none'],
  json: ['json'],
  'json or none': ['json', 'none'],
  multipart: ['multipart'],
  // whatever else sendSessionMessage gets, it words the refusal itself
  'text form': ['none', 'form', 'multipart', 'json']
}

/** Checks the version, the query's names, and that the body is of the kind that the operation reads. */
export function checkForm(call: Call, duplicates: readonly string[]): void {
  const { operation, body, query } = call
  const standIn = standIns.get(operation.provider)
  const refuse = standIn?.malformed ?? malformed
  standIn?.check?.(call)
  for (const name in query) {
    if (!operation.query.includes(name)) throw refuse(`the query parameter ${name} is not known`)
  }
  if (duplicates.length > 0) throw refuse(`the query parameter ${duplicates[0]} is given twice`)
  if (body.kind === 'broken') throw refuse(body.why)
  if (!BODIES[operation.body].includes(body.kind)) {
    const got = body.kind === 'other' ? body.contentType : body.kind
    throw refuse(`the body is ${got}, and ${operation.body} is wanted`)
  }
}
