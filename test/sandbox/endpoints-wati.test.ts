import t from 'tap'
import { SEEDED_FILE } from '../../src/sandbox/wati/seed-messages.ts'
import { checkRows, ORDER, open, parts, type Reply, type Row, wamid, watiTemplate, watiText } from './helper.ts'

const TO = '14155550000'
const KNOWN = '14155551234'
const receivers = [{ whatsappNumber: TO, customParams: ORDER }]
const to = { whatsappNumber: TO }

const spoken = ({ body }: Reply): boolean => body.ok === true && wamid.test(body.message.whatsappMessageId)
const received = ({ body }: Reply): boolean =>
  body.result === true &&
  body.error === null &&
  body.receivers[0].isValidWhatsAppNumber &&
  body.receivers[0].waId === TO

/** docs/upstream.md 5, rows 1 to 20. */
const ROWS: readonly Row[] = [
  [
    1,
    'list connections',
    { path: '/connections', query: { app: 'wati', status: 'ACTIVE' } },
    ({ body }) => body.connections.length === 1 && body.connections[0].app === 'wati'
  ],
  [
    2,
    'create a connection',
    { path: '/connections', json: { app: 'wati' } },
    ({ body }) => body.connection.status === 'PENDING' && body.connection.url.includes('session_token=')
  ],
  [
    3,
    'get a connection',
    { path: '/connections/11111111-1111-4111-8111-111111111111' },
    ({ body }) => body.connection.status === 'ACTIVE' && /\.\d{6}Z$/.test(body.connection.creation_time)
  ],
  [
    4,
    'delete a connection',
    { method: 'DELETE', path: '/connections/33333333-3333-4333-8333-333333333333' },
    ({ body }) => Object.keys(body).length === 0
  ],
  [
    5,
    'getContacts',
    { path: '/wati/api/v1/getContacts', query: { pageSize: '100' } },
    ({ body }) => body.result === 'success' && body.contact_list.length === 23 && body.link.total === 23
  ],
  [
    6,
    'addContact',
    { path: `/wati/api/v1/addContact/${TO}`, json: { name: 'New One' } },
    ({ body }) => body.result === true && /^[A-Z][a-z]{2}-\d\d-\d{4}$/.test(body.contact.created)
  ],
  [
    7,
    'updateContactAttributes',
    {
      path: `/wati/api/v1/updateContactAttributes/${KNOWN}`,
      json: { customParams: [{ name: 'city', value: 'Bath' }] }
    },
    ({ body }) => body.result === true
  ],
  [
    8,
    'getMessages',
    { path: `/wati/api/v1/getMessages/${KNOWN}` },
    ({ body }) => body.result === 'success' && body.messages.items.length === 6
  ],
  [9, 'sendSessionMessage as a form', watiText(TO), spoken],
  [
    9,
    'sendSessionMessage as a query',
    {
      method: 'POST',
      path: `/wati/api/v1/sendSessionMessage/${TO}`,
      query: { messageText: 'Hi', localMessageId: 'x' }
    },
    reply => spoken(reply) && reply.body.message.localMessageId === 'x'
  ],
  [
    10,
    'sendSessionFile',
    {
      path: `/wati/api/v1/sendSessionFile/${TO}`,
      query: { caption: 'look' },
      parts: parts({}, { name: 'file', filename: 'a.txt', type: 'text/plain', bytes: 'hello' })
    },
    ({ body }) => /^[0-9a-f]{24}$/.test(body.result)
  ],
  [
    11,
    'getMessageTemplates',
    { path: '/wati/api/v1/getMessageTemplates', query: { pageSize: '500' } },
    ({ body }) => body.messageTemplates.some((one: { elementName: string }) => one.elementName === 'order_update')
  ],
  [
    12,
    'sendTemplateMessage',
    watiTemplate(TO, 'v1'),
    ({ body }) => body.result === true && body.parameteres.length === 2 && body.contact.wAid === TO
  ],
  [
    13,
    'sendTemplateMessages',
    {
      path: '/wati/api/v1/sendTemplateMessages',
      json: { template_name: 'order_update', broadcast_name: 'b', receivers }
    },
    ({ body }) => body.result === true && body.errors.error === '' && body.errors.invalidWhatsappNumbers.length === 0
  ],
  [
    14,
    'sendTemplateMessageCSV',
    {
      path: '/wati/api/v1/sendTemplateMessageCSV',
      query: { template_name: 'order_update', broadcast_name: 'b' },
      parts: parts(
        {},
        {
          name: 'whatsapp_numbers_csv',
          filename: 'a.csv',
          type: 'text/csv',
          bytes: `phone,name,ordernumber\n${TO},"Ada, Countess",1\r\n`
        }
      )
    },
    ({ body }) => body.result === true
  ],
  [15, 'v2 sendTemplateMessage', watiTemplate(TO), received],
  [
    16,
    'v2 sendTemplateMessages',
    {
      path: '/wati/api/v2/sendTemplateMessages',
      json: {
        template_name: 'order_update',
        broadcast_name: 'b',
        receivers: [{ ...receivers[0], localMessageId: 'mine' }]
      }
    },
    reply => received(reply) && reply.body.receivers[0].localMessageId === 'mine'
  ],
  [
    17,
    'sendInteractiveButtonsMessage',
    {
      path: '/wati/api/v1/sendInteractiveButtonsMessage',
      query: to,
      json: { header: { type: 'Text', text: 'Order' }, body: 'Ready', footer: 'Bye', buttons: [{ text: 'Track' }] }
    },
    spoken
  ],
  [
    18,
    'sendInteractiveListMessage',
    {
      path: '/wati/api/v1/sendInteractiveListMessage',
      query: to,
      json: { header: 'Menu', body: 'Choose', buttonText: 'Open', sections: [{ title: 'A', rows: [{ title: 'One' }] }] }
    },
    spoken
  ],
  [
    19,
    'assignOperator',
    { method: 'POST', path: '/wati/api/v1/assignOperator', query: { ...to, email: 'agent@example.com' } },
    ({ body }) => body.result === true
  ],
  [
    20,
    'getMedia',
    { path: '/wati/api/v1/getMedia', query: { fileName: SEEDED_FILE } },
    ({ headers, bytes }) => headers['content-type'] === 'image/jpeg' && bytes.readUInt16BE(0) === 0xffd8
  ]
]

t.test('every endpoint of Maton and WATI answers as the real one', async t => {
  const sandbox = await open(t)
  await checkRows(t, sandbox, ROWS)
  t.strictSame(
    [...new Set(ROWS.map(([row]) => row))],
    Array.from({ length: 20 }, (_, at) => at + 1)
  )
})
