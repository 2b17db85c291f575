import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** The path of a program of this machine, in the places for administrators too; undefined: it is not installed. */
export function program(name: string, ...asks: string[]): string | undefined {
  const places = ['/usr/sbin', '/usr/bin', ...(process.env.PATH ?? '').split(':')]
  return places.map(at => join(at, name)).find(path => spawnSync(path, asks).status === 0)
}

/** What a test says that skips itself. */
export const absent = (path: string | undefined, name: string): string | false =>
  path === undefined && `${name} is not installed`
