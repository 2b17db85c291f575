import t from 'tap'
import { SEEDED_MEDIA_ID } from '../../src/sandbox/cloud/seed-numbers.ts'
import {
  type Ask,
  checkRows,
  cloudMessage,
  cloudTemplate,
  MESSAGES,
  META,
  open,
  PHONE_ID,
  parts,
  type Reply,
  type Row,
  WABA_ID,
  wamid
} from './helper.ts'

const TO = '14155550000'
const LINK = 'https://example.com/file'

const sent = ({ body }: Reply): boolean =>
  wamid.test(body.messages[0].id) && body.contacts[0].wa_id === TO && body.messaging_product === 'whatsapp'
const done = ({ body }: Reply): boolean => body.success === true

const interactive = (type: string, more: Record<string, unknown>): Ask =>
  cloudMessage(TO, { interactive: { type, body: { text: 'Choose' }, ...more } })

/** docs/upstream.md 5, rows 21 to 41. */
const ROWS: readonly Row[] = [
  [
    21,
    'text',
    cloudMessage(TO, { text: { body: 'Hi', preview_url: true }, context: { message_id: 'wamid.HBgL' } }),
    sent
  ],
  [22, 'template', cloudTemplate(TO), reply => sent(reply) && reply.body.messages[0].message_status === 'accepted'],
  [23, 'image', cloudMessage(TO, { image: { link: LINK, caption: 'c' } }), sent],
  [23, 'image by id', cloudMessage(TO, { image: { id: SEEDED_MEDIA_ID } }), sent],
  [24, 'document', cloudMessage(TO, { document: { link: LINK, filename: 'a.pdf' } }), sent],
  [25, 'video', cloudMessage(TO, { video: { link: LINK } }), sent],
  [26, 'audio', cloudMessage(TO, { audio: { link: LINK } }), sent],
  [26, 'sticker', cloudMessage(TO, { sticker: { link: LINK } }), sent],
  [27, 'location', cloudMessage(TO, { location: { latitude: 52.5, longitude: '13.4', name: 'Here' } }), sent],
  [
    28,
    'contacts',
    cloudMessage(TO, {
      contacts: [{ name: { formatted_name: 'Ada', first_name: 'Ada' }, phones: [{ phone: '+1', type: 'CELL' }] }]
    }),
    sent
  ],
  [28, 'reaction', cloudMessage(TO, { reaction: { message_id: 'wamid.HBgL', emoji: '👍' } }), sent],
  [
    29,
    'buttons',
    interactive('button', {
      header: { type: 'image', image: { link: LINK } },
      action: { buttons: [{ type: 'reply', reply: { id: 'b1', title: 'Yes' } }] }
    }),
    sent
  ],
  [
    30,
    'list',
    interactive('list', {
      action: { button: 'Open', sections: [{ rows: [{ id: 'r1', title: 'One', description: 'first' }] }] }
    }),
    sent
  ],
  [
    31,
    'mark as read',
    {
      path: MESSAGES,
      json: {
        messaging_product: 'whatsapp',
        status: 'read',
        message_id: 'wamid.HBgL',
        typing_indicator: { type: 'text' }
      }
    },
    done
  ],
  [
    32,
    'upload media',
    {
      path: `${META}/${PHONE_ID}/media`,
      parts: parts(
        { messaging_product: 'whatsapp', type: 'text/plain' },
        { name: 'file', filename: 'a.txt', type: 'text/plain', bytes: 'hello' }
      )
    },
    ({ body }) => /^\d+$/.test(body.id)
  ],
  [
    33,
    'get media',
    { path: `${META}/${SEEDED_MEDIA_ID}`, query: { phone_number_id: PHONE_ID } },
    ({ body }) => body.mime_type === 'image/jpeg' && body.url.startsWith('https://lookaside.fbsbx.com/')
  ],
  [34, 'delete media', { method: 'DELETE', path: `${META}/${SEEDED_MEDIA_ID}` }, done],
  [
    35,
    'list templates',
    { path: `${META}/${WABA_ID}/message_templates` },
    ({ body }) => body.data.length === 25 && body.paging.next.startsWith('https://graph.facebook.com/v24.0/')
  ],
  [
    36,
    'create a template',
    {
      path: `${META}/${WABA_ID}/message_templates`,
      json: {
        name: 'brand_new',
        category: 'UTILITY',
        language: 'en_US',
        components: [{ type: 'BODY', text: 'Dear {{1}}, hello.', example: { body_text: [['Ada']] } }]
      }
    },
    ({ body }) => body.status === 'PENDING' && body.category === 'UTILITY' && /^\d+$/.test(body.id)
  ],
  [
    37,
    'delete a template',
    { method: 'DELETE', path: `${META}/${WABA_ID}/message_templates`, query: { name: 'campaign_01' } },
    done
  ],
  [
    38,
    'get a phone number',
    { path: `${META}/${PHONE_ID}`, query: { fields: 'id,display_phone_number,status' } },
    ({ body }) => body.display_phone_number === '+1 555-078-3881' && Object.keys(body).length === 3
  ],
  [
    39,
    'list phone numbers',
    { path: `${META}/${WABA_ID}/phone_numbers` },
    ({ body }) => body.data[0].id === PHONE_ID && body.paging.next === undefined
  ],
  [
    40,
    'get a profile',
    { path: `${META}/${PHONE_ID}/whatsapp_business_profile`, query: { fields: 'about,vertical' } },
    ({ body }) => body.data[0].vertical === 'RETAIL' && body.data[0].messaging_product === 'whatsapp'
  ],
  [
    41,
    'update a profile',
    {
      path: `${META}/${PHONE_ID}/whatsapp_business_profile`,
      json: { messaging_product: 'whatsapp', about: 'Open again', websites: ['https://a.example'] }
    },
    done
  ]
]

t.test('every endpoint of Meta answers as the real one', async t => {
  const sandbox = await open(t)
  await checkRows(t, sandbox, ROWS)
  t.strictSame(
    [...new Set(ROWS.map(([row]) => row))],
    Array.from({ length: 21 }, (_, at) => at + 21)
  )
})
