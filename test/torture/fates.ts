// What becomes of a message after it was taken follows from its recipient, so that the seed alone decides it.

/** Names of scenarios of the sandbox; the empty one is sent, delivered and read. */
const fates = [
  ...['', 'told_at_once', 'out_of_order', '', 'told_twice', 'fails_later'],
  ...['replies_text', 'two_devices', '', 'window_closes_later', 'never_delivered', 'told_at_once', 'replies_text']
]

const placeOf = (to: string): number => Number(to.slice(-6)) % fates.length

/** The scenario of a recipient. */
export const fateOf = (to: string): string => fates[placeOf(to)]!

/** Numbers that the sandbox turns down one by one, also in the midst of a batch, unless another fault meets the whole call. */
export const turnedDown = ['15550100001', '15550100003', '15550100011', '15550100024'] as const

/** Whether the webhooks of a recipient leave out what was planted in the send: then its own answer alone tells the ids. */
export const isBare = (to: string): boolean => placeOf(to) === 1
