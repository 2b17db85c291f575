import { type TSchema, Type } from '@sinclair/typebox'
import { ref } from '../schemas/kit.ts'
import { Problem } from '../schemas/problem.ts'

const problem = { 'application/problem+json': { schema: ref(Problem) } }
const reasons: Record<number, string> = {
  400: 'The request is not valid; errors[] names every fault.',
  401: 'No valid key.',
  403: 'The key may not do this; detail names what is missing.',
  404: 'There is no such thing, for this key.',
  409: 'The state forbids it: window_closed, recipient_suppressed, conflict or idempotency_in_progress.',
  413: 'The body is too large.',
  415: 'The content type is not taken here.',
  422: 'It cannot be done as asked; code says why. Nothing was sent.',
  429: 'Too many requests; see Retry-After.',
  500: 'A defect of ours.',
  502: 'The provider refused our side, or its answer cannot be read.',
  503: 'Not now; see Retry-After. Nothing was sent.',
  504: 'A write left and no answer settled it.'
}

/** The problems a route can answer with, for its `response`. */
export const problems = (...statuses: number[]): Record<number, unknown> =>
  Object.fromEntries(
    [...new Set([...statuses, 500])].sort().map(status => [status, { description: reasons[status], content: problem }])
  )

/** A successful answer with its JSON body. */
export const json = (schema: TSchema, description: string, headers?: Record<string, TSchema>): unknown => ({
  description,
  ...(headers && { headers }),
  content: { 'application/json': { schema: schema.$id ? ref(schema) : schema } }
})

/** The headers of an answer to a POST that made something. */
export const made = {
  Location: Type.String({ description: 'Where the object lies.' }),
  'Idempotency-Replayed': Type.Optional(Type.String({ description: 'true: this is the first answer again.' }))
}
/** For the `headers` of a POST that makes something. */
export const idempotencyHeader = {
  'Idempotency-Key': Type.Optional(
    Type.String({
      description:
        'Recommended. The same key and body again are answered by the first result, byte for byte; nothing is done twice.'
    })
  )
}
export const noBody = (description: string): unknown => ({ description, type: 'null' })
/** What every route behind a key can answer. */
export const guarded = [400, 401, 403, 429, 503]
/** Whether a table is asked for rather than JSON: the one of the two that stands first. */
export const wantsTable = (accept = ''): boolean => /^[^,]*\btext\/csv\b/i.test(accept)
