import { spawn } from 'node:child_process'
import t, { type Test } from 'tap'

// The short form, at every commit. The long one: npm run torture -- --rounds 200 --store sqlite|postgres --seed 1

const main = new URL('main.ts', import.meta.url).pathname
const seed = '20261120'

/** One run in a process of its own, as by hand; what it says is shown. */
async function run(t: Test, ...more: string[]): Promise<{ code: number | null; output: string }> {
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

t.test('kill -9, pauses, a bad network and a failing provider: nothing is lost, sent twice or told wrong', async t => {
  const { code, output } = await run(t, '--rounds', 'kill,pause,killTwice,refuse')
  t.equal(code, 0)
  for (const rule of ['lost', 'twice', 'falseNo', 'falseYes', 'limbo', 'backwards', 'stranger'])
    t.match(output, new RegExp(`^0 of [1-9]\\d* against ${rule}:`, 'm'), `${rule} was held against something`)
})

t.test('POSITIVE CONTROL: with an unknown outcome tried again, the same run finds double sends', async t => {
  const { code, output } = await run(t, '--rounds', 'calm,calm,calm', '--broken', 'naive', '--hasty')
  t.equal(code, 1)
  t.match(output, /^[1-9]\d* of \d+ against twice:/m)
})
