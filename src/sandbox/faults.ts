import { empty, gateway, html, type MagicRecipient, withoutIds } from './effects.ts'

export type { MagicRecipient }

/** Every fault that can be played, and the number that always plays it. */
export const magicRecipients: readonly MagicRecipient[] = [
  {
    number: '15550100001',
    name: 'not_on_whatsapp',
    description: 'the number is not on WhatsApp',
    processed: false,
    effect: { kind: 'refuse', as: 'not_on_whatsapp', one: { badNumber: true } }
  },
  {
    number: '15550100002',
    name: 'window_closed',
    description: 'more than 24 hours since the customer wrote; templates are accepted',
    processed: false,
    sparesTemplates: true,
    effect: { kind: 'refuse', as: 'window_closed' }
  },
  {
    number: '15550100003',
    name: 'not_allow_listed',
    description: 'the number is not on the allow-list of a test sender',
    processed: false,
    effect: { kind: 'refuse', as: 'not_allow_listed', one: { text: 'Recipient phone number not in allowed list' } }
  },
  {
    number: '15550100004',
    name: 'throttled',
    description: 'the provider throttles',
    processed: false,
    effect: { kind: 'refuse', as: 'throttled' }
  },
  {
    number: '15550100005',
    name: 'pair_limit',
    description: 'too many messages to this one number',
    processed: false,
    effect: { kind: 'refuse', as: 'pair_limit' }
  },
  {
    number: '15550100006',
    name: 'maton_throttled',
    description: 'Maton throttles the account',
    wire: '429 without a body',
    processed: false,
    effect: gateway(429)
  },
  {
    number: '15550100007',
    name: 'slow',
    description: 'accepted after 3 seconds',
    wire: '200 after 3 s',
    processed: true,
    effect: { kind: 'slow', ms: 3000 }
  },
  {
    number: '15550100008',
    name: 'silent',
    description: 'processed, and never answered',
    wire: 'no answer',
    processed: true,
    effect: { kind: 'silent' }
  },
  {
    number: '15550100009',
    name: 'reset_after',
    description: 'processed, then the connection is reset',
    wire: 'connection reset',
    processed: true,
    effect: { kind: 'reset', processed: true }
  },
  {
    number: '15550100010',
    name: 'reset_before',
    description: 'the connection is reset and nothing was processed',
    wire: 'connection reset',
    processed: false,
    effect: { kind: 'reset', processed: false }
  },
  {
    number: '15550100011',
    name: 'failure_inside_200',
    description: 'HTTP 200 with a failure in the body',
    processed: false,
    effect: { kind: 'refuse', as: 'failure_inside_200', one: { text: 'Something went wrong' } }
  },
  {
    number: '15550100012',
    name: 'error_500',
    description: 'processed, then 500 with an empty body',
    wire: '500 without a body',
    processed: true,
    effect: { kind: 'answer', answer: empty(500) }
  },
  {
    number: '15550100013',
    name: 'bad_gateway_html',
    description: 'processed, then 502 with a page',
    wire: '502, HTML',
    processed: true,
    effect: { kind: 'answer', answer: html(502, '502 Bad Gateway') }
  },
  {
    number: '15550100014',
    name: 'gateway_timeout',
    description: 'processed, then 504 with an empty body',
    wire: '504 without a body',
    processed: true,
    effect: { kind: 'answer', answer: empty(504) }
  },
  {
    number: '15550100015',
    name: 'unavailable',
    description: 'the provider is down and took nothing',
    processed: false,
    effect: { kind: 'refuse', as: 'unavailable' }
  },
  {
    number: '15550100016',
    name: 'empty_200',
    description: 'processed, then 200 with an empty body',
    wire: '200 without a body',
    processed: true,
    effect: { kind: 'answer', answer: empty(200) }
  },
  {
    number: '15550100017',
    name: 'html_200',
    description: 'processed, then 200 with a page',
    wire: '200, HTML',
    processed: true,
    effect: { kind: 'answer', answer: html(200, 'Welcome') }
  },
  {
    number: '15550100018',
    name: 'no_id',
    description: 'processed, and the success names no id',
    wire: '200, a success without any id',
    processed: true,
    effect: { kind: 'answer', answer: normal => ({ ...normal, body: withoutIds(normal.body) }) }
  },
  {
    number: '15550100019',
    name: 'maton_unauthorized',
    description: 'Maton refuses the key',
    wire: '401 without a body',
    processed: false,
    effect: gateway(401)
  },
  {
    number: '15550100020',
    name: 'locked',
    description: 'the business account is locked',
    processed: false,
    effect: { kind: 'refuse', as: 'locked' }
  },
  {
    number: '15550100021',
    name: 'cut',
    description: 'processed, then half of the answer and the connection is gone',
    wire: '200, half a body',
    processed: true,
    effect: { kind: 'cut' }
  },
  {
    number: '15550100022',
    name: 'redirect',
    description: 'sent elsewhere, nothing processed',
    wire: '302 to another host',
    processed: false,
    effect: gateway(302, { location: 'https://elsewhere.invalid/login' })
  },
  {
    number: '15550100023',
    name: 'throttled_once',
    description: 'throttled on the first try, accepted on the next',
    processed: false,
    firstTryOnly: true,
    effect: { kind: 'refuse', as: 'throttled', retryAfterSeconds: 1 }
  },
  {
    number: '15550100024',
    name: 'content_refused',
    description: 'refused for what it says',
    processed: false,
    effect: { kind: 'refuse', as: 'content_refused', one: { text: 'The content could not be delivered' } }
  },
  {
    number: '15550100025',
    name: 'credential_expired',
    description: "the provider's own credential has expired",
    processed: false,
    effect: { kind: 'refuse', as: 'credential_expired' }
  },
  {
    number: '15550100026',
    name: 'dribble',
    description: 'processed, then the body dribbles one byte each 300 ms and never ends',
    wire: '200, endless',
    processed: true,
    effect: { kind: 'dribble', everyMs: 300 }
  }
]
