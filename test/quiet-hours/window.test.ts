import fc from 'fast-check'
import t from 'tap'
import { type SendingWindow, weekdays } from '../../schemas/channel-settings.ts'
import { createQuietHours, marginMs } from '../../src/quiet-hours/index.ts'
import { loadZones } from '../../src/quiet-hours/places.ts'
import { isInside, spanAt, windowFaults } from '../../src/quiet-hours/window.ts'

// When a broadcast may go out: over midnight, over changes of the clock, in countries with many zones (docs/broadcasts.md).

const minute = 60_000
const log = { error: () => {} }
const at = (instant: string) => Date.parse(instant)
const window = (from: string, to: string, timeZone = 'recipient', days?: SendingWindow['days']): SendingWindow => ({
  ...{ from, to, timeZone },
  ...(days && { days })
})
const clocks = new Map<string, Intl.DateTimeFormat>()
/** What a clock on the wall shows, by another way than the code's own. */
function wall(zone: string, now: number): { day: string; time: string } {
  const clock =
    clocks.get(zone) ??
    new Intl.DateTimeFormat('en-GB', { timeZone: zone, weekday: 'short', hour: '2-digit', minute: '2-digit' })
  clocks.set(zone, clock)
  const parts = Object.fromEntries(clock.formatToParts(now).map(({ type, value }) => [type, value]))
  return { day: parts.weekday!.toLowerCase(), time: `${parts.hour}:${parts.minute}` }
}

t.test('inside is what the clock on the wall says', t => {
  const cases: [SendingWindow, string, string, boolean][] = [
    [window('09:00', '20:00'), 'Europe/Berlin', '2026-07-01T06:59:59.999Z', false],
    [window('09:00', '20:00'), 'Europe/Berlin', '2026-07-01T07:00:00Z', true],
    [window('09:00', '20:00'), 'Europe/Berlin', '2026-07-01T17:59:59.999Z', true],
    [window('09:00', '20:00'), 'Europe/Berlin', '2026-07-01T18:00:00Z', false],
    [window('22:00', '02:00'), 'UTC', '2026-07-01T23:30:00Z', true],
    [window('22:00', '02:00'), 'UTC', '2026-07-02T01:59:00Z', true],
    [window('22:00', '02:00'), 'UTC', '2026-07-02T02:00:00Z', false],
    [window('00:00', '24:00'), 'Asia/Kathmandu', '2026-07-02T18:15:00Z', true],
    // A Friday: its night is of Friday, and the Saturday's is not.
    [window('22:00', '02:00', 'x', ['fri']), 'UTC', '2026-07-03T23:00:00Z', true],
    [window('22:00', '02:00', 'x', ['fri']), 'UTC', '2026-07-04T01:00:00Z', true],
    [window('22:00', '02:00', 'x', ['fri']), 'UTC', '2026-07-03T01:00:00Z', false],
    [window('22:00', '02:00', 'x', ['fri']), 'UTC', '2026-07-04T23:00:00Z', false],
    // Sunday in Auckland while it is Saturday in London.
    [window('08:00', '20:00', 'x', ['sun']), 'Pacific/Auckland', '2026-07-04T22:00:00Z', true]
  ]
  for (const [of, zone, instant, inside] of cases)
    t.equal(isInside(of, zone, at(instant)), inside, `${zone} ${instant}`)
  t.end()
})

t.test('when the clock goes on or back, nothing is left out and nothing goes at night', t => {
  // 29 March 2026: 02:00 to 03:00 is not there. 25 October: it is there twice.
  const opens = (of: SendingWindow, now: string) => new Date(spanAt(of, [of.timeZone], at(now)).until!).toISOString()
  const berlin = (from: string, to: string) => window(from, to, 'Europe/Berlin')
  t.equal(opens(berlin('09:00', '20:00'), '2026-03-28T22:00:00Z'), '2026-03-29T07:00:00.000Z', 'an hour less of night')
  t.equal(opens(berlin('09:00', '20:00'), '2026-10-24T20:00:00Z'), '2026-10-25T08:00:00.000Z', 'and an hour more')
  t.equal(opens(berlin('02:30', '05:00'), '2026-03-28T22:00:00Z'), '2026-03-29T01:00:00.000Z', 'at once at three')
  t.equal(opens(berlin('02:10', '02:50'), '2026-03-28T22:00:00Z'), '2026-03-30T00:10:00.000Z', 'not at all that day')
  t.equal(opens(berlin('02:10', '02:50'), '2026-10-25T00:55:00Z'), '2026-10-25T01:10:00.000Z', 'and twice on that one')
  // Half an hour, in the middle of a window that stays open.
  const howe = window('01:00', '04:00', 'Australia/Lord_Howe')
  t.match(spanAt(howe, [howe.timeZone], at('2026-10-03T15:00:00Z')), { open: true, until: at('2026-10-03T17:00:00Z') })
  t.end()
})

t.test('in every zone, around every change of the clock: what is told of a window is what the wall shows', t => {
  const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'America/St_Johns', 'Asia/Kolkata', 'Australia/Lord_Howe']
  const others = ['Africa/Casablanca', 'Pacific/Apia', 'Pacific/Chatham', 'Asia/Tehran', 'America/Sao_Paulo']
  const time = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  const text = ([hours, minutes]: [number, number]) => [hours, minutes].map(n => String(n).padStart(2, '0')).join(':')
  const some = fc.record({
    from: time.map(text),
    to: time.map(text),
    days: fc.option(fc.subarray([...weekdays], { minLength: 1 }), { nil: undefined })
  })
  const given = fc.record({
    some,
    zones: fc.uniqueArray(fc.constantFrom(...zones, ...others), { minLength: 1, maxLength: 3 }),
    now: fc.oneof(
      fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2028-01-01T00:00:00Z') }),
      // Days on which clocks change.
      fc
        .tuple(
          fc.constantFrom('2026-03-08', '2026-03-29', '2026-04-04', '2026-10-25', '2026-11-01'),
          fc.integer({ min: -1500, max: 1500 })
        )
        .map(([day, minutes]) => at(`${day}T00:00:00Z`) + minutes * minute)
    )
  })
  fc.assert(
    fc.property(given, ({ some: { days, ...hours }, zones, now }) => {
      if (hours.from === hours.to) return
      const of = { ...hours, timeZone: 'recipient', ...(days && { days }) } as SendingWindow
      const shown = (moment: number) =>
        zones.every(zone => {
          const { day, time } = wall(zone, moment)
          const before = weekdays[(weekdays.indexOf(day as 'mon') + 6) % 7]!
          const on = (weekday: string) => !days || (days as string[]).includes(weekday)
          if (of.from < of.to) return time >= of.from && time < of.to && on(day)
          return (time >= of.from && on(day)) || (time < of.to && on(before))
        })
      const { open, until } = spanAt(of, zones, now)
      if (open !== shown(now)) throw new Error(`${open} at ${new Date(now).toISOString()}`)
      const end = Math.min(until ?? Number.POSITIVE_INFINITY, now + 2 * 1440 * minute)
      for (let moment = Math.ceil(now / minute) * minute; moment < end; moment += 7 * minute)
        if (shown(moment) !== open) throw new Error(`changes before, at ${new Date(moment).toISOString()}`)
      // What is open for as long as is looked has no end to be right about.
      if (until !== null && until < now + 15 * 1440 * minute && shown(until) === open)
        throw new Error('does not change')
    }),
    { numRuns: 150 }
  )
  t.end()
})

t.test('a country with many zones is open where all of them are, and never where they cannot be', async t => {
  const hours = createQuietHours(log)
  const evening = window('09:00', '20:00')
  t.equal(hours.opensAt(evening, '14155551234', at('2026-01-07T12:00:00Z')), undefined, 'not loaded yet')
  await hours.ready()
  const opens = (person: string, now: string, of = evening) => {
    const told = hours.opensAt(of, person, at(now))
    return typeof told === 'number' ? new Date(told).toISOString() : told
  }
  // Nine in Honolulu is two in the afternoon in New York.
  t.equal(opens('14155551234', '2026-01-07T12:00:00Z'), '2026-01-07T19:00:00.000Z')
  t.equal(opens('14155551234', '2026-01-07T20:00:00Z'), '2026-01-07T20:00:00.000Z', 'open: at once')
  t.equal(opens('14155551234', '2026-01-08T00:59:30Z'), '2026-01-08T19:00:00.000Z', 'its last minute is not used')
  t.equal(opens('US.13491208655302741918', '2026-01-07T12:00:00Z'), '2026-01-07T19:00:00.000Z', 'a user id as well')
  t.equal(opens('4915112345678', '2026-01-07T03:00:00Z'), '2026-01-07T08:00:00.000Z')
  t.equal(opens('38344123456', '2026-01-07T03:00:00Z'), '2026-01-07T08:00:00.000Z', 'Kosovo')
  t.equal(opens('14155551234', '2026-01-07T12:00:00Z', window('09:00', '12:00')), 'never')
  t.equal(opens('999123456789', '2026-01-07T12:00:00Z'), 'nowhere')
  t.equal(opens('870123456789', '2026-01-07T12:00:00Z'), 'nowhere', 'a ship')
  t.equal(opens('870123456789', '2026-01-07T12:00:00Z', window('09:00', '20:00', 'UTC')), '2026-01-07T12:00:00.000Z')
  const zones = await loadZones()
  fc.assert(
    fc.property(
      fc.constantFrom('14155551234', '5511987654321', '79161234567', '61412345678', '4915112345678', '919876543210'),
      fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2028-01-01T00:00:00Z') }),
      (person, now) => {
        const opening = hours.opensAt(evening, person, now) as number
        const later = opening + marginMs - 1
        return (
          opening >= now &&
          [opening, later].every(moment => zones(person).every(zone => isInside(evening, zone, moment)))
        )
      }
    )
  )
})

t.test('POSITIVE CONTROL: with one zone of a country alone, some would be written to at night', async t => {
  const zones = (await loadZones())('14155551234')
  const careless = createQuietHours(log, async () => () => ['America/New_York'])
  await careless.ready()
  const opening = careless.opensAt(window('09:00', '20:00'), '14155551234', at('2026-01-07T12:00:00Z')) as number
  t.notOk(zones.every(zone => isInside(window('09:00', '20:00'), zone, opening)))
})

t.test('where places cannot be loaded it is said once, and nothing is guessed', async t => {
  const told: unknown[] = []
  const broken = createQuietHours({ error: (...line: unknown[]) => void told.push(line[1]) }, async () => {
    throw new Error('no such module')
  })
  const ask = () => broken.opensAt(window('09:00', '20:00'), '4915112345678', Date.now())
  t.equal(ask(), undefined)
  await t.rejects(broken.ready(), /no such module/)
  t.equal(ask(), undefined)
  await new Promise(setImmediate)
  t.match(told, [/cannot be loaded/])
  t.equal(told.length, 1)
  t.equal(typeof broken.opensAt(window('09:00', '20:00', 'UTC'), '4915112345678', Date.now()), 'number')
})

t.test('what makes no window is told', t => {
  t.strictSame(windowFaults(window('09:00', '20:00')), [])
  t.strictSame(windowFaults(window('00:00', '24:00', 'Europe/Berlin')), [])
  t.strictSame(windowFaults(window('22:00', '06:00', 'UTC')), [])
  for (const [of, member] of [
    [window('09:00', '09:00'), 'to'],
    [window('09:00', '09:10'), 'to'],
    [window('23:55', '00:05'), 'to'],
    [window('09:00', '20:00', 'Mars/Olympus'), 'timeZone'],
    [window('09:00', '20:00', '+02:00'), 'timeZone'],
    [window('09:00', '20:00', ''), 'timeZone']
  ] as const)
    t.match(windowFaults(of), [{ member }], JSON.stringify(of))
  t.end()
})
