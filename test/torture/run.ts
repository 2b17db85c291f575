import { spawn } from 'node:child_process'
import type { Test } from 'tap'

const main = new URL('main.ts', import.meta.url).pathname
const seed = '20261120'

/** One run in a process of its own, as by hand; what it says is shown. */
export async function run(t: Test, ...more: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [main, '--store', 'sqlite', '--seed', seed, ...more], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => child.kill('SIGTERM'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk))
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  for (const line of output.trim().split('\n')) t.comment(line)
  return { code, output }
}
