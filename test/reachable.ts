import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Throws where this process is root and its files lie in a folder that nobody else may enter, as `mktemp -d` makes them:
 * PostgreSQL, nginx and some tests run as another user then.
 */
export async function reachable(): Promise<void> {
  if (process.getuid?.() !== 0) return
  for (let place = import.meta.dirname; place !== dirname(place); place = dirname(place)) {
    if (((await stat(place)).mode & 0o001) === 0)
      throw new Error(`as root, parts of the tests run as another user, who may not enter ${place}: chmod o+x it`)
  }
}
