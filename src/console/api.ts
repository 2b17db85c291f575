import type { Key } from '../../schemas/keys.ts'
import type { Problem } from '../../schemas/problem.ts'
import type { App } from '../http/fastify.ts'

/** One request of the API, as the page made it or would make it. */
export interface Call {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** With its query. */
  path: string
  body?: unknown
  /** A form with a file, in place of a body: the fields, the name of the file last. */
  form?: Record<string, string>
}

/** The API's refusal. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly problem: Problem
  readonly retryAfter: string | undefined
  constructor(problem: Problem, retryAfter?: string) {
    super(problem.detail)
    this.problem = problem
    this.retryAfter = retryAfter
  }
}

/** What came of a look that may fail without the whole page failing. */
export type Look<T> = { value: T; problem?: undefined } | { value?: undefined; problem: Problem }

/**
 * The API, asked with the operator's own key: the page can do nothing else, and so nothing that the API cannot.
 */
export interface Api {
  /** Throws Refused. */
  get: <T>(path: string, query?: Record<string, unknown>) => Promise<T>
  look: <T>(path: string, query?: Record<string, unknown>) => Promise<Look<T>>
  /** Makes a request that changes something; `once` is its Idempotency-Key. Throws Refused. */
  act: <T>(call: Call, once?: string, file?: Upload) => Promise<T>
  /** What was asked for so far, for the page to show. */
  readonly calls: Call[]
}

export interface Upload {
  name: string
  bytes: Buffer
}

export interface Asker {
  secret: string
  address: string
  requestId: string
}

const boundary = 'switchboard-console-7d1f0c4b'
function multipart(form: Record<string, string>, file: Upload): Buffer {
  const head = (text: string) => `--${boundary}\r\nContent-Disposition: form-data; ${text}`
  const fields = Object.entries(form).map(([name, value]) => `${head(`name="${name}"`)}\r\n\r\n${value}\r\n`)
  const name = file.name.replace(/[^\w.-]/g, '_').slice(-100)
  const last = `${head(`name="file"; filename="${name}"`)}\r\nContent-Type: text/csv\r\n\r\n`
  return Buffer.concat([Buffer.from(fields.join('') + last), file.bytes, Buffer.from(`\r\n--${boundary}--\r\n`)])
}

/** A path with its query; what is empty is left out, as an empty field of a form is no filter. */
export function withQuery(path: string, query: Record<string, unknown> = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === null || value === '' ? [] : [[name, String(value)] as [string, string]]
  )
  return pairs.length === 0 ? path : `${path}?${new URLSearchParams(pairs)}`
}

export function createApi(app: App, { secret, address, requestId }: Asker): Api {
  const calls: Call[] = []
  const ask = async <T>({ method, path, body, form }: Call, once?: string, file?: Upload): Promise<T> => {
    const answer = await app.inject({
      method,
      url: path,
      remoteAddress: address,
      headers: {
        authorization: `Bearer ${secret}`,
        'x-request-id': requestId,
        ...(once !== undefined && { 'idempotency-key': once }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(file && { 'content-type': `multipart/form-data; boundary=${boundary}` })
      },
      ...(body !== undefined && { payload: JSON.stringify(body) }),
      ...(file && { payload: multipart(form ?? {}, file) })
    })
    if (answer.statusCode >= 400) throw new Refused(answer.json(), answer.headers['retry-after'] as string | undefined)
    return (answer.body === '' ? undefined : answer.json()) as T
  }
  const get = async <T>(path: string, query?: Record<string, unknown>): Promise<T> => {
    const call: Call = { method: 'GET', path: withQuery(path, query) }
    calls.push(call)
    return ask<T>(call)
  }
  return {
    get,
    look: async <T>(path: string, query?: Record<string, unknown>): Promise<Look<T>> => {
      try {
        return { value: await get<T>(path, query) }
      } catch (error) {
        if (error instanceof Refused && error.problem.status !== 401) return { problem: error.problem }
        throw error
      }
    },
    act: ask,
    calls
  }
}

/** Whose key it is. Throws Refused where it is none: a wrong one counts as at any other door. */
export const whoHas = (app: App, asker: Asker): Promise<Key> => createApi(app, asker).get<Key>('/keys/self')

const quoted = (text: string): string => (/^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)

/** The command that does the same, for a terminal in which KEY holds the key. */
export function curlOf({ method, path, body, form }: Call, origin: string): string {
  const parts = ['curl', '-H "Authorization: Bearer $KEY"']
  if (method !== 'GET' && !(method === 'POST' && (body !== undefined || form))) parts.push(`-X ${method}`)
  if (body !== undefined) parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`)
  for (const [name, value] of Object.entries(form ?? {})) parts.push(`-F ${quoted(`${name}=${value}`)}`)
  if (form) parts.push('-F file=@recipients.csv')
  return [...parts, quoted(origin + path)].join(' ')
}
