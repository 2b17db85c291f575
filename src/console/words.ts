import type { SendingWindow } from '../../schemas/channel-settings.ts'

// How figures and instants are said, for the templates. Whatever is returned here is text: the templates escape it.

const units: readonly [name: string, seconds: number][] = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1]
]

/** A span as somebody says it: 45 s, 3 min, 2 h 5 min. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const at = units.findIndex(([, size]) => whole >= size)
  if (at < 0) return '0 s'
  const [name, size] = units[at]!
  const rest = units[at + 1]
  const more = rest && rest[1] >= 60 ? Math.floor((whole % size) / rest[1]) : 0
  return `${Math.floor(whole / size)} ${name}${more > 0 ? ` ${more} ${rest![0]}` : ''}`
}

/** An instant as an operator reads it, in UTC as the logs have it. */
export const clock = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 19)}`

export const number = (value: number): string => value.toLocaleString('en-US')
export const percent = (share: number): string => `${Math.round(share * 100)} %`
/** A number said as a count of things. */
export const count = (value: number, one: string, many = `${one}s`): string =>
  `${number(value)} ${value === 1 ? one : many}`
/** The hours in which a broadcast goes out, as somebody says them. */
export const hours = ({ from, to, timeZone, days }: SendingWindow): string =>
  `${from}–${to}, ${timeZone === 'recipient' ? 'in each recipient’s own time' : timeZone}${days ? `, ${days.join(' ')}` : ''}`
export const plain = (word: string): string => word.replaceAll('_', ' ')
export const json = (value: unknown): string => JSON.stringify(value, null, 2)

export function wordsAt(now: number) {
  const secondsTo = (iso: string): number => (Date.parse(iso) - now) / 1000
  return {
    ...{ span, clock, number, percent, count, hours, plain, json },
    ago: (iso: string): string => `${span(-secondsTo(iso))} ago`,
    until: (iso: string): string => (secondsTo(iso) <= 0 ? 'now' : `in ${span(secondsTo(iso))}`)
  }
}
