import { string } from './decode.ts'

// Where a file of WATI's lies, as its webhooks and its history tell it.

/** Paths that getMedia may be asked for (3.4.15): a folder of `data`, and a file in it under whatever name. */
export const isMediaPath = (path: string): boolean =>
  path.length <= 300 &&
  /^data\/[a-z]+\/[^/\\\p{C}]+$/u.test(path) &&
  // What is decoded once more than it should be must stay a name.
  !/%[0-9a-f]{2}|\.\./i.test(path)

/**
 * A path that getMedia takes: alone, as a member of an address's query, or at its end. An address is taken apart before it is
 * decoded, since a name may hold what divides addresses.
 */
export function mediaPathOf(data: unknown): string | undefined {
  const told = (string(data) ?? '').slice(0, 2000)
  const text = /^https?%3a/i.test(told) ? decoded(told) : told
  const member = /[?&]\w+=(data(?:\/|%2f)[^&#]*)/i.exec(text)?.[1]
  const path = member ?? /^[^?#]*\/(data(?:\/|%2f)[^?#]+)/i.exec(text)?.[1] ?? text.replace(/\?\w+=.*$/, '')
  return [decoded(path), path].find(isMediaPath)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // a lone % is no encoding
  }
}
