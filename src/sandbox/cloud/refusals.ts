import type { Answer } from '../call.ts'
import type { RefusalName, Said } from '../stand-in.ts'
import { graphError, graphErrorBody } from './graph.ts'

const pairLimit =
  'Message failed to send because there were too many messages sent from this phone number to the ' +
  'same phone number in a short period of time.'
const closed =
  'Message failed to send because more than 24 hours have passed since the customer last ' + 'replied to this number.'
const notAllowed =
  'Recipient phone number not in allowed list: Add recipient phone number to recipient ' + 'list and try again.'

const retryAfter = (seconds: number | undefined): Pick<Answer, 'headers'> =>
  seconds === undefined ? {} : { headers: { 'retry-after': String(seconds) } }
const said = (words: string, code: number, details: string): Said => ({
  words,
  answer: (_call, seconds) => graphError(code, { details, ...retryAfter(seconds) })
})

/** Meta's codes for what a provider may refuse (docs/upstream.md 4.10). */
export const says: Readonly<Record<RefusalName, Said>> = {
  not_on_whatsapp: said('400, code 131026', 131026, 'Message Undeliverable.'),
  window_closed: said('400, code 131047', 131047, closed),
  not_allow_listed: said('400, code 131030', 131030, notAllowed),
  throttled: said('429, code 130429', 130429, 'Cloud API message throughput has been reached.'),
  pair_limit: said('400, code 131056', 131056, pairLimit),
  failure_inside_200: {
    words: '200 with {error: {code: 131000}}',
    answer: () => ({ status: 200, body: graphErrorBody(131000, { details: 'Something went wrong.' }) })
  },
  unavailable: said('503, code 131016', 131016, 'A service is temporarily unavailable.'),
  locked: said('403, code 131031', 131031, 'The WhatsApp Business Account associated with the app has been locked.'),
  content_refused: said('400, code 131051', 131051, 'Message type is not currently supported.'),
  credential_expired: { words: '401, code 190, subcode 463', answer: () => graphError(190, { subcode: 463 }) }
}
