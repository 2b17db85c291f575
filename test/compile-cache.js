import module from 'node:module'
import { join } from 'node:path'

// Every test file is a process of its own: with the cache that `npm start` uses, types are stripped once and not in each of them.
module.enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/switchboard'))
