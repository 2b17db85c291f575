import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The pepper of the settings, or the one that was made once beside the embedded store: a file, so that no dump of the database holds it. */
export function findPepper(given: string | undefined, directory: string): string {
  if (given) return given
  const file = join(directory, 'key-pepper')
  if (existsSync(file)) return readFileSync(file, 'utf8').trim()
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const pepper = randomBytes(32).toString('hex')
  writeFileSync(file, `${pepper}\n`, { mode: 0o600, flag: 'wx', flush: true })
  return pepper
}
