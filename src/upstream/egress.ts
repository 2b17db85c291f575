import { type Dispatcher, request } from 'undici'
import { decodedStream } from './encoding.ts'
import { createGuard, EgressError, type Guard, type GuardOptions, guardedAgent, orAborted, reasonOf } from './guard.ts'
import { offeredName, type SpooledFile, spool, TooLargeError } from './spool.ts'

export {
  createGuard,
  type EgressCode,
  EgressError,
  type Guard,
  type GuardOptions,
  guardedAgent,
  type Resolve
} from './guard.ts'

export interface EgressOptions extends GuardOptions {
  /** For the whole fetch, from the lookup to the last byte. Milliseconds, default 30 000. */
  timeoutMs?: number
  /** Makes the signal that ends a fetch after so many milliseconds. Default `AbortSignal.timeout`. */
  deadline?: (milliseconds: number) => AbortSignal
  /** Default: `createGuard(options)`. Injected only by the tests, whose control puts a weaker one here. */
  guard?: Guard
}

export interface DownloadOptions {
  /** Most bytes of body to take. */
  maxBytes: number
  /** Where the file goes: an existing directory. */
  directory: string
  /** Sent beside our own: a token that the host is to have. The host has to be judged before; no redirect is followed. */
  headers?: Readonly<Record<string, string>>
  /** Ends the fetch early; the promise then rejects with the signal's reason. */
  signal?: AbortSignal
}

export interface ReadOptions {
  /** Most bytes of body to take. */
  maxBytes: number
  /** Sent beside our own. The host has to be judged before; no redirect is followed. */
  headers?: Readonly<Record<string, string>>
  /** The one certificate authority that the host's certificate may come from, in PEM. Default: those of the system. */
  ca?: string
}

export interface Egress {
  /** The guard, to share with another client (`guardedAgent`). */
  guard: Guard
  /**
   * GETs a short document into memory, under the rules of `download`.
   * @throws {EgressError}
   */
  read(url: string, options: ReadOptions): Promise<Buffer>
  /**
   * GETs a URL given by a caller into a file. Follows no redirect, sends nothing of ours. A compression that we did not
   * ask for is undone, and `maxBytes` holds for what comes of it; one that cannot be undone stays on for the sniffer.
   * @throws {EgressError} with nothing left on disk; an error of our own disk is thrown as it is
   */
  download(url: string, options: DownloadOptions): Promise<SpooledFile>
}

const HEADERS = { 'user-agent': 'switchboard', accept: '*/*', 'accept-encoding': 'identity' }

/** The client for URLs that callers give us. Each download has its own connection, closed at its end. */
export function createEgress(options: EgressOptions = {}): Egress {
  const guard = options.guard ?? createGuard(options)
  const timeoutMs = options.timeoutMs ?? 30_000
  const deadlineAfter = options.deadline ?? AbortSignal.timeout

  interface Fetch extends Omit<ReadOptions, 'ca'> {
    by: Guard
    signal?: AbortSignal | undefined
  }
  /** @param take reads the body to its end; a body that is larger than it may be is torn down while it reads */
  async function fetched<T>(
    text: string,
    { by, maxBytes, signal, headers }: Fetch,
    take: (bytes: AsyncIterable<Uint8Array>, answer: Dispatcher.ResponseData, url: URL) => Promise<T>
  ): Promise<T> {
    const url = by.check(text)
    signal?.throwIfAborted()
    const deadline = deadlineAfter(timeoutMs)
    const stop = signal === undefined ? deadline : AbortSignal.any([deadline, signal])
    // the signal decides, not undici's own timers, which a dribble resets
    const dispatcher = guardedAgent(by, { headersTimeout: 0, bodyTimeout: 0 })
    let body: { errored: Error | null } | undefined
    try {
      // undici heeds the signal only once it is connected, and a lookup may hang
      const answer = await orAborted(
        stop,
        request(url, { dispatcher, signal: stop, headers: { ...HEADERS, ...headers } })
      )
      answer.body.on('error', () => {}) // refused below, it is torn down unread
      refuseStatus(url.hostname, answer.statusCode)
      if (Number(answer.headers['content-length']) > maxBytes) throw new TooLargeError(maxBytes)
      const { body: bytes } = decodedStream(answer.body, answer.headers, Number.POSITIVE_INFINITY)
      body = bytes
      return await take(bytes, answer, url)
    } catch (error) {
      if (error instanceof EgressError) throw error
      if (error instanceof TooLargeError) throw new EgressError('too_large', `${error.message}; send a smaller file`)
      if (signal?.aborted) throw signal.reason
      if (deadline.aborted) {
        throw new EgressError(
          'timeout',
          `${url.hostname} did not deliver within ${timeoutMs / 1000} s; try again later`
        )
      }
      const reason = reasonOf(error)
      if (reason === undefined || (body !== undefined && body.errored === null)) throw error
      const broke = `the connection to ${url.hostname} broke off or did not speak HTTP (${reason})`
      throw new EgressError('unreachable', `${broke}; try again later`)
    } finally {
      await dispatcher.destroy()
    }
  }

  return {
    guard,
    download: (url, { directory, ...rest }) =>
      fetched(url, { by: guard, ...rest }, (bytes, { headers }, at) => {
        const declaredType = single(headers['content-type'])
        const filename = offeredName(single(headers['content-disposition']), at)
        return spool(bytes, { directory, maxBytes: rest.maxBytes, filename, declaredType })
      }),
    read: (url, { ca, ...rest }) =>
      fetched(url, { by: ca === undefined ? guard : createGuard({ ...options, ca }), ...rest }, bytes =>
        gathered(bytes, rest.maxBytes)
      )
  }
}

async function gathered(bytes: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of bytes) {
    size += chunk.length
    if (size > maxBytes) throw new TooLargeError(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function refuseStatus(host: string, status: number): void {
  if (status === 200) return
  if (status < 300 || status > 399) {
    throw new EgressError('bad_status', `${host} answered ${status}, not 200; the URL must work for anyone`)
  }
  throw new EgressError('redirect', `${host} redirects (${status}), which is not followed; give the final URL`)
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}
