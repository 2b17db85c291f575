import type { OptOut } from '../../schemas/channel-settings.ts'
import type { HeardMessage } from '../adapters/heard.ts'

// A stop in somebody's own words: the whole of a message, or the button that was pressed, is one of the channel's words.

/** A letter or a digit. */
const sounding = /[\p{L}\p{N}]/u

/**
 * A text as words are compared: without case, accents, what cannot be seen, and the marks around it. “¡BÁJA!” and
 * “baja” are one; in the middle of a sentence a word is none.
 */
export function folded(text: string): string {
  const plain = text
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cf}]/gu, '')
    // Upper case knows no final sigma, no ß and no dotless i of its own.
    .toUpperCase()
    .replace(/\s+/gu, ' ')
    .trim()
  const characters = [...plain]
  const begins = characters.findIndex(each => sounding.test(each))
  return begins < 0
    ? plain
    : characters.slice(begins, characters.findLastIndex(each => sounding.test(each)) + 1).join('')
}

/** What a setting of a channel says, as a list: it may be one, or one for each language. */
export const optOutsOf = (settings: unknown): readonly OptOut[] =>
  [(settings as { optOut?: OptOut | OptOut[] } | null)?.optOut ?? []].flat()

/** What somebody said that may be a word: a text, or what a button shows and carries. */
function said({ type, content, groupId }: HeardMessage): string[] {
  if (groupId !== undefined) return []
  if (type === 'text') return [(content as { body?: unknown }).body].filter(each => typeof each === 'string')
  if (type !== 'reply') return []
  const { kind, id, title, payload } = content as Record<string, unknown>
  if (kind !== 'button' && kind !== 'template') return []
  return [id, title, payload].filter(each => typeof each === 'string')
}

/** What a person wants, in the words of a setting. */
export interface Will {
  value: 'stop' | 'resume'
  /** The word as the setting has it. */
  word: string
  optOut: OptOut
}

/** The will that a message tells; undefined: none. A word that is in both lists is a stop. */
export function willOf(message: HeardMessage, optOuts: readonly OptOut[]): Will | undefined {
  // The longest word is 64 characters: whoever writes more says something else.
  const texts = new Set(
    said(message)
      .filter(text => text.length <= 256)
      .map(folded)
  )
  if (texts.size === 0) return undefined
  for (const value of ['stop', 'resume'] as const)
    for (const optOut of optOuts) {
      const words = value === 'stop' ? optOut.words : (optOut.resumeWords ?? [])
      const word = words.find(each => texts.has(folded(each)))
      if (word !== undefined) return { value, word, optOut }
    }
  return undefined
}
