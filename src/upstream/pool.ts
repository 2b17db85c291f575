import { type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici'
import { anyProxy, type Proxies, proxyOptions } from './proxies.ts'

// docs/reliability.md 7.2. Sockets are reused only with a keep-alive shorter than any server's: a stale one loses requests
// that may have been processed. Header and body time-outs are off because the deadline covers both, dripping included.
/** The longest answer that is read whole, in bytes, before and after it is decoded. */
export const longestAnswer = 4 * 1024 * 1024
/** The longest body that is passed on decoded: more than any file of a conversation. */
export const longestDecoded = 256 * 1024 * 1024

export const poolOptions = {
  connections: 256,
  pipelining: 1,
  allowH2: false,
  keepAliveTimeout: 4000,
  keepAliveMaxTimeout: 4000,
  headersTimeout: 0,
  bodyTimeout: 0,
  maxResponseSize: longestAnswer,
  // Node gives each address of a name 250 ms before it tries the next: less than a handshake over a slow line takes. So an
  // IPv6 address without a route still leaves its IPv4 two thirds of the time.
  connect: { timeout: 3000, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 1000 }
} satisfies Pool.Options

/** The sockets to one origin, through its proxy where it has one. Whoever dispatches names the origin. */
export function openPool(
  origin: string,
  options: Pool.Options & { connect: { timeout: number } },
  proxies?: Proxies
): Dispatcher {
  if (!anyProxy(proxies)) return new Pool(origin, options)
  return new EnvHttpProxyAgent({ ...options, ...proxyOptions(proxies!), connectTimeout: options.connect.timeout })
}
