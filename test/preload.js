import hooks from 'node:async_hooks'
import { mkdirSync, statfsSync } from 'node:fs'
import module, { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'

// What is loaded ahead of every test file that tap runs, and makes its start less than half of what it was.

// Types are stripped, and modules compiled, once for all processes: with the cache that `npm start` uses, for the servers and
// programs that a test starts too.
const cache = join(import.meta.dirname, '../node_modules/.cache/switchboard')
module.enableCompileCache(cache)
process.env.NODE_COMPILE_CACHE = cache

// Every module would pass through tap's loaders, which mock modules and count coverage. Nothing here does either, so they
// find nothing to hook on to; nor do the children of a test inherit them.
module.registerHooks = () => ({ deregister() {} })
// tap follows every promise, to tell which test an error belongs to that nobody catches: a third of the time of some files.
// Without it such an error is one of the file (`together.ts`), or ends the process.
hooks.createHook = () => ({ enable() {}, disable() {} })
syncBuiltinESMExports()
process.env.NODE_OPTIONS = ''

// Types are blanked and not removed, so lines are where they were; of packages nobody wants the map.
process.setSourceMapsEnabled(false)

// What the tests write is gone with them: in memory where there is room, as a busy disk lets every commit wait.
const memory = '/dev/shm'
const least = 2 ** 31
try {
  const { bavail, bsize } = statfsSync(memory)
  if (!process.env.TMPDIR && bavail * bsize > least) {
    const mine = `${memory}/switchboard-${process.getuid?.()}`
    mkdirSync(mine, { recursive: true })
    process.env.TMPDIR = mine
  }
} catch {
  // Not every system has it, or lets us write there.
}
