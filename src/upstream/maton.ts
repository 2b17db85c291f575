import { openAsBlob } from 'node:fs'
import { type Dispatcher, FormData, Pool } from 'undici'
import {
  type FailureFacts,
  type MultipartPart,
  type NativeAnswer,
  type NativeRequest,
  UpstreamFailure
} from './wire.ts'

export interface MatonOptions {
  /** Where the providers are proxied. */
  baseUrl: string
  apiKey: string
  /** Whole deadline of one call in milliseconds, from hand-over to the last byte of the answer. */
  timeoutMs: number
}

export interface Maton {
  /**
   * One call to a provider, once. Nothing of a caller's request travels: every header is ours.
   * @param app first path segment, Maton's word for the provider
   * @param connectionId always sent: Maton's "oldest active" default is never relied on
   * @throws UpstreamFailure for everything but a 2xx with a JSON body
   */
  request: (app: string, connectionId: string, request: NativeRequest, timeoutMs?: number) => Promise<NativeAnswer>
  close: () => Promise<void>
}

// RELIABILITY.md 7.2. Sockets are reused only with a keep-alive shorter than any server's: a stale one loses requests
// that may have been processed. Header and body time-outs are off because the deadline covers both, dripping included.
const poolOptions: Pool.Options = {
  connections: 20,
  pipelining: 1,
  allowH2: false,
  keepAliveTimeout: 4000,
  keepAliveMaxTimeout: 4000,
  headersTimeout: 0,
  bodyTimeout: 0,
  maxResponseSize: 4 * 1024 * 1024,
  connect: { timeout: 3000 }
}

export function createMaton({ baseUrl, apiKey, timeoutMs }: MatonOptions): Maton {
  const base = new URL(baseUrl)
  const prefix = base.pathname.replace(/\/+$/, '')
  const pool = new Pool(base.origin, poolOptions)
  const authorization = `Bearer ${apiKey}`
  return {
    request: async (app, connectionId, request, deadline = timeoutMs) => {
      const path = `${prefix}/${app}${target(request)}`
      const { body, contentType } = await encodeBody(request.body).catch(unsendable)
      const headers: Record<string, string> = {
        authorization,
        'maton-connection': connectionId,
        'user-agent': 'switchboard',
        accept: 'application/json',
        'accept-encoding': 'identity'
      }
      if (contentType) headers['content-type'] = contentType
      const secrets = [apiKey, connectionId].filter(secret => secret.length >= 8)
      return once(pool, { method: request.method, path, headers, body }, deadline, secrets)
    },
    close: () => pool.destroy()
  }
}

/** What cannot be put on the wire is a defect of ours: it never left, and another try would end the same way. */
function unsendable(error: unknown): never {
  const { code, name } = error as NodeJS.ErrnoException
  throw new UpstreamFailure('the request cannot be written', {
    kind: 'unsendable',
    started: false,
    cause: code ?? name
  })
}

/** Path and query of a request, each segment encoded. `.` and `..` stay themselves when encoded, so they are refused (T15). */
function target({ path, query }: NativeRequest): string {
  let result = ''
  for (const segment of path) {
    if (segment === '' || segment === '.' || segment === '..' || !segment.isWellFormed())
      unsendable(new RangeError('an empty, relative or broken path segment must not reach a provider'))
    result += `/${encodeURIComponent(segment)}`
  }
  if (!query) return result
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.append(name, String(value))
  return search.size > 0 ? `${result}?${search}` : result
}

async function encodeBody(
  body: NativeRequest['body']
): Promise<{ body: Dispatcher.DispatchOptions['body']; contentType?: string }> {
  if (!body) return { body: null }
  if ('json' in body) return { body: JSON.stringify(body.json), contentType: 'application/json' }
  if ('form' in body)
    return { body: new URLSearchParams(body.form).toString(), contentType: 'application/x-www-form-urlencoded' }
  // undici sets the content type with its boundary, and the length, since every part knows its own.
  return { body: await multipart(body.multipart) }
}

async function multipart(parts: readonly MultipartPart[]): Promise<FormData> {
  const form = new FormData()
  for (const part of parts) {
    if ('value' in part) form.append(part.name, part.value)
    else form.append(part.name, await openAsBlob(part.file.path, { type: part.file.mimeType }), part.file.filename)
  }
  return form
}

/** Runs one request by undici's dispatch hooks: only they tell whether it was started (RELIABILITY.md section 4). */
function once(
  pool: Pool,
  options: Dispatcher.DispatchOptions,
  timeoutMs: number,
  secrets: readonly string[]
): Promise<NativeAnswer> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let status = 0
    let headers: NativeAnswer['headers'] = {}
    const chunks: Buffer[] = []
    let over = false
    const fail = (message: string, facts: FailureFacts): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      reject(new UpstreamFailure(message, facts))
    }
    const timer = setTimeout(() => {
      const started = controller !== undefined
      fail('no complete answer within the deadline', {
        kind: 'transport',
        started,
        ...(status && { status }),
        cause: 'TimeoutError'
      })
      controller?.abort(new Error('deadline'))
    }, timeoutMs)

    pool.dispatch(options, {
      onRequestStart(current) {
        // The deadline passed while it waited for a socket: it has been reported as not started, so it must not start.
        if (over) current.abort(new Error('deadline'))
        else controller = current
      },
      onResponseStart(_, statusCode, received) {
        status = statusCode
        headers = received
      },
      onResponseData(_, chunk) {
        chunks.push(chunk)
      },
      onResponseEnd() {
        if (over) return
        const body = parse(chunks, secrets)
        if (status < 200 || status > 299)
          return fail(`the answer was ${status}`, { kind: 'status', started: true, status, headers, body })
        if (body === undefined)
          return fail('the answer cannot be read', { kind: 'unreadable', started: true, status, headers })
        over = true
        clearTimeout(timer)
        resolve({ status, headers, body })
      },
      onResponseError(_, error) {
        const cause = (error as { code?: string }).code ?? error.name
        const started = controller !== undefined
        fail('the connection failed', {
          kind: kindOf(cause, started, status),
          started,
          ...(status && { status }),
          cause
        })
      }
    })
  })
}

/** undici's own checks refuse a header before the start; a success over the size limit came, and only cannot be read. */
function kindOf(cause: string, started: boolean, status: number): FailureFacts['kind'] {
  if (cause === 'UND_ERR_INVALID_ARG' && !started) return 'unsendable'
  return cause === 'UND_ERR_RES_EXCEEDED_MAX_SIZE' && status < 300 ? 'unreadable' : 'transport'
}

/** The body as JSON; undefined where it is none. An error that repeats our credential must not carry it to a caller (T11). */
function parse(chunks: Buffer[], secrets: readonly string[]): unknown {
  let text = chunks.length === 1 ? chunks[0]!.toString() : Buffer.concat(chunks).toString()
  for (const secret of secrets) if (text.includes(secret)) text = text.replaceAll(secret, '[redacted]')
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: the callers treat that as what it is, an answer that says nothing.
    return undefined
  }
}
