import fc from 'fast-check'
import t from 'tap'
import { createPunctuality } from '../../../src/delivery/scheduling/punctuality.ts'
import { earliest } from '../../../src/delivery/scheduling/rate-limiter.ts'

const second = 1000
const start = () => {
  const clock = { now: 0 }
  return { clock, punctuality: createPunctuality(() => clock.now) }
}

t.test(
  'a quiet machine uses at least 97 % of the rate within a minute, and begins with what a busy one leaves free',
  t => {
    const { clock, punctuality } = start()
    const share = () => second / (second + punctuality.lateMs() + punctuality.wayMs())
    t.ok(share() < 0.92, `${share()}`)
    for (; clock.now < 60 * second; clock.now += 100) punctuality.left(1)
    t.ok(share() > 0.97, `${share()}`)
    t.end()
  }
)

t.test('a stall widens what is left free at once, and is forgotten', t => {
  const { clock, punctuality } = start()
  clock.now = 120 * second
  const quiet = [punctuality.lateMs(), punctuality.wayMs()]
  punctuality.left(45)
  t.ok(punctuality.lateMs() >= 60 && punctuality.wayMs() >= 40)
  clock.now += 120 * second
  t.strictSame([punctuality.lateMs(), punctuality.wayMs()], quiet)
  t.end()
})

t.test('an account that refuses in spite of the slots is given more room each time, and the rate is found again', t => {
  const { clock, punctuality } = start()
  const settled = () => {
    clock.now += 120 * second
    return punctuality.wayMs()
  }
  const before = settled()
  punctuality.disagreed()
  t.ok(punctuality.wayMs() > 3 * before, 'at once')
  const once = settled()
  t.ok(once > before, 'what it taught lasts longer than a stall')
  punctuality.disagreed()
  t.ok(settled() > 1.5 * once, 'the second time more')
  for (let i = 0; i < 20; i++) punctuality.disagreed()
  t.ok(punctuality.wayMs() <= 100)
  clock.now += 3 * 3600 * second
  t.equal(punctuality.wayMs(), before, 'after hours the full rate is tried again')
  t.end()
})

/** Lets processes of different lateness use slots of one limit; answers the least distance of a call to the tenth before it. */
function closest(
  lateness: { allowed: number; used: number }[],
  booked: (at: number, allowed: number) => number
): number {
  const limit = { key: 'account/live', calls: 10, windowMs: second, spread: true as const }
  const log: number[] = []
  const left: number[] = []
  for (const { allowed, used } of lateness) {
    const at = earliest({ limit, now: 1_000_000, log }, false, allowed)
    log.push(booked(at, allowed))
    log.sort((a, b) => a - b)
    left.push(at + Math.min(used, allowed))
  }
  left.sort((a, b) => a - b)
  return Math.min(...left.slice(10).map((at, i) => at - left[i]!))
}
const calls = fc.array(fc.record({ allowed: fc.integer({ min: 8, max: 60 }), used: fc.integer({ min: 0, max: 60 }) }), {
  minLength: 20,
  maxLength: 60
})

t.test('however late each of several processes is, no eleven calls leave within a window', t => {
  fc.assert(fc.property(calls, list => closest(list, (at, allowed) => at + allowed) >= second))
  t.throws(
    () => fc.assert(fc.property(calls, list => closest(list, at => at) >= second)),
    'CONTROL: not so where the log holds no lateness'
  )
  t.end()
})
