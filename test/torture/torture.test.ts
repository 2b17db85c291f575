import t from 'tap'
import { report, rules } from './check.ts'
import type { BlowName } from './nemesis.ts'
import { torture } from './torture.ts'

// The short form, at every commit. The long one: npm run torture -- --rounds 200 --store sqlite|postgres --seed 1

const rounds: BlowName[] = ['kill', 'pause', 'killTwice', 'refuse']

t.test('kill -9, pauses, a bad network and a failing provider: nothing is lost, sent twice or told wrong', async t => {
  const seed = 20261120
  t.comment(`seed ${seed}`)
  const result = await torture({ store: 'sqlite', seed, rounds })
  for (const line of report(result)) t.comment(line)
  t.strictSame(result.violations, [])
  for (const rule of Object.keys(rules))
    t.ok(result.checked[rule as keyof typeof rules] > 0, `${rule} was held against something`)
})

t.test('POSITIVE CONTROL: with an unknown outcome tried again, the same run finds double sends', async t => {
  const result = await torture({
    store: 'sqlite',
    seed: 20261120,
    rounds: ['calm'],
    broken: 'naive',
    hasty: true
  })
  t.comment(`${result.violations.length} violations`)
  t.ok(result.violations.some(({ rule }) => rule === 'twice'))
})
