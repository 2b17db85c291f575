import type { FastifyRequest } from 'fastify'
import { parseIdempotencyKey } from '../src/delivery/intake/idempotency.ts'
import type { SendOptions } from '../src/delivery/intake/submit.ts'

const defaultWaitSeconds = 10
/** Below 60 s, at which every proxy gives up by default. */
const longestWaitSeconds = 50

/** Prefer (RFC 7240): respond-async, or wait=N seconds. What cannot be read is no preference, as the RFC has it. */
function waitSeconds(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined
  const text = [header].flat().join(',')
  if (/(^|[,;\s])respond-async($|[,;\s])/i.test(text)) return 0
  const match = /(?:^|[,;\s])wait=("?)(\d{1,6})\1(?:$|[,;\s])/i.exec(text)
  return match ? Math.min(Number(match[2]), longestWaitSeconds) : undefined
}

/** How long a GET waits: not at all where nothing is said. */
export const waitMsOf = (request: FastifyRequest): number => (waitSeconds(request.headers.prefer) ?? 0) * 1000

/** What the headers of a POST say about how it is to be handled. */
export function sendOptions(request: FastifyRequest): SendOptions {
  const { headers } = request
  const key = parseIdempotencyKey(headers['idempotency-key'])
  return {
    waitMs: (waitSeconds(headers.prefer) ?? defaultWaitSeconds) * 1000,
    patient: waitSeconds(headers.prefer) !== undefined,
    requestId: request.id,
    ...(key !== undefined && { idempotencyKey: key }),
    ...(request.traceparent && { traceparent: request.traceparent })
  }
}

/** The answer to a preference that was heeded. */
export function preference(request: FastifyRequest, waitMs: number): Record<string, string> {
  if (waitSeconds(request.headers.prefer) === undefined) return {}
  return { 'preference-applied': waitMs === 0 ? 'respond-async' : `wait=${waitMs / 1000}` }
}
