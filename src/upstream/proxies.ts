/** The proxies that outgoing calls go through, as the environment names them (docs/api.md 14). */
export interface Proxies {
  /** For https, and where there is no other for http too. A URL, perhaps with a user and a password. */
  https?: string | undefined
  http?: string | undefined
  /** Hosts that are reached without one: names (with all that is below them), addresses, `*`; each perhaps with a port. */
  no?: string | undefined
}

export const anyProxy = ({ https, http }: Proxies = {}): boolean => https !== undefined || http !== undefined

/**
 * What undici's own agent needs to know of them. Nothing is left to it to read from the environment. Each call goes
 * through a tunnel (CONNECT), http too: so what a proxy refuses has certainly not left, and its own error pages are
 * never taken for a provider's answers.
 */
export const proxyOptions = ({ https, http, no }: Proxies) => ({
  httpsProxy: https ?? '',
  httpProxy: http ?? '',
  noProxy: no ?? '',
  proxyTunnel: true
})
