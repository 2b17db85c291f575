import type { Call } from '../call.ts'
import type { RefusalName, Said } from '../stand-in.ts'
import { EXPIRED, failure } from './answers.ts'

/** A failure in the words of the endpoint that was called. */
const says_ = (text: string, badNumber = false): Pick<Said, 'answer'> => ({
  answer: (call: Call) => failure(call, text, badNumber)
})
const bare = (status: number): Said => ({ words: `${status} without a body`, answer: () => ({ status }) })
/** WATI's 429; its body is unconfirmed (docs/upstream.md 3.8). */
const throttled = (words: string, always?: number): Said => ({
  words,
  answer: (_call, seconds = always) => ({
    status: 429,
    ...(seconds !== undefined && { headers: { 'retry-after': String(seconds) } }),
    body: { result: false, info: 'Too many requests' }
  })
})

/** WATI's words for what a provider may refuse (docs/upstream.md 3.5). */
export const says: Readonly<Record<RefusalName, Said>> = {
  not_on_whatsapp: {
    words: '200, v2 templates isValidWhatsAppNumber: false, else result: false',
    ...says_('The number is not a valid WhatsApp number', true)
  },
  window_closed: { words: `200, "${EXPIRED}"`, ...says_(EXPIRED) },
  not_allow_listed: { words: '200, result: false', ...says_('Recipient phone number not in allowed list') },
  throttled: throttled('429, Retry-After: 10', 10),
  pair_limit: throttled('429'),
  failure_inside_200: {
    words: '200 with {ok: false, errors} or {result: false}',
    ...says_('Something went wrong')
  },
  unavailable: bare(503),
  locked: bare(403),
  content_refused: {
    words: '200, result: false with an unknown text',
    ...says_('The content could not be delivered')
  },
  credential_expired: bare(401)
}
