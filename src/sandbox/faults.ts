import { graphError, graphErrorBody } from './cloud/graph.ts'
import { empty, graph, html, type MagicRecipient, maton, throttled, watiSays, withoutIds } from './effects.ts'
import { EXPIRED } from './wati/answers.ts'

const pairLimit =
  'Message failed to send because there were too many messages sent from this phone number to the ' +
  'same phone number in a short period of time.'

export type { MagicRecipient }

/** Every fault that can be played, and the number that always plays it. */
export const magicRecipients: readonly MagicRecipient[] = [
  {
    number: '15550100001',
    name: 'not_on_whatsapp',
    description: 'the number is not on WhatsApp',
    cloud: '400, code 131026',
    wati: '200, v2 templates isValidWhatsAppNumber: false, else result: false',
    processed: false,
    effect: {
      kind: 'refuse',
      badNumber: true,
      cloud: graph(131026, 'Message Undeliverable.'),
      wati: watiSays('The number is not a valid WhatsApp number', true)
    }
  },
  {
    number: '15550100002',
    name: 'window_closed',
    description: 'more than 24 hours since the customer wrote; templates are accepted',
    cloud: '400, code 131047',
    wati: `200, "${EXPIRED}"`,
    processed: false,
    sparesTemplates: true,
    effect: {
      kind: 'refuse',
      cloud: graph(
        131047,
        'Message failed to send because more than 24 hours have passed since the customer last ' +
          'replied to this number.'
      ),
      wati: watiSays(EXPIRED)
    }
  },
  {
    number: '15550100003',
    name: 'not_allow_listed',
    description: 'the number is not on the allow-list of a test sender',
    cloud: '400, code 131030',
    wati: '200, result: false',
    processed: false,
    effect: {
      kind: 'refuse',
      text: 'Recipient phone number not in allowed list',
      cloud: graph(
        131030,
        'Recipient phone number not in allowed list: Add recipient phone number to recipient ' + 'list and try again.'
      ),
      wati: watiSays('Recipient phone number not in allowed list')
    }
  },
  {
    number: '15550100004',
    name: 'throttled',
    description: 'the provider throttles',
    cloud: '429, code 130429',
    wati: '429, Retry-After: 10',
    processed: false,
    effect: {
      kind: 'refuse',
      cloud: graph(130429, 'Cloud API message throughput has been reached.'),
      wati: throttled({ 'retry-after': '10' })
    }
  },
  {
    number: '15550100005',
    name: 'pair_limit',
    description: 'too many messages to this one number',
    cloud: '400, code 131056',
    wati: '429',
    processed: false,
    effect: { kind: 'refuse', cloud: graph(131056, pairLimit), wati: throttled() }
  },
  {
    number: '15550100006',
    name: 'maton_throttled',
    description: 'Maton throttles the account',
    cloud: '429 without a body',
    wati: '429 without a body',
    processed: false,
    effect: maton(429)
  },
  {
    number: '15550100007',
    name: 'slow',
    description: 'accepted after 3 seconds',
    cloud: '200 after 3 s',
    wati: '200 after 3 s',
    processed: true,
    effect: { kind: 'slow', ms: 3000 }
  },
  {
    number: '15550100008',
    name: 'silent',
    description: 'processed, and never answered',
    cloud: 'no answer',
    wati: 'no answer',
    processed: true,
    effect: { kind: 'silent' }
  },
  {
    number: '15550100009',
    name: 'reset_after',
    description: 'processed, then the connection is reset',
    cloud: 'connection reset',
    wati: 'connection reset',
    processed: true,
    effect: { kind: 'reset', processed: true }
  },
  {
    number: '15550100010',
    name: 'reset_before',
    description: 'the connection is reset and nothing was processed',
    cloud: 'connection reset',
    wati: 'connection reset',
    processed: false,
    effect: { kind: 'reset', processed: false }
  },
  {
    number: '15550100011',
    name: 'failure_inside_200',
    description: 'HTTP 200 with a failure in the body',
    cloud: '200 with {error: {code: 131000}}',
    wati: '200 with {ok: false, errors} or {result: false}',
    processed: false,
    effect: {
      kind: 'refuse',
      text: 'Something went wrong',
      cloud: () => ({ status: 200, body: graphErrorBody(131000, { details: 'Something went wrong.' }) }),
      wati: watiSays('Something went wrong')
    }
  },
  {
    number: '15550100012',
    name: 'error_500',
    description: 'processed, then 500 with an empty body',
    cloud: '500 without a body',
    wati: '500 without a body',
    processed: true,
    effect: { kind: 'answer', answer: empty(500) }
  },
  {
    number: '15550100013',
    name: 'bad_gateway_html',
    description: 'processed, then 502 with a page',
    cloud: '502, HTML',
    wati: '502, HTML',
    processed: true,
    effect: { kind: 'answer', answer: html(502, '502 Bad Gateway') }
  },
  {
    number: '15550100014',
    name: 'gateway_timeout',
    description: 'processed, then 504 with an empty body',
    cloud: '504 without a body',
    wati: '504 without a body',
    processed: true,
    effect: { kind: 'answer', answer: empty(504) }
  },
  {
    number: '15550100015',
    name: 'unavailable',
    description: 'the provider is down and took nothing',
    cloud: '503, code 131016',
    wati: '503 without a body',
    processed: false,
    effect: { kind: 'refuse', cloud: graph(131016, 'A service is temporarily unavailable.'), wati: empty(503) }
  },
  {
    number: '15550100016',
    name: 'empty_200',
    description: 'processed, then 200 with an empty body',
    cloud: '200 without a body',
    wati: '200 without a body',
    processed: true,
    effect: { kind: 'answer', answer: empty(200) }
  },
  {
    number: '15550100017',
    name: 'html_200',
    description: 'processed, then 200 with a page',
    cloud: '200, HTML',
    wati: '200, HTML',
    processed: true,
    effect: { kind: 'answer', answer: html(200, 'Welcome') }
  },
  {
    number: '15550100018',
    name: 'no_id',
    description: 'processed, and the success names no id',
    cloud: '200, messages without an id',
    wati: '200, success without any id',
    processed: true,
    effect: { kind: 'answer', answer: normal => ({ ...normal, body: withoutIds(normal.body) }) }
  },
  {
    number: '15550100019',
    name: 'maton_unauthorized',
    description: 'Maton refuses the key',
    cloud: '401 without a body',
    wati: '401 without a body',
    processed: false,
    effect: maton(401)
  },
  {
    number: '15550100020',
    name: 'locked',
    description: 'the business account is locked',
    cloud: '403, code 131031',
    wati: '403 without a body',
    processed: false,
    effect: {
      kind: 'refuse',
      cloud: graph(131031, 'The WhatsApp Business Account associated with the app has been locked.'),
      wati: empty(403)
    }
  },
  {
    number: '15550100021',
    name: 'cut',
    description: 'processed, then half of the answer and the connection is gone',
    cloud: '200, half a body',
    wati: '200, half a body',
    processed: true,
    effect: { kind: 'cut' }
  },
  {
    number: '15550100022',
    name: 'redirect',
    description: 'sent elsewhere, nothing processed',
    cloud: '302 to another host',
    wati: '302 to another host',
    processed: false,
    effect: maton(302, { location: 'https://elsewhere.invalid/login' })
  },
  {
    number: '15550100023',
    name: 'throttled_once',
    description: 'throttled on the first try, accepted on the next',
    cloud: '429, code 130429, Retry-After: 1; then 200',
    wati: '429, Retry-After: 1; then 200',
    processed: false,
    firstTryOnly: true,
    effect: {
      kind: 'refuse',
      cloud: () =>
        graphError(130429, {
          details: 'Cloud API message throughput has been reached.',
          headers: { 'retry-after': '1' }
        }),
      wati: throttled({ 'retry-after': '1' })
    }
  },
  {
    number: '15550100024',
    name: 'content_refused',
    description: 'refused for what it says',
    cloud: '400, code 131051',
    wati: '200, result: false with an unknown text',
    processed: false,
    effect: {
      kind: 'refuse',
      text: 'The content could not be delivered',
      cloud: graph(131051, 'Message type is not currently supported.'),
      wati: watiSays('The content could not be delivered')
    }
  },
  {
    number: '15550100025',
    name: 'credential_expired',
    description: "the provider's own credential has expired",
    cloud: '401, code 190, subcode 463',
    wati: '401 without a body',
    processed: false,
    effect: { kind: 'refuse', cloud: () => graphError(190, { subcode: 463 }), wati: empty(401) }
  },
  {
    number: '15550100026',
    name: 'dribble',
    description: 'processed, then the body dribbles one byte each 300 ms and never ends',
    cloud: '200, endless',
    wati: '200, endless',
    processed: true,
    effect: { kind: 'dribble', everyMs: 300 }
  }
]
