import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// What `npm start` runs: the server with Node's compile cache on, so that types are stripped once and not at each start.
// In JavaScript, because a TypeScript file would load the stripper before it can be told not to.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/switchboard'))
await import('./server.ts')
