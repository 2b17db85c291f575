import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Answer, parseIdempotencyKey, requestHash, requireReplay } from '../src/delivery/intake/idempotency.ts'

/** The path in one spelling, as the router read it: an escaped letter is the letter. */
function pathOf({ routeOptions, params }: FastifyRequest): string {
  const given = params as Record<string, string>
  return routeOptions.url!.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(given[name] ?? ''))
}

/**
 * Answers a POST that makes something, once for an Idempotency-Key: the same key and body again get the first answer.
 * @param act makes the object and says where it lies
 * @param body what the request is known by: its JSON, or the fields and the digest of an upload
 * @param again throws where the caller may not have what was made, as far as its answer does not say it
 * @param whole makes the answer of what is kept of it, where not all of it is to be kept as long
 */
export async function answerOnce<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  act: () => Promise<{ object: T; location: string; status?: 200 | 201 | 202 }>,
  body: unknown = request.body,
  again?: (object: T) => Promise<unknown>,
  whole?: (object: T) => Promise<unknown>
): Promise<FastifyReply> {
  const run = async (): Promise<Answer> => {
    const { object, location, status = 201 } = await act()
    const headers = { 'content-type': 'application/json; charset=utf-8', location }
    return { status, headers, body: JSON.stringify(object) }
  }
  const key = parseIdempotencyKey(request.headers['idempotency-key'])
  const { service, mode } = request.caller
  const scope = { service, mode, method: request.method, path: pathOf(request) }
  const answer =
    key === undefined ? await run() : await request.server.idempotency.once({ ...scope, key }, requestHash(body), run)
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
