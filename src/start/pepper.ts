import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'

const file = 'key-pepper'

/** What stands in the file, or a sentence that says why it cannot be the pepper. */
function read(directory: string): { pepper: string } | { fault: string } {
  const pepper = readFileSync(join(directory, file), 'utf8').trim()
  const restore = `put the ${file} back that DATA_DIR had, or set KEY_PEPPER to what it held`
  if (pepper === '') return { fault: `DATA_DIR/${file} is empty: ${restore}` }
  if (!/^[\x21-\x7e]{32,512}$/.test(pepper))
    return { fault: `DATA_DIR/${file} is damaged (32 printable characters or more): ${restore}` }
  return { pepper }
}

/** Makes the file whole or not at all: half a pepper would be another one for ever. */
function make(directory: string): void {
  const half = join(directory, `.${file}-${process.pid}`)
  const fd = openSync(half, 'wx', 0o600)
  try {
    writeFileSync(fd, `${randomBytes(32).toString('hex')}\n`)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  try {
    linkSync(half, join(directory, file))
  } catch (error) {
    // EEXIST: another process was faster, and its pepper is the one. Else it is a file system without links.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') renameSync(half, join(directory, file))
  } finally {
    rmSync(half, { force: true })
  }
  const folder = openSync(directory, 'r')
  fsyncSync(folder)
  closeSync(folder)
}

/**
 * The pepper of the settings, or the one that was made once beside the embedded store: a file, so that no dump of the
 * database holds it. Made only where there is no store yet: beside one, it would be another than the keys were made with.
 * @throws Error with a sentence that names the file
 */
export function findPepper(given: string | undefined, directory: string): string {
  if (given) return given
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (!existsSync(join(directory, file))) {
    if (existsSync(join(directory, 'switchboard.db')))
      throw new Error(
        `DATA_DIR holds a store but no ${file}, so none of its keys would be valid: put the file back, or set KEY_PEPPER to what it held`
      )
    make(directory)
  }
  const found = read(directory)
  if ('fault' in found) throw new Error(found.fault)
  return found.pepper
}
