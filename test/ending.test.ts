import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'

// docs/reliability.md P51: the end of the process depends on nothing.

/** A process of which only the ending is ours. */
function ending(t: Test, work: string): { child: ChildProcess; ended: Promise<unknown[]> } {
  const at = (name: string) => JSON.stringify(new URL(`../src/${name}`, import.meta.url).href)
  const source = `
    import { open } from 'node:fs'
    import { endWithGrace } from ${at('ending.ts')}
    import { createLogOutput, standard } from ${at('log-output.ts')}
    import { createLogger } from ${at('logger.ts')}
    const output = createLogOutput(standard(1))
    const log = createLogger('info', [], output)
    setInterval(() => {}, 1000)
    ${work}
    log.warn('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  t.teardown(() => child.kill('SIGKILL'))
  return { child, ended }
}

t.test('the end comes for certain', async t => {
  t.test('after a close that never ends, when the grace is over', async t => {
    const { child, ended } = ending(t, `endWithGrace({ graceMs: 100, log, output }, () => new Promise(() => {}))`)
    await once(child.stdout!, 'data')
    child.kill('SIGTERM')
    t.strictSame(await ended, [null, 'SIGKILL'])
  })
  t.test('at a second signal', async t => {
    const { child, ended } = ending(
      t,
      `endWithGrace({ graceMs: 60_000, log, output }, () => new Promise(() => log.warn('closing')))`
    )
    await once(child.stdout!, 'data')
    child.kill('SIGTERM')
    await once(child.stdout!, 'data')
    child.kill('SIGTERM')
    t.strictSame(await ended, [null, 'SIGKILL'])
  })
  t.test('with a thread that hangs in the system', async t => {
    const directory = mkdtempSync(join(tmpdir(), 'switchboard-fifo-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    const fifo = join(directory, 'fifo')
    execFileSync('mkfifo', [fifo])
    const { child, ended } = ending(
      t,
      `open(${JSON.stringify(fifo)}, 'r', () => {}); endWithGrace({ graceMs: 60_000, log, output }, async () => {})`
    )
    await once(child.stdout!, 'data')
    child.kill('SIGTERM')
    t.strictSame(await ended, [null, 'SIGKILL'])
  })
  t.test('CONTROL: with nothing in its way it exits as it should', async t => {
    const { child, ended } = ending(t, `endWithGrace({ graceMs: 60_000, log, output }, async () => {})`)
    await once(child.stdout!, 'data')
    child.kill('SIGTERM')
    t.strictSame(await ended, [0, null])
  })
})
