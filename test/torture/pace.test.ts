import t from 'tap'
import { paceOf } from './pace.ts'

const every = (ms: number, count: number) => Array.from({ length: count }, (_, i) => 1_000_000 + i * ms)

t.test('a pace of 105 ms is 10 in any second, and most of the rate', async t => {
  const { most, used, calls } = paceOf(every(105, 200))
  t.equal(most, 10)
  t.equal(calls, 200)
  t.ok(used > 0.93 && used < 0.97, `${used}`)
})

t.test('POSITIVE CONTROL: a pace that is too fast, and one that wastes the rate, are seen', async t => {
  t.equal(paceOf(every(99, 50)).most, 11)
  t.equal(paceOf([...every(200, 50), 1_000_010, 1_000_020, 1_000_030, 1_000_040, 1_000_050, 1_000_060]).most, 11)
  t.ok(paceOf(every(130, 100)).used < 0.85)
})

t.test('calls exactly a second apart are not in one second', async t => t.equal(paceOf(every(1000, 5)).most, 1))
