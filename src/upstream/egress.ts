import { lookup } from 'node:dns/promises'
import { isIP, type Socket } from 'node:net'
import { Agent, buildConnector, request } from 'undici'
import { classify, parseAllowList, sameAddress } from './address.ts'
import { offeredName, type SpooledFile, spool, TooLargeError } from './spool.ts'

export type EgressCode =
  | 'forbidden_address' // the host is, or leads to, an address that is not public and was not opened
  | 'forbidden_url' // scheme, port or credentials
  | 'unresolvable'
  | 'unreachable' // refused, reset, broken TLS, not HTTP
  | 'timeout'
  | 'too_large'
  | 'bad_status' // anything but 200 and 3xx
  | 'redirect'

/**
 * Why a URL given by a caller was not fetched. `detail` (also the message) says what and what to do, for that caller's
 * eyes: it names the host as the caller wrote it, never an address that it resolved to, never path or query. There is
 * no `cause`, for a socket's error spells the address.
 */
export class EgressError extends Error {
  readonly code: EgressCode
  readonly detail: string
  constructor(code: EgressCode, detail: string) {
    super(detail)
    this.name = 'EgressError'
    this.code = code
    this.detail = detail
  }
}

/** All addresses of a host name, as dotted IPv4 or IPv6 text. Rejects or gives none when there is no such host. */
export type Resolve = (host: string) => Promise<readonly string[]>

export interface GuardOptions {
  /** `EGRESS_ALLOW`: see `parseAllowList`. Opened hosts may also be http and on any port the entry covers. */
  allow?: readonly string[]
  /** Ports that https may use on hosts that are not opened. Default 443 and 8443. */
  ports?: readonly number[]
  /** Default: the system's resolver, `/etc/hosts` included. */
  resolve?: Resolve
  /** Opens the socket to an address that was judged. Default: undici's own connector, HTTP/1.1 only, 5 s. */
  dial?: buildConnector.connector
}

/** Decides where we may connect to on behalf of a caller (threats T17 to T21). Holds no connection. */
export interface Guard {
  /**
   * What can be refused without DNS, for an early answer (a subscription's URL when it is made).
   * @throws {EgressError} forbidden_url, forbidden_address
   */
  check(url: string): URL
  /**
   * The `connect` of an undici dispatcher. It judges the literal or every DNS answer, dials the judged addresses
   * themselves (so that a second lookup cannot change them), and judges the peer again once connected.
   * It fails with an `EgressError`, save for defects of ours.
   */
  connect: buildConnector.connector
}

const CONNECT_TIMEOUT = 5_000
const MOST_ADDRESSES = 4

const systemResolve: Resolve = async host => (await lookup(host, { all: true })).map(({ address }) => address)

/** @throws {TypeError} when an entry of `allow` cannot be read */
export function createGuard(options: GuardOptions = {}): Guard {
  const allow = parseAllowList(options.allow ?? [])
  const ports = options.ports ?? [443, 8443]
  const resolve = options.resolve ?? systemResolve
  const dial = options.dial ?? buildConnector({ allowH2: false, timeout: CONNECT_TIMEOUT })

  /** Every address must pass: with mixed answers the next lookup or the next socket might take the other one. */
  function admit(target: Target, addresses: readonly string[]): void {
    const { host, port } = target
    for (const address of addresses) {
      const kind = classify(address)
      if (kind !== 'never' && allow.opens(host, address, port)) continue
      if (kind === 'never' && (isIP(host) !== 0 || allow.mayOpen(host, port))) {
        const closed = 'metadata, link-local and IPv6 transition addresses cannot be opened'
        throw new EgressError('forbidden_address', `${host} is never connected to: ${closed}; use another host`)
      }
      if (kind !== 'public') {
        const what = isIP(host) === 0 ? 'leads to an address that is not on' : 'is not on'
        throw new EgressError('forbidden_address', `${host} ${what} the public internet; ${REMEDY}`)
      }
      admitUrl(target)
    }
  }

  function admitUrl({ protocol, host, port }: Target): void {
    if (protocol !== 'https:') throw new EgressError('forbidden_url', `${host} is not reached over https; ${REMEDY}`)
    if (ports.includes(port)) return
    throw new EgressError('forbidden_url', `port ${port} is not one of ${ports.join(', ')}; ${REMEDY}`)
  }

  async function open(options: buildConnector.Options): Promise<Socket> {
    const target = targetOf(options)
    const { host, port } = target
    const literal = isIP(host) !== 0
    if (!literal && !allow.mayOpen(host, port)) admitUrl(target)
    const addresses = literal ? [host] : await resolve(host).catch(() => [])
    if (addresses.length === 0) throw new EgressError('unresolvable', `${host} has no address; check the host name`)
    admit(target, addresses)
    // the certificate must name the host, though we dial an address
    const servername = literal || target.protocol !== 'https:' ? undefined : host
    let failure: unknown
    for (const address of addresses.slice(0, MOST_ADDRESSES)) {
      let socket: Socket
      try {
        socket = await dialed({ ...options, host: undefined, hostname: address, port: String(port), servername })
      } catch (error) {
        failure = error
        continue
      }
      const peer = socket.remoteAddress
      if (peer !== undefined && sameAddress(peer, address)) return socket
      socket.destroy()
      throw new EgressError('forbidden_address', `${host} did not answer from its own address; ${REMEDY}`)
    }
    throw connectError(host, failure)
  }

  function dialed(options: buildConnector.Options): Promise<Socket> {
    return new Promise((resolve, reject) => {
      dial(options, (error, socket) => (error ? reject(error) : resolve(socket!)))
    })
  }

  return {
    check(text) {
      const url = URL.parse(text)
      if (url === null) throw new EgressError('forbidden_url', 'the URL cannot be read; give an absolute https URL')
      const target = targetOf(url)
      if (url.protocol !== 'https:' && url.protocol !== 'http:') {
        throw new EgressError('forbidden_url', `${url.protocol} is not fetched; give an https URL`)
      }
      if (url.username !== '' || url.password !== '') {
        throw new EgressError('forbidden_url', 'the URL carries a user name or password; leave them out')
      }
      if (isIP(target.host) !== 0) admit(target, [target.host])
      else if (!allow.mayOpen(target.host, target.port)) admitUrl(target)
      return url
    },
    connect(options, callback) {
      open(options).then(
        socket => callback(null, socket),
        error => callback(error, null)
      )
    }
  }
}

/** An undici dispatcher that connects only where the guard lets it. HTTP/1.1; it follows no redirect of itself. */
export function guardedAgent(guard: Guard, options: Agent.Options = {}): Agent {
  return new Agent({ pipelining: 1, ...options, allowH2: false, connect: guard.connect })
}

const REMEDY = 'give a public https URL, or have the operator open the host in EGRESS_ALLOW'

interface Target {
  protocol: string
  host: string
  port: number
}

/** One spelling per host, from a URL or from undici's connect options: no brackets, no trailing dot, a port. */
function targetOf({ protocol, hostname, port }: { protocol: string; hostname: string; port: string }): Target {
  const host = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  return { protocol, host, port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}

/** What the network says in one word; undefined when it is not the network that failed but we. */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if (error.name === 'HTTPParserError') return error.name // undici leaves the code of some undefined
  const { code } = error as NodeJS.ErrnoException
  return typeof code === 'string' ? code : undefined
}

function connectError(host: string, error: unknown): unknown {
  const reason = reasonOf(error)
  if (reason === undefined) return error
  if (reason === 'ETIMEDOUT' || reason === 'UND_ERR_CONNECT_TIMEOUT') {
    return new EgressError('timeout', `${host} did not take the connection in time; try again later`)
  }
  return new EgressError('unreachable', `no connection to ${host} (${reason}); check that the host is up, and its TLS`)
}

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
  /** Ends the fetch early; the promise then rejects with the signal's reason. */
  signal?: AbortSignal
}

export interface Egress {
  /** The guard, to share with another client (`guardedAgent`). */
  guard: Guard
  /**
   * GETs a URL given by a caller into a file. Follows no redirect, decodes nothing, sends nothing of ours. The bytes
   * are as sent: a `Content-Encoding` that we did not ask for stays on, and sniffing then refuses the file.
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

  async function download(text: string, { maxBytes, directory, signal }: DownloadOptions): Promise<SpooledFile> {
    const url = guard.check(text)
    signal?.throwIfAborted()
    const deadline = deadlineAfter(timeoutMs)
    const stop = signal === undefined ? deadline : AbortSignal.any([deadline, signal])
    // the signal decides, not undici's own timers, which a dribble resets
    const dispatcher = guardedAgent(guard, { headersTimeout: 0, bodyTimeout: 0 })
    let body: { errored: Error | null } | undefined
    try {
      // undici heeds the signal only once it is connected, and a lookup may hang
      const answer = await orAborted(stop, request(url, { dispatcher, signal: stop, headers: HEADERS }))
      answer.body.on('error', () => {}) // refused below, it is torn down unread
      refuseStatus(url.hostname, answer.statusCode)
      if (Number(answer.headers['content-length']) > maxBytes) throw new TooLargeError(maxBytes)
      body = answer.body
      const declaredType = single(answer.headers['content-type'])
      const filename = offeredName(single(answer.headers['content-disposition']), url)
      return await spool(answer.body, { directory, maxBytes, filename, declaredType })
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
