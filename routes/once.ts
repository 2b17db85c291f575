import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  type Answer,
  type Claim,
  type Lasting,
  parseIdempotencyKey,
  requestHash,
  requireReplay
} from '../src/delivery/intake/idempotency.ts'

/** What was made, and where it lies. */
export interface Made<T> {
  object: T
  location: string
  status?: 200 | 201 | 202
}
interface More<T> {
  /** Throws where the caller may not have what was made, as far as its answer does not say it. */
  again?: (object: T) => Promise<unknown>
  /** Makes the answer of what is kept of it, where not all of it is to be kept as long. */
  whole?: (object: T) => Promise<unknown>
  /** Of an act that is never to be run again once it was done: what it made under this id, if it did. */
  lasting?: { prefix: Lasting['prefix']; find: (id: string) => Promise<Made<T> | undefined> }
}

/** The path in one spelling, as the router read it: an escaped letter is the letter. */
function pathOf({ routeOptions, params }: FastifyRequest): string {
  const given = params as Record<string, string>
  return routeOptions.url!.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(given[name] ?? ''))
}

/**
 * Answers a POST that makes something, once for an Idempotency-Key: the same key and body again get the first answer.
 * @param act makes the object and says where it lies; under a key it is given what it holds of that
 * @param body what the request is known by: its JSON, or the fields and the digest of an upload
 */
export async function answerOnce<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  act: (claim?: Claim) => Promise<Made<T>>,
  body: unknown = request.body,
  { again, whole, lasting }: More<T> = {}
): Promise<FastifyReply> {
  const answerFor = ({ object, location, status = 201 }: Made<T>): Answer => {
    const headers = { 'content-type': 'application/json; charset=utf-8', location }
    return { status, headers, body: JSON.stringify(object) }
  }
  const find = async (id: string): Promise<Answer | undefined> => {
    const made = await lasting!.find(id)
    return made && answerFor(made)
  }
  const run = async (claim?: Claim): Promise<Answer> => answerFor(await act(claim))
  const { once } = request.server.idempotency
  const key = parseIdempotencyKey(request.headers['idempotency-key'])
  const { service, mode } = request.caller
  const scope = { service, mode, method: request.method, path: pathOf(request) }
  const answer =
    key === undefined
      ? await run()
      : await once({ ...scope, key }, requestHash(body), run, lasting && { prefix: lasting.prefix, find })
  if (answer.replayed) {
    requireReplay(request.caller, answer)
    await again?.(JSON.parse(answer.body) as T)
  }
  return reply
    .code(answer.status)
    .headers(answer.headers)
    .headers(answer.replayed ? { 'idempotency-replayed': 'true' } : {})
    .send(whole ? JSON.stringify(await whole(JSON.parse(answer.body) as T)) : answer.body)
}
