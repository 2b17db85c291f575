import { request } from 'undici'
import { decodedStream } from './encoding.ts'
import { createGuard, EgressError, type Guard, type GuardOptions, guardedAgent, reasonOf } from './guard.ts'
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

export interface Egress {
  /** The guard, to share with another client (`guardedAgent`). */
  guard: Guard
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

  async function download(
    text: string,
    { maxBytes, directory, signal, headers }: DownloadOptions
  ): Promise<SpooledFile> {
    const url = guard.check(text)
    signal?.throwIfAborted()
    const deadline = deadlineAfter(timeoutMs)
    const stop = signal === undefined ? deadline : AbortSignal.any([deadline, signal])
    // the signal decides, not undici's own timers, which a dribble resets
    const dispatcher = guardedAgent(guard, { headersTimeout: 0, bodyTimeout: 0 })
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
      const declaredType = single(answer.headers['content-type'])
      const filename = offeredName(single(answer.headers['content-disposition']), url)
      return await spool(bytes, { directory, maxBytes, filename, declaredType })
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

  return { guard, download }
}

function refuseStatus(host: string, status: number): void {
  if (status === 200) return
  if (status < 300 || status > 399) {
    throw new EgressError('bad_status', `${host} answered ${status}, not 200; the URL must work for anyone`)
  }
  throw new EgressError('redirect', `${host} redirects (${status}), which is not followed; give the final URL`)
}

function orAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort))
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}
