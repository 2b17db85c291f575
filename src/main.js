import module from 'node:module'
import { join } from 'node:path'

// What `npm start` runs: the server with Node's compile cache on, so that types are stripped once and not at each start.
// In JavaScript, because a TypeScript file would load the stripper before it can be told not to. With --warm, as run after
// an install, it only fills the cache; an older Node, which could not run the server either, then has nothing to do.
const warm = process.argv.includes('--warm')
if (!process.features.typescript) {
  if (!warm) {
    console.error(`Switchboard needs Node 24.15 or later, not ${process.version}: \`npm start\` brings its own`)
    process.exitCode = 1
  }
} else {
  module.enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/switchboard'))
  const { serve } = await import('./server.ts')
  if (warm) await import('./sandbox/index.ts')
  else await serve()
}
