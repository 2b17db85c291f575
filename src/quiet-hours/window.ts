import { type SendingWindow, weekdays } from '../../schemas/channel-settings.ts'

// When a broadcast may go out, in the time of a place. A moment is inside where the clock on the wall there says so: so what a
// change of the clock leaves out is inside no window, and what it brings twice is inside twice.

const minute = 60_000
const wholeDay = 24 * 60
/** Clocks change at a quarter of an hour, wherever they do. */
const quarter = 15 * minute
/** A window that does not open within so many days does not open. */
const horizonMs = 16 * wholeDay * minute
/** A window is no shorter than this, in minutes: its last minute is not used, and a broadcast needs some. */
const shortest = 15

export interface Span {
  open: boolean
  /** Until when it stays so, in milliseconds; of a closed one with no end in sight: null. */
  until: number | null
}

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

const formats = new Map<string, Intl.DateTimeFormat>()
function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone)
  if (known) return known
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    hourCycle: 'h23',
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' }
  })
  formats.set(zone, format)
  return format
}

const offsets = new Map<string, number>()
/** Milliseconds by which a place is ahead of UTC at a moment. */
function offsetOf(zone: string, at: number): number {
  const since = Math.floor(at / quarter)
  const key = `${zone} ${since}`
  const known = offsets.get(key)
  if (known !== undefined) return known
  const begin = since * quarter
  const part = Object.fromEntries(
    formatOf(zone)
      .formatToParts(begin)
      .map(({ type, value }) => [type, Number(value)])
  )
  const { year = 0, month = 1, day = 1, hour = 0, minute: minutes = 0, second = 0 } = part
  const offset = Date.UTC(year, month - 1, day, hour, minutes, second) - begin
  if (offsets.size >= 50_000) offsets.clear()
  offsets.set(key, offset)
  return offset
}

/** Whether a name is one of a time zone, as the IANA database has it. */
export function isTimeZone(name: string): boolean {
  try {
    return /^[A-Za-z]/.test(name) && formatOf(name) !== undefined
  } catch {
    // Its way to say that there is no such zone.
    return false
  }
}

/** What JSON Schema cannot say of a window: each fault with the member that it is about. */
export function windowFaults({ from, to, timeZone }: SendingWindow): { member: string; message: string }[] {
  const length = (minutesOf(to) - minutesOf(from) + wholeDay) % wholeDay
  const whole = from === '00:00' && to === '24:00'
  return [
    ...(!whole && length < shortest
      ? [{ member: 'to', message: `must be at least ${shortest} minutes after from (00:00 to 24:00 is the whole day)` }]
      : []),
    ...(timeZone === 'recipient' || isTimeZone(timeZone)
      ? []
      : [{ member: 'timeZone', message: 'must be recipient, or the name of a time zone, e.g. Europe/Berlin' }])
  ]
}

/** Whether the clock on the wall of a place shows a time within the window. A window over midnight is of the day on which it begins. */
export function isInside(window: SendingWindow, zone: string, at: number): boolean {
  const wall = at + offsetOf(zone, at)
  const minutes = Math.floor(wall / minute) % wholeDay
  // The first of January 1970 was a Thursday.
  const day = (Math.floor(wall / (wholeDay * minute)) + 3) % 7
  const [from, to] = [minutesOf(window.from), minutesOf(window.to)]
  const on = (weekday: number) => !window.days || window.days.includes(weekdays[(weekday + 7) % 7]!)
  if (from < to) return minutes >= from && minutes < to && on(day)
  return (minutes >= from && on(day)) || (minutes < to && on(day - 1))
}

/** The next moment at which a place may be inside where it was not, or the other way round. */
function boundary({ from, to }: SendingWindow, zone: string, at: number): number {
  const offset = offsetOf(zone, at)
  const wall = at + offset
  const today = Math.floor(wall / (wholeDay * minute)) * wholeDay * minute
  const marks = [from, to, '24:00'].map(time => today + minutesOf(time) * minute).filter(mark => mark > wall)
  const next = Math.min(...marks) - offset
  // Up to a change of the clock what the wall shows is known.
  for (let each = (Math.floor(at / quarter) + 1) * quarter; each < next; each += quarter)
    if (offsetOf(zone, each) !== offset) return each
  return next
}

/** The window as it stands at a moment, in all of several places: it is open where it is open in each. */
export function spanAt(window: SendingWindow, zones: readonly string[], at: number): Span {
  const end = at + horizonMs
  const first = zones.filter(zone => !isInside(window, zone, at))
  if (first.length === 0) {
    let now = at
    while (now < end) {
      now = Math.min(...zones.map(zone => boundary(window, zone, now)))
      if (!zones.every(zone => isInside(window, zone, now))) break
    }
    return { open: true, until: now }
  }
  let outside = first
  for (let now = at; now < end; ) {
    // Each of them stays outside up to its own boundary.
    now = Math.max(...outside.map(zone => boundary(window, zone, now)))
    const then = now
    outside = zones.filter(zone => !isInside(window, zone, then))
    if (outside.length === 0) return { open: false, until: now }
  }
  return { open: false, until: null }
}
