import { lookup } from 'node:dns/promises'
import { isIP, type Socket } from 'node:net'
import { Agent, buildConnector, type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici'
import { classify, parseAllowList, sameAddress } from './address.ts'
import { anyProxy, type Proxies, proxyOptions } from './proxies.ts'

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
  /** Opens the socket to an address that was judged. Default: undici's own connector, HTTP/1.1 only. */
  dial?: buildConnector.connector
  /** What stands between us and the internet: see `connectThrough` for what cannot be checked then. */
  proxies?: Proxies
  /** The one certificate authority that is believed, in PEM. Default: those of the system. */
  ca?: string
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
  /**
   * Puts the same judgement before a connector that goes through a proxy. What it cannot do there: the proxy looks the
   * name up once more and dials by itself, so an answer that changes in between, and one that only the proxy's resolver
   * gives, are the proxy's to refuse. A name that has no address here may have one there, and passes on its URL alone.
   */
  connectThrough: (connect: buildConnector.connector) => buildConnector.connector
  readonly proxies?: Proxies
  readonly ca?: string
}

/** Milliseconds for all addresses of a name, of which the last has what the others left. */
const CONNECT_TIMEOUT = 5_000
/** For one that is followed by another: an IPv6 address without a route must not use up its IPv4's time. */
const ATTEMPT_TIMEOUT = 1_000
const MOST_ADDRESSES = 4

const systemResolve: Resolve = async host => (await lookup(host, { all: true })).map(({ address }) => address)

/** @throws {TypeError} when an entry of `allow` cannot be read */
export function createGuard(options: GuardOptions = {}): Guard {
  const allow = parseAllowList(options.allow ?? [])
  const ports = options.ports ?? [443, 8443]
  const resolve = options.resolve ?? systemResolve
  const { ca } = options
  const dialIn = (timeout: number) => options.dial ?? buildConnector({ allowH2: false, timeout, ...(ca && { ca }) })
  const [dial, tryDial] = [dialIn(CONNECT_TIMEOUT), dialIn(ATTEMPT_TIMEOUT)]

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

  /** The addresses of a target that all passed; none where the name has none here. */
  async function judged(target: Target): Promise<readonly string[]> {
    const { host, port } = target
    const literal = isIP(host) !== 0
    if (!literal && !allow.mayOpen(host, port)) admitUrl(target)
    const addresses = literal ? [host] : await resolve(host).catch(() => [])
    admit(target, addresses)
    return addresses
  }

  async function open(options: buildConnector.Options): Promise<Socket> {
    const target = targetOf(options)
    const { host, port } = target
    const literal = isIP(host) !== 0
    const addresses = await judged(target)
    if (addresses.length === 0) throw new EgressError('unresolvable', `${host} has no address; check the host name`)
    // the certificate must name the host, though we dial an address
    const servername = literal || target.protocol !== 'https:' ? undefined : host
    let failure: unknown
    const tried = bothFamilies(addresses).slice(0, MOST_ADDRESSES)
    for (const [i, address] of tried.entries()) {
      let socket: Socket
      try {
        const by = i === tried.length - 1 ? dial : tryDial
        socket = await dialed(by, { ...options, host: undefined, hostname: address, port: String(port), servername })
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

  function dialed(by: buildConnector.connector, options: buildConnector.Options): Promise<Socket> {
    return new Promise((resolve, reject) => {
      by(options, (error, socket) => (error ? reject(error) : resolve(socket!)))
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
    },
    connectThrough: connect => (options, callback) => {
      judged(targetOf(options)).then(
        () => connect(options, callback),
        error => callback(error, null)
      )
    },
    ...(options.proxies && anyProxy(options.proxies) && { proxies: options.proxies }),
    ...(ca && { ca })
  }
}

/** Both families among the first two, each in its resolver's order, so that one without a route costs one try. */
function bothFamilies(addresses: readonly string[]): string[] {
  const [first] = addresses
  const other = addresses.find(address => isIP(address) !== isIP(first ?? ''))
  return other === undefined
    ? [...addresses]
    : [first!, other, ...addresses.filter(each => each !== first && each !== other)]
}

/**
 * An undici dispatcher that connects only where the guard lets it, through a proxy where there is one for the host.
 * HTTP/1.1; it follows no redirect of itself.
 */
export function guardedAgent(guard: Guard, options: Agent.Options = {}): Dispatcher {
  const guarded = { pipelining: 1, ...options, allowH2: false, connect: guard.connect }
  if (!guard.proxies) return new Agent(guarded)
  // The agent that undici makes for hosts with a proxy brings a connector of its own: the tunnel's.
  const factory = (origin: string | URL, given: object): Dispatcher => {
    const { connect, ...rest } = given as Pool.Options & { connect: buildConnector.connector }
    return new Pool(origin, { ...rest, connect: connect === guard.connect ? connect : guard.connectThrough(connect) })
  }
  return new EnvHttpProxyAgent({
    ...guarded,
    ...proxyOptions(guard.proxies),
    ...(guard.ca && { requestTls: { ca: guard.ca } }),
    connectTimeout: CONNECT_TIMEOUT,
    factory
  })
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
export function reasonOf(error: unknown): string | undefined {
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

/** The work's result, or the signal's reason where that comes first. */
export function orAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort))
}
