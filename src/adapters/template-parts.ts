// What a template's definition can have that a send of ours has no words for. Both providers list Meta's kinds, in their
// own case (docs/upstream.md 3.6, 4.3, 4.7); the answers are the words of `unsupportedParts` (docs/api.md 5).

/** Kinds that are filled from here, or that need nothing in a send. Every other one is told under its own word. */
const filled = {
  component: new Set(['header', 'body', 'footer', 'buttons', 'call_permission_request']),
  header: new Set(['text', 'image', 'video', 'document', 'location']),
  button: new Set(['quick_reply', 'url', 'phone_number', 'copy_code', 'otp', 'voice_call'])
} as const

/** Meta's words and ours. A header of a product comes with a button for it: they are one part. */
const ours: Readonly<Record<string, string>> = {
  'component carousel': 'carousel',
  'component limited_time_offer': 'limited_time_offer',
  'header gif': 'gif_header',
  'header product': 'single_product',
  'button spm': 'single_product',
  'button mpm': 'multi_product'
}

/** The name of one kind of component, header or button, if it cannot be filled. Words in lower case. */
export function unfilled(place: keyof typeof filled, word: string): string[] {
  if (filled[place].has(word)) return []
  return [ours[`${place} ${word}`] ?? (place === 'header' ? `${word}_header` : word)]
}

/** Purposes that want a component of their own in each send, whatever the definition's components are. */
const purposes = new Set(['order_details', 'order_status'])

/** What a template's sub-category, or what it is displayed as, asks of a send. */
export const unfilledPurpose = (word: string | undefined): string[] =>
  word !== undefined && purposes.has(word) ? [word] : []

const qualities = ['green', 'yellow', 'red', 'unknown'] as const

/** Meta's word for a template's quality in ours, in whichever case; undefined: none of the four. */
export const templateQuality = (told: unknown): (typeof qualities)[number] | undefined =>
  qualities.find(word => typeof told === 'string' && told.toLowerCase() === word)
