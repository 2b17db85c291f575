/** One day of a time zone. */
export interface Day {
  /** Its date there, as 2026-11-28: days are compared as texts. */
  date: string
  /** When the next one begins, in milliseconds since 1970. */
  endsAt: number
}

const formats = new Map<string, Intl.DateTimeFormat>()
function dateIn(timeZone: string, at: number): string {
  let format = formats.get(timeZone)
  if (!format) {
    const parts = { year: 'numeric', month: '2-digit', day: '2-digit' } as const
    format = new Intl.DateTimeFormat('en-CA', { timeZone, ...parts })
    formats.set(timeZone, format)
  }
  return format.format(at)
}

/** Whether a text names a time zone that this process knows. Offsets, as +02:00, are none: they have no summer. */
export function isTimeZone(text: string): boolean {
  if (!/^[A-Za-z]/.test(text)) return false
  try {
    dateIn(text, 0)
    return true
  } catch {
    return false
  }
}

/** The day that an instant lies in. Where clocks are put forward at midnight, a day begins at one. */
export function dayOf(timeZone: string, at: number): Day {
  const date = dateIn(timeZone, at)
  // No day is longer than 26 hours; where the date changes is found by halving.
  let inside = at
  let outside = at + 26 * 3600_000
  while (outside - inside > 1) {
    const middle = Math.floor((inside + outside) / 2)
    if (dateIn(timeZone, middle) === date) inside = middle
    else outside = middle
  }
  return { date, endsAt: outside }
}
