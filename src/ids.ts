import { randomFillSync } from 'node:crypto'

const pool = Buffer.alloc(4096)
let used = pool.length

/** `count` random bytes from a pool: one system call for hundreds of ids. */
function random(count: number): Buffer {
  if (used + count > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += count
  return pool.subarray(used - count, used)
}

let lastMs = 0
let counter = 0

export type IdPrefix =
  | 'brd'
  | 'msg'
  | 'con'
  | 'key'
  | 'sec'
  | 'med'
  | 'evt'
  | 'aud'
  | 'req'
  | 'whk'
  | 'per'
  | 'sup'
  | 'idn'
  | 'sub'
  | 'dlv'
  | 'rpl'

/**
 * A new id: a prefix and a UUIDv7 (RFC 9562) without dashes. Ids of one process ascend strictly, so that an id is also
 * a place in a list: the 12 bits behind the millisecond count within it.
 */
export function newId(prefix: IdPrefix, now: number = Date.now()): string {
  if (now > lastMs) {
    lastMs = now
    counter = 0
  } else if (++counter > 0xfff) {
    // More than 4096 in one millisecond, or a clock set back: borrow from the next.
    lastMs++
    counter = 0
  }
  const bytes = random(8)
  bytes[0] = (bytes[0]! & 0x3f) | 0x80
  return `${prefix}_${lastMs.toString(16).padStart(12, '0')}7${counter.toString(16).padStart(3, '0')}${bytes.toString('hex')}`
}
