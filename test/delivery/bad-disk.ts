import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import type { Test } from 'tap'

/** A disk on which nothing can be synced while the returned switch is on; it is whole again after the test. */
export function badDisk(t: Test): { failing: boolean } {
  const whole = fs.fdatasync
  const disk = { failing: false }
  // biome-ignore lint/suspicious/noExplicitAny: one of Node's overloads
  fs.fdatasync = ((fd: number, done: any) =>
    disk.failing ? setImmediate(done, new Error('EIO')) : whole(fd, done)) as typeof fs.fdatasync
  syncBuiltinESMExports()
  t.teardown(() => {
    fs.fdatasync = whole
    syncBuiltinESMExports()
  })
  return disk
}
