import { globSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

/** What a file took, for whoever asks by `TIMES=1 npm test`. */
function told(file: string, start: number, before: NodeJS.CpuUsage): void {
  if (!process.env.TIMES) return
  const { user, system } = process.cpuUsage(before)
  const seconds = (ms: number) => (ms / 1000).toFixed(1).padStart(6)
  console.error(`${seconds(performance.now() - start)} s ${seconds((user + system) / 1000)} s cpu  ${file}`)
}

/**
 * Runs short test files in this process, one after another, each as if it were run by itself: what a small one costs is mostly
 * the start of its process.
 * @param patterns folders and files within `test/`
 */
export async function together(...patterns: string[]): Promise<void> {
  const cwd = import.meta.dirname
  const files = globSync(patterns, { cwd, exclude: ['**/*.long.test.ts'] }).sort()
  const ends: (() => unknown)[] = []
  // What a file cleans up at its end is not left to the end of all, and the first would let tap end while a file is loaded.
  t.teardown = end => void ends.push(end)
  // What nobody catches fails the run; the files behind it are tried all the same.
  process.on('uncaughtException', error => void t.threw(error))
  for (const file of files) {
    const [start, before] = [performance.now(), process.cpuUsage()]
    // The time of a file, not of all of them.
    t.setTimeout(300_000)
    t.jobs = 1
    try {
      await import(join(cwd, file))
    } catch (error) {
      t.fail(`${file} cannot be loaded: ${(error as Error).stack}`)
    }
    // Subtests wait in line: this one's turn comes when those of the file have ended.
    await t.test(`end of ${file}`, async () => {})
    for (const end of ends.splice(0).reverse()) await end()
    told(file, start, before)
  }
}
