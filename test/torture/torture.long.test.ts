import { spawn } from 'node:child_process'
import t, { type Test } from 'tap'
import { hearing } from './broken.ts'

// The short form, at every commit. The long one: npm run torture -- --rounds 200 --store sqlite|postgres --seed 1

const main = new URL('main.ts', import.meta.url).pathname
const seed = '20261120'

/** Rules of what the providers tell, and of what is told of it by events. */
const told = ['unheard', 'echo', 'eventless', 'ghost']

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
  const { code, output } = await run(t, '--rounds', 'kill,readerDies,pause,killTwice,readerDies,refuse')
  t.equal(code, 0)
  for (const rule of ['lost', 'twice', 'falseNo', 'falseYes', 'limbo', 'backwards', 'stranger', ...told])
    t.match(output, new RegExp(`^0 of [1-9]\\d* against ${rule}:`, 'm'), `${rule} was held against something`)
})

t.test('POSITIVE CONTROL: with an unknown outcome tried again, the same run finds double sends', async t => {
  const { code, output } = await run(t, '--rounds', 'calm,calm,calm', '--broken', 'naive', '--hasty')
  t.equal(code, 1)
  t.match(output, /^[1-9]\d* of \d+ against twice:/m)
})

// What was taken out, the rule that has to find it, and the blows under which it shows.
const calm = Array(12).fill('calm').join()
const kills = 'kill,readerDies,kill,kill'
const controls: Record<keyof typeof hearing, [rule: string, rounds: string]> = {
  unkept: ['unheard', kills],
  dropped: ['unheard', kills],
  forgetful: ['echo', calm],
  impatient: ['unheard', calm],
  latest: ['unheard', calm],
  eventless: ['eventless', calm],
  twofold: ['ghost', calm]
}
for (const [name, [rule, rounds]] of Object.entries(controls))
  t.test(`POSITIVE CONTROL: ${hearing[name]!.says}, and the judge finds it`, async t => {
    const { code, output } = await run(t, '--rounds', rounds, '--broken', name)
    t.equal(code, 1)
    t.match(output, new RegExp(`^[1-9]\\d* of \\d+ against ${rule}:`, 'm'))
  })

t.test('every safety of hearing has its control', async t => t.strictSame(Object.keys(controls), Object.keys(hearing)))
