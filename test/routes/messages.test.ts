import t from 'tap'
import { type MessageType, messageTypes } from '../../schemas/content.ts'
import { messageExamples } from '../../schemas/examples.ts'
import type { LedgerEntry } from '../../src/sandbox/index.ts'
import { type Answer, type Board, startBoard } from '../helper.ts'

// Every message type through both providers: what the caller says, and what the provider sees, to the byte's meaning.

const to = '14155551234'
const graph = '/whatsapp-business/v24.0/106540352242922/messages'
const example = (type: MessageType, channel: string) => ({ ...messageExamples[type], channel })
const parts = (type: MessageType) => messageExamples[type][type] as Record<string, unknown>
const post = (board: Board, body: unknown, headers: Record<string, string> = {}) =>
  board.call('POST', '/messages', { body, headers })
const sends = (board: Board) => board.sandbox.ledger.entries.filter(entry => entry.kind === 'send')

/** What stands under Meta's word for each type (docs/upstream.md 4.2), for the examples of the document. */
const metas: Record<MessageType, [type: string, content: unknown]> = {
  text: ['text', parts('text')],
  image: ['image', parts('image')],
  video: ['video', parts('video')],
  document: ['document', parts('document')],
  audio: ['audio', parts('audio')],
  sticker: ['sticker', parts('sticker')],
  location: ['location', parts('location')],
  contacts: [
    'contacts',
    [
      {
        name: { formatted_name: 'Ada Lovelace', first_name: 'Ada', last_name: 'Lovelace' },
        phones: [{ phone: '+14155550100', type: 'WORK' }]
      }
    ]
  ],
  buttons: [
    'interactive',
    {
      type: 'button',
      body: { text: 'Your order is ready. What next?' },
      footer: { text: 'Reply within 24 hours' },
      action: {
        buttons: [
          { type: 'reply', reply: { id: 'track', title: 'Track it' } },
          { type: 'reply', reply: { id: 'help', title: 'Get help' } }
        ]
      }
    }
  ],
  list: [
    'interactive',
    {
      type: 'list',
      header: { type: 'text', text: 'Delivery' },
      body: { text: 'When may we come?' },
      action: {
        button: 'Choose a slot',
        sections: [
          {
            title: 'Tomorrow',
            rows: [
              { id: 'am', title: 'Morning', description: '8 to 12' },
              { id: 'pm', title: 'Afternoon', description: '12 to 18' }
            ]
          }
        ]
      }
    }
  ],
  reaction: ['reaction', { message_id: 'wamid.HBgLMTQxNTU1NTEyMzQVAgARGBI', emoji: '👍' }],
  template: [
    'template',
    {
      name: 'order_update',
      language: { code: 'en_US' },
      components: [
        {
          type: 'body',
          parameters: [
            { type: 'text', parameter_name: 'name', text: 'Ada' },
            { type: 'text', parameter_name: 'ordernumber', text: '12345' }
          ]
        }
      ]
    }
  ]
}

t.test('each of the twelve types reaches Meta exactly as documented', async t => {
  const board = await startBoard(t)
  for (const type of messageTypes) {
    const answer = await post(board, example(type, 'cloud'))
    t.equal(answer.status, 201, type)
    t.match(answer.body, { status: 'accepted', type, to, provider: 'whatsapp-cloud', mode: 'live', attempts: 1 }, type)
    t.strictSame(answer.body[type], messageExamples[type][type], `${type}: echoed as it was said`)
    t.strictSame(answer.body.warnings, [], `${type}: nothing was lost`)
    const seen = sends(board).at(-1)!
    const [word, content] = metas[type]
    t.equal(`${seen.method} ${seen.path}`, `POST ${graph}`)
    t.strictSame(
      seen.body,
      {
        messaging_product: 'whatsapp',
        recipient_type: 'individual',
        // without it Meta would put the business number's own country code in front
        to: `+${to}`,
        type: word,
        biz_opaque_callback_data: `sb1.${answer.body.id}`,
        [word]: content
      },
      `${type}: the body upstream`
    )
  }
  t.equal(sends(board).length, messageTypes.length)
  t.strictSame(board.sandbox.ledger.violations(), [], 'nothing that a strict provider would refuse')
})

/** What WATI's calls carry (docs/upstream.md 3.4); undefined where WATI has no call. `mode: test` for links: a sample goes out. */
const watis: Partial<Record<MessageType, (id: string) => { path: string; query: object; body: unknown }>> = {
  text: id => ({
    path: `/wati/api/v1/sendSessionMessage/${to}`,
    query: { localMessageId: id },
    body: { messageText: 'Your parcel arrives today between 2 and 4 pm.' }
  }),
  buttons: () => ({
    path: '/wati/api/v1/sendInteractiveButtonsMessage',
    query: { whatsappNumber: to },
    body: {
      body: 'Your order is ready. What next?',
      footer: 'Reply within 24 hours',
      buttons: [{ text: 'Track it' }, { text: 'Get help' }]
    }
  }),
  list: () => ({
    path: '/wati/api/v1/sendInteractiveListMessage',
    query: { whatsappNumber: to },
    body: {
      header: 'Delivery',
      body: 'When may we come?',
      buttonText: 'Choose a slot',
      sections: [
        {
          title: 'Tomorrow',
          rows: [
            { title: 'Morning', description: '8 to 12' },
            { title: 'Afternoon', description: '12 to 18' }
          ]
        }
      ]
    }
  }),
  template: id => ({
    path: '/wati/api/v2/sendTemplateMessage',
    query: { whatsappNumber: to },
    body: {
      template_name: 'order_update',
      broadcast_name: id,
      parameters: [
        { name: 'name', value: 'Ada' },
        { name: 'ordernumber', value: '12345' }
      ]
    }
  })
}
const refusedByWati: MessageType[] = ['location', 'contacts', 'reaction']
const files: MessageType[] = ['image', 'video', 'document', 'audio', 'sticker']

t.test('each type that WATI knows reaches it exactly as documented', async t => {
  t.strictSame(
    [...Object.keys(watis), ...refusedByWati, ...files].sort(),
    [...messageTypes].sort(),
    'no type without a row'
  )
  const board = await startBoard(t)
  for (const [type, wanted] of Object.entries(watis) as [MessageType, (id: string) => object][]) {
    const answer = await post(board, example(type, 'wati'))
    t.equal(answer.status, 201, type)
    t.match(answer.body, { status: 'accepted', type, to, provider: 'wati', providerMessageId: /.+/ })
    t.strictSame(answer.body[type], messageExamples[type][type], `${type}: echoed as it was said`)
    const { path, query, body } = sends(board).at(-1) as LedgerEntry
    t.strictSame({ path, query: { ...query }, body }, wanted(answer.body.id), `${type}: the call upstream`)
    if (type === 'buttons' || type === 'list') t.match(answer.body.warnings, [/no ids/], `${type}: a lost hint is told`)
  }
  const named = await post(board, {
    ...example('template', 'wati'),
    providerOptions: { wati: { broadcastName: 'november' } }
  })
  t.equal(named.status, 201)
  t.match(sends(board).at(-1)!.body, { broadcast_name: 'november' }, 'the escape hatch')
  const elsewhere = await post(board, {
    ...example('text', 'cloud'),
    providerOptions: { wati: { broadcastName: 'november' } }
  })
  t.match(elsewhere.body.warnings, [/no meaning on this channel/])
  t.strictSame(board.sandbox.ledger.violations(), [])
})

t.test('what a provider cannot say is refused before any upstream byte, and the answer names who can', async t => {
  const board = await startBoard(t)
  const unsupported = (answer: Answer, name: string, detail: RegExp) => {
    t.equal(answer.status, 422, name)
    t.match(answer.body, { code: 'unsupported', outcome: 'not_sent', detail }, name)
  }
  for (const type of refusedByWati) {
    unsupported(await post(board, example(type, 'wati')), type, /Channel wati \(wati\).*channel of whatsapp-cloud can/)
  }
  const quote = { replyTo: 'wamid.ABC' }
  for (const type of ['buttons', 'list', 'template'] as const)
    unsupported(
      await post(board, { ...example(type, 'wati'), ...quote }),
      `${type} as a reply`,
      /quote only with a text/
    )
  const list = parts('list') as { sections: { title?: string; rows: unknown[] }[] }
  const untitled = { ...list, sections: [{ rows: list.sections[0]!.rows }] }
  unsupported(
    await post(board, { ...example('list', 'wati'), list: untitled }),
    'untitled section',
    /every section titled/
  )
  unsupported(
    await post(board, { ...example('list', 'wati'), list: { ...list, body: 'x'.repeat(1025) } }),
    'long list body',
    /1024 characters/
  )
  const place = { latitude: 1, longitude: 2 }
  unsupported(
    await post(board, {
      channel: 'wati',
      to,
      type: 'template',
      template: { name: 'store_location', header: { location: place } }
    }),
    'template with a location',
    /location header/
  )
  t.strictSame(sends(board), [], 'nothing was sent')
  const list4096 = { ...example('list', 'cloud'), list: { ...list, body: 'x'.repeat(1025) } }
  t.equal((await post(board, list4096)).status, 201, 'CONTROL: the same is sent where the provider can')
  t.equal((await board.call('GET', '/messages')).body.items.length, 1, 'and no row was made of the refused ones')
})
