// A state is a word with a mark and a colour: whoever sees no colours reads the mark, and whoever sees nothing the word.

export type Tone = 'good' | 'wait' | 'warn' | 'bad' | 'off'

const tones: Readonly<Record<string, Tone>> = {
  ...{ ok: 'good', accepted: 'good', sent: 'good', delivered: 'good', read: 'good', received: 'good', active: 'good' },
  ...{ approved: 'good', finished: 'good', closed: 'good', verified: 'good', green: 'good', high: 'good' },
  ...{ queued: 'wait', sending: 'wait', scheduled: 'wait', running: 'wait', pending: 'wait', in_review: 'wait' },
  ...{ unknown: 'warn', paused: 'warn', expired: 'warn', degraded: 'warn', silent: 'warn', throttled: 'warn' },
  ...{ held: 'warn', failing: 'warn', token: 'warn', yellow: 'warn', medium: 'warn', limit_exceeded: 'warn' },
  ...{ failed: 'bad', open: 'bad', rejected: 'bad', refused: 'bad', missing: 'bad', disabled: 'bad', red: 'bad' },
  ...{ revoked: 'off', canceled: 'off', none: 'off', archived: 'off', low: 'bad' }
}
const signs: Readonly<Record<Tone, string>> = { good: '●', wait: '◔', warn: '▲', bad: '✕', off: '○' }

export interface Mark {
  tone: Tone
  sign: string
  word: string
}

/** A state's mark; what is not known is shown as it is. */
export function marks(word: string, tone: Tone = tones[word] ?? 'off'): Mark {
  return { tone, sign: signs[tone], word: word.replaceAll('_', ' ') }
}
