import { invalid } from './errors.ts'

// How people write to whom a message goes (docs/api.md 4, docs/reliability.md P52). Every entrance reads numbers here and nowhere else:
// what is not certain is refused with its reason, because a guess reaches somebody else.

/** What was read, or why it was not: a sentence that follows the name of the field. */
export type Reading<T> =
  | { readonly value: T; readonly fault?: never }
  | { readonly value?: never; readonly fault: string }

/** A text that is longer is no number, whatever it holds. */
const longest = 64
const howTo = 'write + and the country code first, e.g. +14155551234'

// Pasted with a number and never seen: marks of direction, joiners, soft hyphens. An override of direction (U+202E) is not
// among them: with it the eye reads other digits than stand there.
const invisible = /[\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202D\u2060-\u2064\u2066-\u2069\uFEFF]/g
const relatives: readonly (readonly [RegExp, string])[] = [
  [/[\t\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]/g, ' '],
  [/[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]/g, '-'],
  [/[\u00B7\u2024\uFE52\uFF0E]/g, '.'],
  [/[[\uFF08\uFF3B]/g, '('],
  [/[\]\uFF09\uFF3D]/g, ')'],
  [/[\uFE62\uFF0B]/g, '+']
]

/** The text without what cannot be seen. */
const seen = (text: string): string => text.replace(invisible, '').trim()
/** The text in plain characters: one for each kind of separator. */
const plainly = (text: string): string =>
  relatives.reduce((plain, [alike, character]) => plain.replace(alike, character), text)

/** What is wrong with the characters alone. */
function characterFault(text: string): string | undefined {
  if (text === '') return `is empty: ${howTo}`
  if (text.length > longest) return 'is longer than any telephone number'
  if (/^\+?\d+(?:[.,]\d+)?e[+-]?\d+$/i.test(text))
    return 'is a number as a spreadsheet shortens it, which has lost its last digits: keep it as text'
  if (/[;,/|&\n\r]/.test(text) || text.lastIndexOf('+') > Math.max(0, text.indexOf('+')))
    return 'must be one number: it holds what stands between two, or before an extension'
  if (/#|ext|x[ .]?\d/i.test(text)) return 'has an extension, which WhatsApp cannot reach: leave it out'
  if (/[^\P{Nd}0-9]/u.test(text)) return 'must have its digits written as 0 to 9'
  if (/\p{L}/u.test(text)) return `must not hold letters: ${howTo}`
  const [strange] = /[^\d+ \-.()]/u.exec(text) ?? []
  if (strange === undefined) return undefined
  const code = strange.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
  return `holds a character (U+${code}) that is not certain to be a separator: ${howTo}`
}

/** What may stand between two groups of digits, spaces apart. */
const between = /^(?:[-.]|[-.]?\(|\)[-.]?\(?)?$/

/** What the separators say against a number that begins with a plus. */
function separatorFault(text: string): string | undefined {
  const [lead = '', ...groups] = text.split(/(\d+)/)
  if (!/^\( *\+ *$|^\+ *\(? *$/.test(lead))
    return text.includes('+') ? `must begin with the plus and a digit: ${howTo}` : undefined
  if (/^[^.]*\.(?:\d\d?|0+)$/.test(text))
    return 'ends as a decimal number does (a spreadsheet’s .0): give it as text, without the point'
  if (/\( *0/.test(text) || groups.includes('0'))
    return 'has a zero that stands alone or opens a bracket, such as (0): write the number as it is dialled from abroad'
  const last = groups.at(-1)!
  if (last.includes(')')) return 'ends in brackets, which may be an extension: leave it out, or take the brackets away'
  let open = lead.includes('(')
  for (let i = 1; i < groups.length; i += 2) {
    const marks = groups[i]!.replaceAll(' ', '')
    const wrong = i === groups.length - 1 ? marks !== '' : !between.test(marks)
    if (wrong || (marks.includes(')') ? !open : open && marks.includes('(')))
      return 'has separators of which one seems to be missing, or too many: write the digits alone behind the plus'
    open = marks.includes('(') || (open && !marks.includes(')'))
  }
  return open ? 'has a bracket that is not closed: write the digits alone behind the plus' : undefined
}

/** As nearly all are written: nothing of what follows has anything to say against it. */
const plain = /^\+?([1-9]\d{6,14})$/

/** The digits of a text, of which there must be so many, behind a country code. */
function digitsOf(written: string, least: number): Reading<string> {
  const [, value] = plain.exec(written) ?? []
  if (value !== undefined) return { value }
  const whole = plainly(seen(written.length > 4 * longest ? written.slice(0, 4 * longest) : written))
  // A number in brackets as a whole is a number all the same.
  const text = /^\((\+[^()]*)\)$/.exec(whole)?.[1] ?? whole
  const fault = characterFault(text)
  if (fault !== undefined) return { fault }
  const digits = text.replace(/\D/g, '')
  if (digits === '') return { fault: `has no digits: ${howTo}` }
  if (!text.includes('+') && digits !== text) {
    if (/^\d+\.\d+$/.test(text))
      return { fault: 'is a decimal number, as spreadsheets write one (.0): give it as text, without the point' }
    return { fault: `must begin with +: with separators nobody can say whose country it is; ${howTo}` }
  }
  // A prefix may end where a bracket does.
  const wrong = separatorFault(least === 1 && text.endsWith(')') ? `${text}9` : text)
  if (wrong !== undefined) return { fault: wrong }
  if (digits.startsWith('0')) return { fault: `must begin with the country code and not with 0: ${howTo}` }
  if (digits.length < least)
    return { fault: `has only ${digits.length} digits, and a number with its country code ${least} or more` }
  if (digits.length > 15) return { fault: `has ${digits.length} digits, and a number 15 at most` }
  return { value: digits }
}

/**
 * A telephone number as digits, country code first, as WhatsApp's wa_id (`^[1-9]\d{6,14}$`). Taken are a plus and digits
 * with separators, or bare digits. All digits are kept, in their order. There is no numbering plan here: WhatsApp decides.
 */
export const readPhone = (text: string): Reading<string> => digitsOf(text, 7)

const userIdForm = /^[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}$/
/** Whether it is WhatsApp's business-scoped id of a person, as it stands for one who shares no number. */
export const isUserId = (text: string): boolean => userIdForm.test(text)

/** What a person is called by. */
export interface Identity {
  phone?: string
  userId?: string
}

/**
 * What a provider calls a person: the form decides and not the member, since user ids have been seen in those meant for
 * numbers (docs/webhooks.md C4). Of several of one kind the first counts; the digits of a user id are no number.
 */
export function identified(...values: unknown[]): Identity {
  const person: Identity = {}
  for (const value of values) {
    if (typeof value !== 'string' && typeof value !== 'number') continue
    const told = String(value).trim()
    if (isUserId(told)) person.userId ??= told
    else {
      const { value: phone } = readPhone(told)
      if (phone !== undefined) person.phone ??= phone
    }
  }
  return person
}

/** Whom a message goes to: the digits of a telephone number, or a business-scoped user id as it is. */
export function readPerson(text: string): Reading<string> {
  const shown = text.length > 400 ? text : seen(text)
  if (isUserId(shown)) return { value: shown }
  if (/^[A-Z]{2}\./i.test(shown))
    return {
      fault: 'must be a user id of WhatsApp’s as it was told, e.g. US.13491208655302741918, or a telephone number'
    }
  return readPhone(text)
}

/** What the numbers begin with that a key may write to: digits with or without a plus, or a country as `DE.` for user ids. */
export function readPrefix(text: string): Reading<string> {
  const shown = seen(text.slice(0, 4 * longest))
  return /^[A-Z]{2}\.$/.test(shown) ? { value: shown } : digitsOf(text, 1)
}

const required = <T>(reading: Reading<T>, path: string): T => {
  if (reading.fault === undefined) return reading.value
  throw invalid(path, reading.fault)
}
/** Throws a 400 that names the field and what is wrong. */
export const requirePhone = (text: string, path: string): string => required(readPhone(text), path)
/** As requirePhone, for a field that takes a user id as well. */
export const requirePerson = (text: string, path: string): string => required(readPerson(text), path)
export const requirePrefix = (text: string, path: string): string => required(readPrefix(text), path)
