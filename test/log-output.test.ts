import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { createLogOutput, type Descriptor } from '../src/log-output.ts'
import { until as untilRight } from './until.ts'

const until = (is: () => boolean | Promise<boolean>): Promise<boolean> => untilRight(async () => is(), Boolean, 30_000)

// docs/reliability.md P51: whatever becomes of standard output, the log waits for nobody and says what it lost.

/** A descriptor that does as it is told, and what came through it. */
function rig() {
  const state = {
    text: '',
    fault: undefined as string | undefined,
    room: Number.POSITIVE_INFINITY,
    held: [] as (() => void)[]
  }
  const take = (bytes: Uint8Array): number => {
    if (state.fault) throw Object.assign(new Error(state.fault), { code: state.fault })
    if (state.room <= 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' })
    const part = bytes.subarray(0, Math.min(bytes.length, state.room))
    state.room -= part.length
    state.text += Buffer.from(part)
    return part.length
  }
  const descriptor: Descriptor = {
    writeSync: take,
    write: (bytes, done) =>
      setImmediate(() => {
        try {
          done(null, take(bytes))
        } catch (error) {
          done(error as NodeJS.ErrnoException, 0)
        }
      })
  }
  return { state, output: createLogOutput(descriptor) }
}
const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}\n`)

t.test('lines come in their order, in few pieces, also through a pipe that takes a part of each', async t => {
  const { state, output } = rig()
  const lines = numbered(0, 5000)
  state.room = 1000
  const more = setInterval(() => (state.room = 7001), 5)
  t.teardown(() => clearInterval(more))
  for (const line of lines) output.write(line)
  await until(() => state.text.length === lines.join('').length)
  t.equal(state.text, lines.join(''))
  t.equal(output.lost(), 0)
})

t.test(
  'what no reader takes is kept up to a megabyte, the rest is counted, and both are told to the next reader',
  async t => {
    const { state, output } = rig()
    state.room = 0
    const line = `${'x'.repeat(1023)}\n`
    for (let i = 0; i < 3000; i++) output.write(line)
    t.ok(output.lost() > 1900 && output.lost() < 2000, `${output.lost()} lost`)
    state.room = Number.POSITIVE_INFINITY
    await until(() => state.text.split('\n').length > 3000 - output.lost())
    output.write('later\n')
    output.flush()
    await until(() => state.text.endsWith('later\n'))
    const told = state.text.split('\n').filter(text => text.includes('were lost'))
    t.equal(told.length, 1)
    t.match(JSON.parse(told[0]!), { level: 'warn', lines: output.lost() })
  }
)

t.test('a disk that is full costs the lines of its time, and is tried again', async t => {
  const { state, output } = rig()
  for (const fault of ['ENOSPC', 'EPIPE', 'EIO', 'EBADF']) {
    const before = output.lost()
    state.fault = fault
    output.write(`in vain ${fault}\n`)
    output.flush()
    await until(() => output.lost() === before + 1)
    state.fault = undefined
    output.write(`after ${fault}\n`)
    await until(() => state.text.includes(`after ${fault}\n`))
  }
  t.notMatch(state.text, 'in vain')
})

t.test('at the end all that has gathered is written at once; a reader who reads nothing is not waited for', async t => {
  const { state, output } = rig()
  output.write('last words\n')
  output.finish(0)
  t.equal(state.text, 'last words\n')
  state.room = 4
  output.write('more words\n')
  output.finish(0)
  t.equal(state.text, 'last words\nmore')
  t.equal(output.lost(), 1)
  for (const fault of ['ENOSPC', 'EPIPE']) {
    state.fault = fault
    output.write('x\n')
    t.doesNotThrow(() => output.finish(60_000), 'a fault is no reason to wait')
  }
})

/** A process that writes more than a pipe holds to a reader who reads nothing, and that has begun to exit. */
async function exiting(t: Test, source: string): Promise<{ over: () => boolean; ended: Promise<unknown> }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  await once(child.stderr, 'data')
  return { over: () => child.exitCode !== null, ended }
}
const module = new URL('../src/log-output.ts', import.meta.url).href
const exit = `setTimeout(() => { process.stderr.write('exiting'); process.exit(0) }, 100)`

t.test('a pipe that nobody reads does not keep the process from its end', async t => {
  const control = await exiting(t, `import { write } from 'node:fs'; write(1, 'x'.repeat(500_000), () => {}); ${exit}`)
  const ours = await exiting(
    t,
    `import { createLogOutput, standard } from ${JSON.stringify(module)}; const output = createLogOutput(standard(1)); output.write('x'.repeat(500_000)); output.flush(); ${exit}`
  )
  t.strictSame(await ours.ended, [0, null])
  t.notOk(control.over(), 'CONTROL: a write that waits does, though it began earlier')
})
