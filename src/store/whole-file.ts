import { closeSync, constants, fsyncSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** The row that a start from a copy finds, and holds everything back for. */
export interface Stamp {
  key: string
  detail: string
}

const syncPath = (path: string): void => {
  const fd = openSync(path, 'r')
  fsyncSync(fd)
  closeSync(fd)
}

/** Gives the finished copy its name, unless somebody else has it. */
function name(partial: string, file: string): void {
  try {
    linkSync(partial, file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw new Error(`${file} exists already, and a backup is never overwritten`)
    // A file system without hard links.
    if (statSync(file, { throwIfNoEntry: false })) throw error
    renameSync(partial, file)
  }
}

/**
 * Makes a file that only its owner can read, whole or not at all, and never over another: it has its name only once it is
 * on disk.
 * @param ends what may stand beside the unfinished file, by the endings of its name
 * @param fill writes the unfinished file, which exists and is empty
 */
export async function writeWhole(
  file: string,
  ends: readonly string[],
  fill: (partial: string) => Promise<void>
): Promise<{ bytes: number }> {
  if (statSync(file, { throwIfNoEntry: false }))
    throw new Error(`${file} exists already, and a backup is never overwritten`)
  const partial = `${file}.${process.pid}.partial`
  closeSync(openSync(partial, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600))
  try {
    await fill(partial)
    syncPath(partial)
    name(partial, file)
    syncPath(dirname(file))
  } finally {
    for (const end of ['', ...ends]) rmSync(partial + end, { force: true })
  }
  return { bytes: statSync(file).size }
}
