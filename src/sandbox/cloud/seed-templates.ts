/** One component of a template definition, as Graph lists it (docs/upstream.md 4.7). */
export interface Component {
  type: string
  format?: string
  text?: string
  example?: Record<string, unknown>
  buttons?: TemplateButton[]
  [more: string]: unknown
}

export interface TemplateButton {
  type: string
  text?: string
  url?: string
  phone_number?: string
  example?: unknown
  [more: string]: unknown
}

/** A template as Graph lists it. */
export interface Template {
  id: string
  name: string
  status: string
  category: string
  language: string
  parameter_format: 'NAMED' | 'POSITIONAL'
  components: Component[]
  rejected_reason?: string
  previous_category?: string
}

const qualities: Record<string, string> = { APPROVED: 'GREEN', PAUSED: 'RED', DISABLED: 'RED' }

/** How its readers took it: nobody has judged a template that was never sent. */
export const qualityOf = ({ status }: Pick<Template, 'status'>): string => qualities[status] ?? 'UNKNOWN'

/** How templates are told apart: name and language. */
export function templateKey(name: string, language: string): string {
  return `${name} ${language}`
}

/** The variables of a text in order of first appearance. */
export function variables(text: string | undefined): string[] {
  return [...new Set([...(text ?? '').matchAll(/\{\{\s*([^{}]*?)\s*\}\}/g)].map(match => match[1] ?? ''))]
}

const named = (params: Record<string, string>): Record<string, unknown> => ({
  body_text_named_params: Object.entries(params).map(([param_name, example]) => ({ param_name, example }))
})

const body = (text: string, examples?: string[] | Record<string, string>): Component => ({
  type: 'BODY',
  text,
  ...(examples === undefined ? {} : { example: Array.isArray(examples) ? { body_text: [examples] } : named(examples) })
})

const media = (format: string): Component => ({
  type: 'HEADER',
  format,
  example: { header_handle: [`https://scontent.whatsapp.net/v/t61/sandbox-${format}.bin`] }
})

const buttons = (...list: TemplateButton[]): Component => ({ type: 'BUTTONS', buttons: list })

type Row = readonly [name: string, language: string, category: string, status: string, components: Component[]]

const order = { name: 'Ada', ordernumber: '12345' }

const ROWS: readonly Row[] = [
  [
    'hello_world',
    'en_US',
    'UTILITY',
    'APPROVED',
    [
      { type: 'HEADER', format: 'TEXT', text: 'Hello World' },
      body('Welcome and congratulations!! This message demonstrates your ability to send a message.'),
      { type: 'FOOTER', text: 'WhatsApp Business Platform sample message' }
    ]
  ],
  [
    'order_update',
    'en_US',
    'UTILITY',
    'APPROVED',
    [body('Hi {{name}}, your order {{ordernumber}} is on its way.', order)]
  ],
  [
    'order_update',
    'de',
    'UTILITY',
    'APPROVED',
    [body('Hallo {{name}}, Ihre Bestellung {{ordernumber}} ist unterwegs.', order)]
  ],
  [
    'appointment_reminder',
    'en_US',
    'UTILITY',
    'APPROVED',
    [body('Dear {{1}}, we see you on {{2}} at the clinic.', ['Ada', 'Monday'])]
  ],
  [
    'spring_sale',
    'en_US',
    'MARKETING',
    'APPROVED',
    [
      media('IMAGE'),
      body('Hello {{1}}, everything is cheaper this week.', ['Ada']),
      { type: 'FOOTER', text: 'Reply STOP to opt out' }
    ]
  ],
  [
    'track_parcel',
    'en_US',
    'UTILITY',
    'APPROVED',
    [
      body('Hello {{1}}, your parcel has left us.', ['Ada']),
      buttons({
        type: 'URL',
        text: 'Track',
        url: 'https://www.example.com/track/{{1}}',
        example: ['https://www.example.com/track/abc']
      })
    ]
  ],
  [
    'discount_code',
    'en_US',
    'MARKETING',
    'APPROVED',
    [
      body('Hello {{1}}, here is a discount for you.', ['Ada']),
      buttons({ type: 'COPY_CODE', text: 'Copy code', example: ['SUMMER20'] })
    ]
  ],
  [
    'login_code',
    'en_US',
    'AUTHENTICATION',
    'APPROVED',
    [
      {
        type: 'BODY',
        text: '*{{1}}* is your verification code.',
        add_security_recommendation: true,
        example: { body_text: [['123456']] }
      },
      { type: 'FOOTER', text: 'This code expires in 10 minutes.', code_expiration_minutes: 10 },
      buttons({
        type: 'URL',
        text: 'Copy code',
        url: 'https://www.whatsapp.com/otp/code/?code=otp{{1}}',
        example: ['https://www.whatsapp.com/otp/code/?code=otp123456']
      })
    ]
  ],
  [
    'invoice_ready',
    'en_US',
    'UTILITY',
    'APPROVED',
    [media('DOCUMENT'), body('Hi {{name}}, your invoice is attached.', { name: 'Ada' })]
  ],
  [
    'header_greeting',
    'en_US',
    'UTILITY',
    'APPROVED',
    [
      { type: 'HEADER', format: 'TEXT', text: 'News for {{1}}', example: { header_text: ['Ada'] } },
      body('Your request {{1}} has been closed by us.', ['4711'])
    ]
  ],
  [
    'feedback_request',
    'en_US',
    'MARKETING',
    'APPROVED',
    [
      body('How did we do?'),
      buttons(
        { type: 'QUICK_REPLY', text: 'Good' },
        { type: 'QUICK_REPLY', text: 'Bad' },
        { type: 'PHONE_NUMBER', text: 'Call us', phone_number: '+15550783881' }
      )
    ]
  ],
  [
    'store_location',
    'en_US',
    'UTILITY',
    'APPROVED',
    [{ type: 'HEADER', format: 'LOCATION' }, body('You find us here.')]
  ],
  // What a send of ours has no words for: a definition is listed, and the send is refused ahead of the provider.
  [
    'summer_carousel',
    'en_US',
    'MARKETING',
    'APPROVED',
    [
      body('Our picks for you.'),
      {
        type: 'CAROUSEL',
        cards: [1, 2].map(() => ({ components: [media('IMAGE'), buttons({ type: 'QUICK_REPLY', text: 'More' })] }))
      }
    ]
  ],
  [
    'flash_offer',
    'en_US',
    'MARKETING',
    'APPROVED',
    [
      { type: 'LIMITED_TIME_OFFER', limited_time_offer: { text: 'Ends soon', has_expiration: true } },
      body('Everything is cheaper today.'),
      buttons({ type: 'URL', text: 'Shop', url: 'https://example.com/shop' })
    ]
  ],
  ['gif_greeting', 'en_US', 'MARKETING', 'APPROVED', [media('GIF'), body('Hello from all of us.')]],
  [
    'product_list',
    'en_US',
    'MARKETING',
    'APPROVED',
    [body('Have a look at these.'), buttons({ type: 'MPM', text: 'View items' })]
  ],
  ['paused_offer', 'en_US', 'MARKETING', 'PAUSED', [body('An offer that too many people disliked.')]],
  ['pending_notice', 'en_US', 'UTILITY', 'PENDING', [body('A notice that waits for review.')]],
  ['rejected_promo', 'en_US', 'MARKETING', 'REJECTED', [body('A promotion that broke the rules.')]],
  ['disabled_offer', 'en_US', 'MARKETING', 'DISABLED', [body('An offer that was switched off for good.')]]
]

const SEASONS = ['spring', 'summer', 'autumn', 'winter'] as const

/** Enough plain ones that a list has several pages. */
const FILLERS: readonly Row[] = Array.from({ length: 16 }, (_, at) => [
  `campaign_${String(at + 1).padStart(2, '0')}`,
  at % 4 === 3 ? 'es' : 'en_US',
  'MARKETING',
  'APPROVED',
  [body(`Our ${SEASONS[at % 4]} catalogue number ${at + 1} is out.`)]
])

/** 36 templates: one of each kind that matters, and plain ones. */
export function seedTemplates(): Map<string, Template> {
  return new Map(
    [...ROWS, ...FILLERS].map(([name, language, category, status, components], at) => [
      templateKey(name, language),
      {
        id: `13870000000${String(at + 1).padStart(4, '0')}`,
        name,
        status,
        category,
        language,
        parameter_format: isNamed(components) ? 'NAMED' : 'POSITIONAL',
        components,
        ...(status === 'REJECTED' ? { rejected_reason: 'PROMOTIONAL' } : {})
      }
    ])
  )
}

function isNamed(components: Component[]): boolean {
  return components.some(({ text }) => variables(text).some(name => !/^\d+$/.test(name)))
}
