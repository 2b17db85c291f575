import fc from 'fast-check'
import t from 'tap'
import { createPunctuality } from '../../../src/delivery/scheduling/punctuality.ts'
import { createQuickest } from '../../../src/delivery/scheduling/quickest.ts'
import { earliest } from '../../../src/delivery/scheduling/rate-limiter.ts'
import { createRandom } from '../../torture/random.ts'

const second = 1000
const start = () => {
  const clock = { now: 0 }
  return { clock, punctuality: createPunctuality(() => clock.now) }
}

t.test(
  'a quiet machine uses at least 97 % of the rate within a minute, and begins with what a busy one leaves free',
  t => {
    const { clock, punctuality } = start()
    const share = () => second / (second + punctuality.lateMs() + punctuality.wayMs() + punctuality.spareMs('live'))
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
    return punctuality.spareMs('live')
  }
  const before = settled()
  punctuality.disagreed('live')
  t.ok(punctuality.spareMs('live') > 2 * before, 'at once')
  const once = settled()
  t.ok(once > before, 'what it taught lasts longer than a stall')
  punctuality.disagreed('live')
  t.ok(settled() > 1.5 * once, 'the second time more')
  for (let i = 0; i < 20; i++) punctuality.disagreed('live')
  t.ok(punctuality.spareMs('live') <= 100)
  clock.now += 3 * 3600 * second
  t.equal(punctuality.spareMs('live'), before, 'after hours the full rate is tried again')
  t.end()
})

interface Call {
  /** Milliseconds by which it may leave late, and by which it does. */
  allowed: number
  used: number
  /** Milliseconds that its way may take, and that it does. */
  most: number
  way: number
  /** After how many more slots it is known when it left, and when it was answered. */
  told: number
}
/**
 * Lets processes of different lateness use slots of one limit; answers when their calls arrive, in that order.
 * @param booked what stands in the log for a call at first
 * @param corrected what stands there when it is known
 */
function arrivals(
  calls: Call[],
  booked = (at: number, { allowed, most }: Call): number => at + allowed + most,
  corrected = (left: number, { way }: Call): number => left + way
): number[] {
  const limit = { key: 'account/live', calls: 10, windowMs: second, spread: true as const }
  const slots: { entry: number; left: number; call: Call }[] = []
  for (const call of calls) {
    const known = (i: number): boolean => i + slots[i]!.call.told < slots.length
    const log = slots
      .map(({ entry, left, call }, i) => (known(i) ? corrected(left, call) : entry))
      .sort((a, b) => a - b)
    const last = Math.max(0, ...slots.map(({ left }) => left))
    const at = earliest({ limit, now: 1_000_000, log, last }, false)
    slots.push({ entry: booked(at, call), left: at + Math.min(call.used, call.allowed), call })
  }
  return slots.map(({ left, call }) => left + call.way).sort((a, b) => a - b)
}
/** The least distance of a call to the tenth before it. */
const closest = (...of: Parameters<typeof arrivals>): number => {
  const at = arrivals(...of)
  return Math.min(...at.slice(10).map((each, i) => each - at[i]!))
}
const calls = fc.array(
  fc
    .record({
      allowed: fc.integer({ min: 8, max: 60 }),
      used: fc.integer({ min: 0, max: 60 }),
      most: fc.integer({ min: 16, max: 100 }),
      way: fc.integer({ min: 0, max: 100 }),
      told: fc.integer({ min: 1, max: 60 })
    })
    .map(call => ({ ...call, way: Math.min(call.way, call.most) })),
  { minLength: 20, maxLength: 60 }
)
const always = (holds: (list: Call[]) => boolean, numRuns = 100): void =>
  fc.assert(fc.property(calls, holds), { numRuns })
/** A control ends at its first find: how long that takes is a matter of chance. */
const enough = 20_000

t.test('however late each of several processes is, and its calls on their way, no eleven arrive within a window', t => {
  always(list => closest(list) >= second)
  for (const [without, booked] of [
    ['lateness', (at: number, { most }: Call) => at + most],
    ['way', (at: number, { allowed }: Call) => at + allowed]
  ] as const)
    t.throws(
      () => always(list => closest(list, booked) >= second, enough),
      `CONTROL: not so where the log holds no ${without}`
    )
  for (const [before, corrected] of [
    ['left', (left: number, { way }: Call) => left + way - 10],
    ['arrived', (left: number) => left]
  ] as const)
    t.throws(
      () => always(list => closest(list, undefined, corrected) >= second, enough),
      `CONTROL: nor where it is corrected to before a call ${before}`
    )
  t.end()
})

t.test('what a slot was given away with is won back when its call has left in time, and was answered as usual', t => {
  const punctual = Array.from({ length: 60 }, () => ({ allowed: 60, used: 1, most: 40, way: 1, told: 1 }))
  const over = (list: typeof punctual) => arrivals(list).at(-1)! - 1_000_000
  const untold = over(punctual.map(each => ({ ...each, told: 100 })))
  t.ok(over(punctual) <= 5.95 * second, `${over(punctual)}`)
  t.ok(untold > 6.15 * second, `CONTROL: ${untold}`)
  t.end()
})

t.test('where one call in ten is slow, that takes no more of the rate than its own share', t => {
  const random = createRandom(7)
  const list = Array.from({ length: 1000 }, () => ({
    ...{ allowed: 8, used: 1, most: 40, told: 5 },
    way: random.whole(0, 9) === 0 ? 40 : 1
  }))
  const used = (10 * (list.length - 1)) / ((arrivals(list).at(-1)! - 1_000_000) / second) / 100
  t.ok(used > 0.985, `${used}`)
  t.end()
})

t.test('the quickest of the last answers is known after ten of them, and forgotten after a hundred', t => {
  const quickest = createQuickest()
  for (let i = 0; i < 9; i++) quickest.note(i === 4 ? 3 : 20)
  t.equal(quickest.value(), undefined)
  quickest.note(20)
  t.equal(quickest.value(), 3)
  for (let i = 0; i < 45; i++) quickest.note(20)
  t.equal(quickest.value(), 3)
  for (let i = 0; i < 55; i++) quickest.note(20)
  t.equal(quickest.value(), 20)
  quickest.note(2)
  t.equal(quickest.value(), 2)
  t.end()
})
