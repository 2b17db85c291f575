import t from 'tap'
import { run } from './run.ts'

// The short form, at every commit. The long one: npm run torture -- --rounds 200 --store sqlite|postgres --seed 1

/** Rules of what the providers tell, and of what is told of it by events. */
const told = ['unheard', 'echo', 'eventless', 'ghost', 'untold', 'order', 'usage']

t.test('kill -9, pauses, a bad network and a failing provider: nothing is lost, sent twice or told wrong', async t => {
  const { code, output } = await run(t, '--rounds', 'kill,readerDies,pause,killTwice,broadcastDies,refuse')
  t.equal(code, 0)
  t.match(output, /broadcastRows [1-9]/, 'broadcasts are among it')
  for (const rule of ['lost', 'twice', 'falseNo', 'falseYes', 'limbo', 'backwards', 'stranger', ...told])
    t.match(output, new RegExp(`^0 of [1-9]\\d* against ${rule}:`, 'm'), `${rule} was held against something`)
})

const controls = {
  naive: 'an unknown outcome tried again',
  batches: 'an unknown batch sent again'
}
/** Far more than it takes: which calls meet a fault is a matter of chance, and the first find ends the run. */
const enough = Array(100).fill('calm').join()
for (const [name, what] of Object.entries(controls))
  t.test(`POSITIVE CONTROL: with ${what}, the same run finds double sends`, async t => {
    const { code, output } = await run(t, '--rounds', enough, '--broken', name, '--hasty')
    t.equal(code, 1)
    t.match(output, /^[1-9]\d* of \d+ against twice:/m)
  })
