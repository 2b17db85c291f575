import { Readable, Transform } from 'node:stream'
import type { Dispatcher, Pool } from 'undici'
import { decoded, decodedStream, jsonText } from './encoding.ts'
import { unreadable } from './maton.ts'
import { longestDecoded, openPool, poolOptions } from './pool.ts'
import type { Proxies } from './proxies.ts'
import type { Deadline, SetTimer } from './timers.ts'
import { type FailureFacts, type NativeAnswer, UpstreamFailure } from './wire.ts'

// What goes to Maton beside the operations: its own control plane, and bytes that nobody here reads.

export interface PassthroughOptions {
  /** Where the providers are proxied. */
  baseUrl: string
  /** Where Maton manages its connections. */
  controlUrl: string
  apiKey: string
  /** Until the answer begins, and for each stretch in which no byte moves; in milliseconds. */
  timeoutMs: number
  proxies?: Proxies
  /** What counts the deadlines; Node's own unless a test hands in another. */
  setTimer?: SetTimer
}

/** A request in the provider's own words, as a caller wrote them; what is not here does not travel. */
export interface PassthroughRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Checked and encoded by now: it begins with a slash, and may hold a query. */
  target: string
  headers: Readonly<Record<string, string>>
  body?: AsyncIterable<Uint8Array> | undefined
  /** Called when it begins to leave: it has a connection by then. */
  onStart?: () => void
}

/** An answer of any status whose body is still coming. */
export interface PassthroughAnswer {
  status: number
  headers: NativeAnswer['headers']
  /** The body, still coming: the taker reads it to its end, or destroys it. */
  body: Readable
}

export interface ControlRequest {
  method: 'GET' | 'POST' | 'DELETE'
  /** Checked and encoded, as above. */
  target: string
  json?: unknown
  /** As above. */
  onStart?: () => void
}

export interface Passthrough {
  /** One call to a provider, once, with its body as it comes. Throws UpstreamFailure when no answer begins. */
  send: (app: string, connectionId: string, request: PassthroughRequest) => Promise<PassthroughAnswer>
  /** One call to Maton itself. Throws UpstreamFailure for all but a 2xx with JSON; a deletion's answer may be empty. */
  control: (request: ControlRequest) => Promise<NativeAnswer>
  /** @param gently lets what is under way come to its end */
  close: (gently?: boolean) => Promise<void>
}

/** The whole of a call may take this many deadlines: a body that dribbles must end some day (docs/reliability.md 7.2). */
const longest = 15
/** Sockets of their own, since a slow file must not stand in the way of sends, and bodies of any size. */
const streamed = { ...poolOptions, maxResponseSize: -1 } satisfies Pool.Options
/** No answer of the control plane is longer. */
const longestControl = 4 * 1024 * 1024

export function createPassthrough(options: PassthroughOptions): Passthrough {
  const { baseUrl, controlUrl, apiKey, timeoutMs, proxies, setTimer = setTimeout } = options
  const deadline = { ms: timeoutMs, setTimer }
  const proxy = new URL(baseUrl)
  const control = new URL(controlUrl)
  const pools = new Map([proxy.origin, control.origin].map(origin => [origin, openPool(origin, streamed, proxies)]))
  const prefix = (url: URL): string => url.pathname.replace(/\/$/, '')
  // A word as short as the sandbox's key would be found where it means something else.
  const secret = apiKey.length >= 8 ? apiKey : undefined
  const ours = { authorization: `Bearer ${apiKey}`, 'user-agent': 'switchboard', 'accept-encoding': 'identity' }
  return {
    send: async (app, connectionId, { method, target, headers, body, onStart }) => {
      const path = `${prefix(proxy)}/${app}${target}`
      const all = { accept: '*/*', ...headers, ...ours, 'maton-connection': connectionId }
      const { origin } = proxy
      const answer = await open(pools.get(origin)!, { origin, method, path, headers: all }, body, deadline, onStart)
      // Decoded too, since our key would not be seen in a compressed body.
      const plain =
        method === 'HEAD'
          ? answer
          : { ...answer, ...decodedStream(answer.body, answer.headers, longestDecoded, unreadable) }
      if (!secret) return plain
      return { ...plain, headers: scrubbed(plain.headers, secret), body: masked(plain.body, secret) }
    },
    control: async ({ method, target, json, onStart }) => {
      const path = prefix(control) + target
      const headers = {
        ...ours,
        accept: 'application/json',
        ...(json !== undefined && { 'content-type': 'application/json' })
      }
      const body = json === undefined ? undefined : [Buffer.from(JSON.stringify(json))]
      const { origin } = control
      const answer = await open(pools.get(origin)!, { origin, method, path, headers }, body, deadline, onStart)
      return readJson(method, answer, secret)
    },
    close: async gently => {
      await Promise.all([...pools.values()].map(pool => (gently ? pool.close() : pool.destroy())))
    }
  }
}

type Body = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** Runs one request by undici's dispatch hooks: only they tell whether it was started (docs/reliability.md 4). */
function open(
  pool: Dispatcher,
  options: Pick<Dispatcher.DispatchOptions, 'origin' | 'method' | 'path' | 'headers'>,
  source: Body | undefined,
  { ms, setTimer }: Deadline,
  onStart?: () => void
): Promise<PassthroughAnswer> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let answer: Readable | undefined
    let over = false
    const fail = (message: string, facts: FailureFacts): void => {
      if (over) return
      over = true
      endTimers()
      const failure = new UpstreamFailure(message, facts)
      if (answer) answer.destroy(failure)
      else reject(failure)
    }
    /** A byte moved: the deadline begins anew. A timer that was cleared would start again. */
    const moved = (): void => {
      if (!over) timer.refresh()
    }
    const expire = (): void => {
      if (over) return
      const started = controller !== undefined
      fail('no complete answer within the deadline', { kind: 'transport', started, cause: 'TimeoutError' })
      controller?.abort(new Error('deadline'))
    }
    const timer = setTimer(expire, ms)
    const whole = setTimer(expire, ms * longest)
    const endTimers = (): void => {
      timer[Symbol.dispose]()
      whole[Symbol.dispose]()
    }
    // A stream of its own: undici destroys what it cannot send, and with a caller's request would go the caller's socket.
    const body = source === undefined ? null : Readable.from(moving(source, moved), { objectMode: false })

    pool.dispatch(
      { ...options, body },
      {
        onRequestStart(current) {
          // The deadline passed while it waited for a socket: it has been reported as not started, so it must not start.
          if (over) return current.abort(new Error('deadline'))
          controller = current
          onStart?.()
        },
        onResponseStart(current, status, headers) {
          if (over || status < 200) return
          answer = new Readable({
            read: () => current.resume(),
            destroy: (error, done) => {
              endTimers()
              // The reader went away: nothing more is fetched for it.
              if (!over) current.abort(new Error('nobody reads it'))
              over = true
              done(error)
            }
          })
          // It may break before anybody listens.
          answer.on('error', () => {})
          resolve({ status, headers, body: answer })
        },
        onResponseData(current, chunk) {
          if (over) return
          moved()
          if (!answer!.push(chunk)) current.pause()
        },
        onResponseEnd() {
          if (over) return
          over = true
          endTimers()
          answer!.push(null)
        },
        onResponseError(_, error) {
          const cause = (error as { code?: string }).code ?? error.name
          const started = controller !== undefined
          const kind = cause === 'UND_ERR_INVALID_ARG' && !started ? 'unsendable' : 'transport'
          fail('the connection failed', { kind, started, cause })
        }
      }
    )
  })
}

/** A body on its way: while it moves, the deadline waits. */
async function* moving(source: Body, moved: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    moved()
    yield chunk
  }
}

async function readJson(method: string, answer: PassthroughAnswer, secret: string | undefined): Promise<NativeAnswer> {
  const { status, headers } = answer
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > longestControl) break
      chunks.push(chunk)
    }
  } catch (error) {
    if (!(error instanceof UpstreamFailure)) throw error
    const { kind, started, cause } = error
    throw new UpstreamFailure(error.message, { kind, started, status, ...(cause && { cause }) })
  }
  const text = jsonText(decoded(Buffer.concat(chunks), headers, longestControl) ?? Buffer.alloc(0))
  const body = parse(secret ? text.replaceAll(secret, '[redacted]') : text)
  if (status < 200 || status > 299)
    throw new UpstreamFailure(`the answer was ${status}`, { kind: 'status', started: true, status, headers, body })
  // What a deletion answers is not documented (docs/upstream.md 2.3): its status is all there is to go by.
  if (body === undefined && method !== 'DELETE')
    throw new UpstreamFailure('the answer cannot be read', { kind: 'unreadable', started: true, status, headers })
  return { status, headers, body: body ?? null }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: an answer that says nothing.
    return undefined
  }
}

const scrubbed = (headers: NativeAnswer['headers'], secret: string): NativeAnswer['headers'] =>
  JSON.parse(JSON.stringify(headers).replaceAll(secret, '[redacted]'))

/** How many bytes at the end of `bytes` could be the beginning of `secret`. */
function begins(bytes: Buffer, secret: Buffer): number {
  for (let length = Math.min(secret.length - 1, bytes.length); length > 0; length--)
    if (bytes.subarray(-length).equals(secret.subarray(0, length))) return length
  return 0
}

/**
 * Passes bytes on, but for our own credential, should an answer repeat it (T11): asterisks stand in its place, so that
 * the length stays what was announced.
 */
function masked(body: Readable, key: string): Readable {
  const secret = Buffer.from(key)
  const stars = Buffer.alloc(secret.length, '*')
  let kept: Buffer = Buffer.alloc(0)
  const mask = new Transform({
    transform(chunk: Buffer, _, done) {
      // A copy: what came may be a part of a buffer that others read.
      const bytes = Buffer.concat([kept, chunk])
      for (let at = bytes.indexOf(secret); at >= 0; at = bytes.indexOf(secret, at)) stars.copy(bytes, at)
      const open = begins(bytes, secret)
      kept = bytes.subarray(bytes.length - open)
      done(null, bytes.subarray(0, bytes.length - open))
    },
    flush: done => done(null, kept)
  })
  body.on('error', error => mask.destroy(error))
  mask.on('close', () => body.destroy())
  mask.on('error', () => {})
  return body.pipe(mask)
}
