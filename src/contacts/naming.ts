import { isUserId } from '../phone.ts'

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/**
 * Whether a text names one of some people: whole numbers and whole user ids, since one may stand within another.
 * @param people digits or user ids
 * @returns a test of JSON, a path or a key
 */
export function namingAny(people: readonly string[]): (text: string) => boolean {
  const alone = (name: string): string =>
    isUserId(name) ? `(?<![A-Za-z0-9])${escaped(name)}(?![A-Za-z0-9])` : `(?<!\\d)${escaped(name)}(?!\\d)`
  const any = new RegExp(people.map(alone).join('|') || '(?!)')
  // An escape of JSON or of a path is no part of the name behind it.
  return text => any.test(text) || any.test(text.replace(/\\(?:u[0-9A-Fa-f]{4}|[bfnrt])|%[0-9A-Fa-f]{2}/g, ' '))
}
