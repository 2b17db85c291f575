import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { decoded, decodedStream, jsonText } from './encoding.ts'
import { longestAnswer, longestDecoded, openPool, poolOptions } from './pool.ts'
import type { Proxies } from './proxies.ts'
import { encodeBody, target, unsendable } from './request.ts'
import type { Deadline, SetTimer } from './timers.ts'
import { type FailureFacts, type NativeAnswer, type NativeRequest, type NativeStream, UpstreamFailure } from './wire.ts'

export interface MatonOptions {
  /** Where the providers are proxied. */
  baseUrl: string
  apiKey: string
  /** Whole deadline of one call in milliseconds, from hand-over to the last byte of the answer. */
  timeoutMs: number
  proxies?: Proxies
  /** What counts the deadlines; Node's own unless a test hands in another. */
  setTimer?: SetTimer
}

export interface Maton {
  /**
   * One call to a provider, once. Nothing of a caller's request travels: every header is ours.
   * @param app first path segment, Maton's word for the provider
   * @param connectionId always sent: Maton's "oldest active" default is never relied on
   * @param onStart called when it begins to leave: it has a connection by then, which may have taken a while to make
   * @throws UpstreamFailure for everything but a 2xx with a JSON body
   */
  request: (
    app: string,
    connectionId: string,
    request: NativeRequest,
    timeoutMs?: number,
    onStart?: () => void
  ) => Promise<NativeAnswer>
  /**
   * Makes a call with an answer of any type and size. The deadline holds until the answer begins, and again for each stretch
   * in which no byte moves; the whole may take `longestStream` deadlines.
   * @param onStart as for `request`
   * @throws UpstreamFailure for everything but a 2xx; what happens to the body later ends the stream with one
   */
  stream: (
    app: string,
    connectionId: string,
    request: NativeRequest,
    timeoutMs?: number,
    onStart?: () => void
  ) => Promise<NativeStream>
  /** @param gently lets what is under way come to its end */
  close: (gently?: boolean) => Promise<void>
}

export function createMaton({ baseUrl, apiKey, timeoutMs, proxies, setTimer = setTimeout }: MatonOptions): Maton {
  const base = new URL(baseUrl)
  const prefix = base.pathname.replace(/\/$/, '')
  const pool = openPool(base.origin, poolOptions, proxies)
  // Sockets of their own: slow downloads must not stand in the way of sends.
  const streams = openPool(base.origin, { ...poolOptions, maxResponseSize: -1 }, proxies)
  const authorization = `Bearer ${apiKey}`
  const options = async (app: string, connectionId: string, request: NativeRequest, accept: string) => {
    const path = `${prefix}/${app}${target(request)}`
    const { body, contentType } = await encodeBody(request.body).catch(unsendable)
    const headers: Record<string, string> = {
      authorization,
      'maton-connection': connectionId,
      'user-agent': 'switchboard',
      accept,
      'accept-encoding': 'identity'
    }
    if (contentType) headers['content-type'] = contentType
    return { origin: base.origin, method: request.method, path, headers, body }
  }
  const secretsOf = (connectionId: string) => [apiKey, connectionId].filter(secret => secret.length >= 8)
  return {
    request: async (app, connectionId, request, deadline = timeoutMs, onStart?) =>
      once(
        pool,
        await options(app, connectionId, request, 'application/json'),
        { ms: deadline, setTimer },
        secretsOf(connectionId),
        onStart
      ),
    stream: async (app, connectionId, request, deadline = timeoutMs, onStart?) =>
      streamed(
        streams,
        await options(app, connectionId, request, '*/*'),
        { ms: deadline, setTimer },
        secretsOf(connectionId),
        onStart
      ),
    close: async gently => {
      await Promise.all([pool, streams].map(each => (gently ? each.close() : each.destroy())))
    }
  }
}

/** Runs one request by undici's dispatch hooks: only they tell whether it was started (docs/reliability.md 4). */
function once(
  pool: Dispatcher,
  options: Dispatcher.DispatchOptions,
  { ms, setTimer }: Deadline,
  secrets: readonly string[],
  onStart?: () => void
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
      timer[Symbol.dispose]()
      reject(new UpstreamFailure(message, facts))
    }
    const timer = setTimer(() => {
      const started = controller !== undefined
      fail('no complete answer within the deadline', {
        kind: 'transport',
        started,
        ...(status && { status }),
        cause: 'TimeoutError'
      })
      controller?.abort(new Error('deadline'))
    }, ms)

    pool.dispatch(options, {
      onRequestStart(current) {
        // The deadline passed while it waited for a socket: it has been reported as not started, so it must not start.
        if (over) return current.abort(new Error('deadline'))
        controller = current
        onStart?.()
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
        const body = parse(chunks, headers, secrets)
        if (status < 200 || status > 299)
          return fail(`the answer was ${status}`, { kind: 'status', started: true, status, headers, body })
        if (body === undefined)
          return fail('the answer cannot be read', { kind: 'unreadable', started: true, status, headers })
        over = true
        timer[Symbol.dispose]()
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

/** The whole of a stream may take this many deadlines: a body that dribbles must end some day (docs/reliability.md 7.2). */
const longestStream = 15
/** How many pieces are read of an answer that refuses; one is 64 KiB at most. */
const refusalPieces = 16

/** The hooks of a call whose body is passed on as it comes; a reader that is slow holds the provider back. */
function streamed(
  pool: Dispatcher,
  options: Dispatcher.DispatchOptions,
  { ms, setTimer }: Deadline,
  secrets: readonly string[],
  onStart?: () => void
): Promise<NativeStream> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let status = 0
    let headers: NativeAnswer['headers'] = {}
    let refusal: Buffer[] = []
    let body: Readable | undefined
    let over = false
    const fail = (message: string, facts: Omit<FailureFacts, 'status' | 'headers'>): void => {
      if (over) return
      over = true
      endTimers()
      const failure = new UpstreamFailure(message, { ...facts, ...(status && { status, headers }) })
      if (body) body.destroy(failure)
      else reject(failure)
    }
    const expire = (): void => {
      const started = controller !== undefined
      fail('no complete answer within the deadline', { kind: 'transport', started, cause: 'TimeoutError' })
      controller?.abort(new Error('deadline'))
    }
    const timer = setTimer(expire, ms)
    const whole = setTimer(expire, ms * longestStream)
    const endTimers = (): void => {
      timer[Symbol.dispose]()
      whole[Symbol.dispose]()
    }

    pool.dispatch(options, {
      onRequestStart(current) {
        if (over) return current.abort(new Error('deadline'))
        controller = current
        onStart?.()
      },
      onResponseStart(current, statusCode, received) {
        if (over || statusCode < 200) return
        status = statusCode
        headers = received
        if (status > 299) return
        body = new Readable({
          read: () => current.resume(),
          destroy: (error, done) => {
            endTimers()
            // The reader went away: nothing more is fetched for it.
            if (!over) current.abort(new Error('nobody reads it'))
            over = true
            done(error)
          }
        })
        // It may break before anybody listens; who reads it later is told all the same.
        body.on('error', () => {})
        resolve({ status, ...decodedStream(body, headers, longestDecoded, unreadable) })
      },
      onResponseData(current, chunk) {
        if (over) return
        if (body) {
          timer.refresh()
          if (!body.push(chunk)) current.pause()
        } else if (refusal.length < refusalPieces) refusal.push(chunk)
      },
      onResponseEnd() {
        if (over) return
        if (!body)
          return fail(`the answer was ${status}`, {
            kind: 'status',
            started: true,
            body: parse(refusal, headers, secrets)
          })
        over = true
        endTimers()
        body.push(null)
      },
      onResponseError(_, error) {
        refusal = []
        const cause = (error as { code?: string }).code ?? error.name
        const started = controller !== undefined
        fail('the connection failed', { kind: kindOf(cause, started, status), started, cause })
      }
    })
  })
}

/** What a body is that cannot be decoded, or has no end then. */
export const unreadable = (error: Error): Error =>
  error instanceof UpstreamFailure
    ? error
    : new UpstreamFailure('the answer cannot be read', { kind: 'unreadable', started: true })

/** undici's own checks refuse a header before the start; a success over the size limit came, and only cannot be read. */
function kindOf(cause: string, started: boolean, status: number): FailureFacts['kind'] {
  if (cause === 'UND_ERR_INVALID_ARG' && !started) return 'unsendable'
  return cause === 'UND_ERR_RES_EXCEEDED_MAX_SIZE' && status < 300 ? 'unreadable' : 'transport'
}

/** The body as JSON; undefined where it is none. An error that repeats our credential must not carry it to a caller (T11). */
function parse(chunks: Buffer[], headers: NativeAnswer['headers'], secrets: readonly string[]): unknown {
  const bytes = decoded(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), headers, longestAnswer)
  if (!bytes) return undefined
  let text = jsonText(bytes)
  for (const secret of secrets) if (text.includes(secret)) text = text.replaceAll(secret, '[redacted]')
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: the callers treat that as what it is, an answer that says nothing.
    return undefined
  }
}
