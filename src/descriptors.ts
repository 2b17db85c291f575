import { readFileSync } from 'node:fs'

/** Connections that are taken where MAX_CONNECTIONS is not set and the system allows more. */
const usual = 5000

/** How many files and sockets this process may have open; undefined where the system does not say. */
export function descriptorLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === undefined ? undefined : Number(soft)
  } catch {
    return undefined
  }
}

/**
 * How many callers may be connected at a time: never so many that none is left for the store, for files and for the
 * providers, without which a message could not be sent (P51).
 * @param wanted MAX_CONNECTIONS
 * @param limit `descriptorLimit()`
 */
export function connectionsFor(wanted: number | undefined, limit: number | undefined): number {
  const most = limit === undefined ? Number.POSITIVE_INFINITY : limit - Math.max(64, Math.ceil(limit / 4))
  return Math.max(8, Math.min(wanted ?? usual, most))
}
