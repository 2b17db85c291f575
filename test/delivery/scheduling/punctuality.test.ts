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
  t.ok(punctuality.wayMs() > 2 * before, 'at once')
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

/**
 * Lets processes of different lateness use slots of one limit; answers when their calls leave, in that order.
 * @param told after how many more slots it is known when a call really left
 * @param corrected what then stands in the log for it
 */
function departures(
  lateness: { allowed: number; used: number; told: number }[],
  booked: (at: number, allowed: number) => number,
  corrected = (left: number): number => left
): number[] {
  const limit = { key: 'account/live', calls: 10, windowMs: second, spread: true as const }
  const slots: { entry: number; left: number; told: number }[] = []
  for (const { allowed, used, told } of lateness) {
    const log = slots
      .map(({ entry, left, told }, i) => (i + told < slots.length ? corrected(left) : entry))
      .sort((a, b) => a - b)
    const at = earliest({ limit, now: 1_000_000, log }, false, allowed)
    slots.push({ entry: booked(at, allowed), left: at + Math.min(used, allowed), told })
  }
  return slots.map(({ left }) => left).sort((a, b) => a - b)
}
/** The least distance of a call to the tenth before it. */
const closest = (...of: Parameters<typeof departures>): number => {
  const left = departures(...of)
  return Math.min(...left.slice(10).map((at, i) => at - left[i]!))
}
const calls = fc.array(
  fc.record({
    allowed: fc.integer({ min: 8, max: 60 }),
    used: fc.integer({ min: 0, max: 60 }),
    told: fc.integer({ min: 1, max: 60 })
  }),
  { minLength: 20, maxLength: 60 }
)

t.test('however late each of several processes is, no eleven calls leave within a window', t => {
  fc.assert(fc.property(calls, list => closest(list, (at, allowed) => at + allowed) >= second))
  t.throws(
    () => fc.assert(fc.property(calls, list => closest(list, at => at) >= second)),
    'CONTROL: not so where the log holds no lateness'
  )
  t.throws(
    () =>
      fc.assert(
        fc.property(
          calls,
          list =>
            closest(
              list,
              (at, allowed) => at + allowed,
              left => left - 10
            ) >= second
        )
      ),
    'CONTROL: nor where it is corrected to before a call left'
  )
  t.end()
})

t.test('what a slot was given away with as its lateness is won back when its call has left in time', t => {
  const punctual = Array.from({ length: 60 }, () => ({ allowed: 60, used: 1, told: 1 }))
  const over = (list: typeof punctual) => departures(list, (at, allowed) => at + allowed).at(-1)! - 1_000_000
  const untold = over(punctual.map(each => ({ ...each, told: 100 })))
  t.ok(over(punctual) <= 5.95 * second, `${over(punctual)}`)
  t.ok(untold > 6.15 * second, `CONTROL: ${untold}`)
  t.end()
})
