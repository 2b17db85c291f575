import ipaddr from 'ipaddr.js'

/** Failed keys of one address within a window. */
interface Tally {
  count: number
  /** When its window ends, by performance.now(). */
  until: number
}

export interface AuthThrottle {
  /**
   * A key failed. Answers how many seconds the address should wait, where it has had its share of failures; a right key
   * is not asked about here, so nobody can lock out whoever shares an address with him.
   */
  failed: (address: string) => number | undefined
}

export interface AuthThrottleOptions {
  /** Failures in a window that are answered as such. */
  limit?: number
  windowMs?: number
  /** Addresses that are remembered; beyond it the oldest is forgotten. */
  most?: number
  now?: () => number
  /** Told once a window of an address that has had its share. */
  tell?: (network: string) => void
}

/** An attacker has a whole /64 of IPv6 for the asking: it is one address here. */
function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address.slice(0, 64)
  const ip = ipaddr.process(address)
  return ip.kind() === 'ipv4' ? ip.toString() : (ip as ipaddr.IPv6).parts.slice(0, 4).join(':')
}

/**
 * Counts failed keys by address, in memory: each replica by itself, and without a write that a flood could make many of.
 */
export function createAuthThrottle(options: AuthThrottleOptions = {}): AuthThrottle {
  const { limit = 20, windowMs = 60_000, most = 10_000, now = () => performance.now(), tell } = options
  const tallies = new Map<string, Tally>()
  return {
    failed: address => {
      const network = networkOf(address)
      let tally = tallies.get(network)
      if (!tally || tally.until <= now()) {
        tallies.delete(network)
        if (tallies.size >= most) tallies.delete(tallies.keys().next().value as string)
        tally = { count: 0, until: now() + windowMs }
        tallies.set(network, tally)
      }
      tally.count++
      if (tally.count === limit + 1) tell?.(network)
      return tally.count > limit ? Math.max(1, Math.ceil((tally.until - now()) / 1000)) : undefined
    }
  }
}
