import { createHmac, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Mode } from '../../schemas/common.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function base62(value: bigint, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest /= 62n) text = alphabet[Number(rest % 62n)] + text
  return text
}

const checksum = (text: string): string => base62(BigInt(crc32(text)), 6)

/** A new secret: sk_<mode>_<43 base62 digits of 256 random bits>_<6 digits of CRC32>. */
export function mint(mode: Mode): string {
  const head = `sk_${mode}_${base62(BigInt(`0x${randomBytes(32).toString('hex')}`), 43)}`
  return `${head}_${checksum(head)}`
}

/** Whether a text has the form of our keys, checksum included: a typo is refused without a look-up. */
export function isWellFormed(secret: string): boolean {
  const match = /^(sk_(?:live|test)_[0-9A-Za-z]{43})_([0-9A-Za-z]{6})$/.exec(secret)
  return match !== null && checksum(match[1]!) === match[2]
}

/**
 * What is stored in place of a secret: HMAC-SHA-256 with the pepper. The secrets carry 256 bits, so a slow hash would
 * only cost time; the pepper makes a stolen database useless for testing leaked keys (docs/reliability.md 8).
 */
export const hashSecret = (pepper: string, secret: string): string =>
  createHmac('sha256', pepper).update(secret).digest('hex')
