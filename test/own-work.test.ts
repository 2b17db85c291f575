import { setImmediate as turnOfLoop } from 'node:timers/promises'
import t from 'tap'
import { createGivingWay, type GivingWay } from '../src/own-work.ts'
import { requestTrace, timed } from '../src/request-trace.ts'
import { until } from './until.ts'

/** A clock that stands still until it is moved, and what has had its turn so far. */
function standing() {
  let at = 0
  const went: string[] = []
  const givingWay = createGivingWay(() => at)
  return {
    givingWay,
    went,
    move: (ms: number) => {
      at += ms
    },
    ask: (name: string) => void givingWay.turn().then(() => went.push(name))
  }
}
/** Time for whatever could go on: more turns of the event loop than anything here takes. */
const meanwhile = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await turnOfLoop()
}
const traceOf = (givingWay: GivingWay) => ({
  requestId: 'req_1',
  timing: { queue: 0, upstream: 0, open: [] },
  ownWork: givingWay.begin()
})

t.test('nobody is waited for: everything has its turn, each one its own, in order', async t => {
  const { givingWay, went, ask } = standing()
  const turns: number[] = []
  let turn = 0
  let counting = true
  const count = (): void => {
    turn++
    if (counting) setImmediate(count)
  }
  setImmediate(count)
  for (const name of ['a', 'b', 'c']) {
    ask(name)
    void givingWay.turn().then(() => turns.push(turn))
  }
  await until(
    () => went.length,
    n => n === 3
  )
  counting = false
  t.same(went, ['a', 'b', 'c'])
  t.equal(new Set(turns).size, 3, `${turns}`)
})

t.test('it gives way to what a caller waits for, until that is answered', async t => {
  const { givingWay, went, ask } = standing()
  const [one, two] = [givingWay.begin(), givingWay.begin()]
  ask('webhook')
  one.end()
  await meanwhile()
  t.same(went, [])
  two.end()
  await until(
    () => went.length,
    n => n === 1
  )
})

t.test('and for no longer than 10 ms, however much comes in', async t => {
  const { givingWay, went, move, ask } = standing()
  givingWay.begin()
  ask('first')
  move(9)
  ask('second')
  givingWay.begin()
  await meanwhile()
  t.same(went, [])
  move(1)
  await until(
    () => went.length,
    n => n === 1
  )
  await meanwhile()
  t.same(went, ['first'])
  move(9)
  await until(
    () => went.length,
    n => n === 2
  )
})

t.test('a provider that takes its time is not waited for, and what follows its answer is again', async t => {
  const { givingWay, went, move, ask } = standing()
  const trace = traceOf(givingWay)
  let answer = (): void => undefined
  const sent = requestTrace.run(trace, () =>
    timed('queue', () => timed('upstream', () => new Promise<void>(resolve => (answer = resolve))))
  )
  ask('at once')
  await meanwhile()
  t.same(went, [], 'it may answer in a moment')
  move(3)
  await until(
    () => went.length,
    n => n === 1
  )
  answer()
  await sent
  ask('beside the answer')
  await meanwhile()
  t.same(went, ['at once'])
  trace.ownWork.end()
  await until(
    () => went.length,
    n => n === 2
  )
})

t.test('what waits for long without telling so holds nothing up, nor does what goes on after its answer', async t => {
  const { givingWay, went, move, ask } = standing()
  givingWay.begin()
  move(50)
  ask('beside a stream')
  await until(
    () => went.length,
    n => n === 1
  )
  const trace = traceOf(givingWay)
  trace.ownWork.end()
  await requestTrace.run(trace, () => timed('upstream', async () => undefined))
  ask('after the end')
  await until(
    () => went.length,
    n => n === 2
  )
  t.same(went, ['beside a stream', 'after the end'])
})
