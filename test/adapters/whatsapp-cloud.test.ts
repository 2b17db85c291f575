import { Value } from '@sinclair/typebox/value'
import t from 'tap'
import type { MessageType } from '../../schemas/content.ts'
import { messageTypes } from '../../schemas/content.ts'
import type { SendableContent } from '../../src/adapters/adapter.ts'
import { Unsupported } from '../../src/adapters/adapter.ts'
import { whatsappCloud as adapter } from '../../src/adapters/whatsapp-cloud/index.ts'

const settings = { phoneNumberId: '106540352242922', businessAccountId: '102290129340398', graphVersion: 'v25.0' }
const channel = { id: 'support', provider: 'whatsapp-cloud', mode: 'live', settings } as const
const link = { source: { link: 'https://example.com/a' } }
const id = { source: { providerMediaId: '1387' } }

function encode<T extends MessageType>(type: T, content: SendableContent[T], replyTo?: string) {
  const { encode } = adapter.encoders[type]!
  return encode({ id: 'msg_1', to: '14155551234', type, content, ...(replyTo && { replyTo }) } as never, channel)
}
/** The type's own object as it goes out. */
function wire<T extends MessageType>(type: T, content: SendableContent[T]): unknown {
  const { request, warnings } = encode(type, content)
  const { json } = request.body as { json: Record<string, unknown> }
  t.same(warnings, [])
  return { [String(json.type)]: json[String(json.type)] }
}

t.test('a message goes to the number’s messages, with its own id planted and the quoted one in context', async t => {
  const { request } = encode('text', { body: 'Hello', previewUrl: true }, 'wamid.A')
  t.strictSame(request, {
    method: 'POST',
    path: ['v25.0', '106540352242922', 'messages'],
    body: {
      json: {
        messaging_product: 'whatsapp',
        recipient_type: 'individual',
        to: '+14155551234',
        type: 'text',
        context: { message_id: 'wamid.A' },
        biz_opaque_callback_data: 'sb1.msg_1',
        text: { body: 'Hello', preview_url: true }
      }
    }
  })
  t.strictSame(wire('text', { body: 'Hello' }), { text: { body: 'Hello' } })
})

t.test('every message type can be said', async t => {
  t.strictSame(Object.keys(adapter.encoders), [...messageTypes])
})

t.test('media go by link or by id, with what their kind may carry', async t => {
  const all = { caption: 'Look', filename: 'a.bin' }
  t.strictSame(wire('image', { ...link, ...all }), { image: { link: 'https://example.com/a', caption: 'Look' } })
  t.strictSame(wire('video', { ...id, ...all }), { video: { id: '1387', caption: 'Look' } })
  t.strictSame(wire('document', { ...id, ...all }), { document: { id: '1387', caption: 'Look', filename: 'a.bin' } })
  t.strictSame(wire('document', link), { document: { link: 'https://example.com/a' } })
  t.strictSame(wire('audio', { ...id, ...all }), { audio: { id: '1387' } })
  t.strictSame(wire('sticker', { ...link, ...all }), { sticker: { link: 'https://example.com/a' } })
  const file = { path: '/x', size: 1, mimeType: 'image/png', filename: 'x.png' }
  t.throws(() => encode('image', { source: { file } }), /has to be uploaded/)
})

t.test('a location is sent as numbers', async t => {
  const place = { latitude: 37.7, longitude: -122.4, name: 'Pick-up', address: '1 Market St' }
  t.strictSame(wire('location', place), { location: place })
  t.strictSame(wire('location', { latitude: 0, longitude: 0 }), { location: { latitude: 0, longitude: 0 } })
})

t.test('a contact card takes Meta’s names', async t => {
  const name = {
    formatted: 'Dr. Ada K. Lovelace',
    first: 'Ada',
    last: 'Lovelace',
    middle: 'K.',
    prefix: 'Dr.',
    suffix: 'I'
  }
  const address = { street: 's', city: 'c', state: 'CA', zip: '9', country: 'US', countryCode: 'us', type: 'home' }
  const rest = {
    emails: [{ email: 'a@example.com', type: 'WORK' }],
    urls: [{ url: 'https://example.com' }],
    org: { company: 'A', department: 'B', title: 'C' },
    birthday: '1815-12-10'
  }
  const phones = [{ phone: '+1 415', type: 'Mobile', waId: '1415' }, { phone: '2' }]
  t.strictSame(wire('contacts', [{ name, phones, addresses: [address], ...rest }]), {
    contacts: [
      {
        name: {
          formatted_name: 'Dr. Ada K. Lovelace',
          first_name: 'Ada',
          last_name: 'Lovelace',
          middle_name: 'K.',
          prefix: 'Dr.',
          suffix: 'I'
        },
        phones: [{ phone: '+1 415', type: 'Mobile', wa_id: '1415' }, { phone: '2' }],
        addresses: [{ street: 's', city: 'c', state: 'CA', zip: '9', country: 'US', country_code: 'us', type: 'home' }],
        ...rest
      }
    ]
  })
  t.strictSame(wire('contacts', [{ name: { formatted: 'Ada' }, phones: [{ phone: '2' }] }]), {
    contacts: [{ name: { formatted_name: 'Ada', first_name: 'Ada' }, phones: [{ phone: '2' }] }]
  })
})

t.test('buttons get ids by position that clash with no given one', async t => {
  const buttons = [{ title: 'One', id: 'b2' }, { title: 'Two' }, { title: 'Three' }]
  const reply = (id: string, title: string) => ({ type: 'reply', reply: { id, title } })
  const action = { buttons: [reply('b2', 'One'), reply('b3', 'Two'), reply('b4', 'Three')] }
  t.strictSame(wire('buttons', { body: 'Well?', buttons }), {
    interactive: { type: 'button', body: { text: 'Well?' }, action }
  })
  const header = (header: NonNullable<SendableContent['buttons']['header']>) =>
    (wire('buttons', { header, body: 'x', footer: 'f', buttons }) as { interactive: unknown }).interactive
  const around = { type: 'button', body: { text: 'x' }, footer: { text: 'f' }, action }
  t.strictSame(header({ text: 'H' }), { ...around, header: { type: 'text', text: 'H' } })
  for (const kind of ['image', 'video'] as const) {
    t.strictSame(header({ kind, media: { ...id, filename: 'x' } }), {
      ...around,
      header: { type: kind, [kind]: { id: '1387' } }
    })
  }
  t.strictSame(header({ kind: 'document', media: { ...id, filename: 'x.pdf' } }), {
    ...around,
    header: { type: 'document', document: { id: '1387', filename: 'x.pdf' } }
  })
})

t.test('list rows are numbered over all sections', async t => {
  const sections = [
    { title: 'S', rows: [{ title: 'A', description: 'd' }] },
    { rows: [{ id: 'x', title: 'B' }, { title: 'C' }] }
  ]
  t.strictSame(wire('list', { header: 'H', body: 'B', footer: 'F', button: 'Go', sections }), {
    interactive: {
      type: 'list',
      header: { type: 'text', text: 'H' },
      body: { text: 'B' },
      footer: { text: 'F' },
      action: {
        button: 'Go',
        sections: [
          { title: 'S', rows: [{ title: 'A', description: 'd', id: 'r1' }] },
          {
            rows: [
              { id: 'x', title: 'B' },
              { title: 'C', id: 'r3' }
            ]
          }
        ]
      }
    }
  })
})

t.test('a reaction names its own message, and no other', async t => {
  const content = { messageId: 'wamid.A', emoji: '' }
  t.strictSame(wire('reaction', content), { reaction: { message_id: 'wamid.A', emoji: '' } })
  t.notOk('context' in (encode('reaction', content, 'wamid.A').request.body as { json: object }).json)
  t.throws(() => encode('reaction', content, 'wamid.B'), Unsupported)
})

t.test('a template has a component for each part that varies', async t => {
  const base = { name: 'order', language: 'en_US', parameterFormat: 'named' } as const
  const none = { body: [], buttons: [], flat: [] }
  const start = { name: 'order', language: { code: 'en_US' } }
  t.strictSame(wire('template', { ...base, ...none }), { template: start })
  const components = (more: Partial<SendableContent['template']>) =>
    (wire('template', { ...base, ...none, ...more }) as { template: { components: unknown } }).template.components
  const values = [{ name: 'who', value: 'Ada' }]
  t.strictSame(components({ header: { values }, body: values }), [
    { type: 'header', parameters: [{ type: 'text', parameter_name: 'who', text: 'Ada' }] },
    { type: 'body', parameters: [{ type: 'text', parameter_name: 'who', text: 'Ada' }] }
  ])
  t.strictSame(components({ parameterFormat: 'positional', body: [{ name: '1', value: 'Ada' }] }), [
    { type: 'body', parameters: [{ type: 'text', text: 'Ada' }] }
  ])
  t.strictSame(components({ header: { kind: 'document', media: { ...id, caption: 'no', filename: 'i.pdf' } } }), [
    { type: 'header', parameters: [{ type: 'document', document: { id: '1387', filename: 'i.pdf' } }] }
  ])
  t.strictSame(components({ header: { kind: 'image', media: link } }), [
    { type: 'header', parameters: [{ type: 'image', image: { link: 'https://example.com/a' } }] }
  ])
  t.strictSame(components({ header: { location: { latitude: 1, longitude: 2 } } }), [
    { type: 'header', parameters: [{ type: 'location', location: { latitude: 1, longitude: 2 } }] }
  ])
  const button = { name: '1', value: 'v' }
  t.strictSame(
    components({
      buttons: [
        { ...button, index: 0, type: 'url' },
        { ...button, index: 1, type: 'quick_reply' },
        { ...button, index: 9, type: 'copy_code' }
      ]
    }),
    [
      { type: 'button', sub_type: 'url', index: '0', parameters: [{ type: 'text', text: 'v' }] },
      { type: 'button', sub_type: 'quick_reply', index: '1', parameters: [{ type: 'payload', payload: 'v' }] },
      { type: 'button', sub_type: 'copy_code', index: '9', parameters: [{ type: 'coupon_code', coupon_code: 'v' }] }
    ]
  )
})

t.test('settings are strict, with a version by default', async t => {
  const { graphVersion, ...ids } = settings
  const fits = (value: unknown) => Value.Check(adapter.settings, value)
  t.ok(fits(settings) && fits(ids))
  for (const bad of [{}, { ...ids, token: 'x' }, { ...ids, phoneNumberId: '+1415' }, { ...ids, graphVersion: '24' }]) {
    t.notOk(fits(bad), JSON.stringify(bad))
  }
  const { request } = adapter.encoders.text!.encode(
    { id: 'm', to: '1', type: 'text', content: { body: 'x' } },
    { ...channel, settings: ids }
  )
  t.equal(request.path[0], 'v24.0')
})

t.test('a version that ends within 90 days is remarked upon', async t => {
  const remarks = (graphVersion: string, day: string) =>
    adapter.remarks!({ ...settings, graphVersion }, Date.parse(`${day}T00:00:00Z`))
  t.strictSame(remarks('v21.0', '2026-10-22'), [])
  t.strictSame(remarks('v21.0', '2026-10-23'), ['Graph API v21.0 ends on 2027-01-21: set graphVersion to v26.0.'])
  t.strictSame(remarks('v21.0', '2027-01-21'), ['Graph API v21.0 ended on 2027-01-21: set graphVersion to v26.0.'])
  t.strictSame(remarks('v26.0', '2040-01-01'), [])
  const { graphVersion, ...ids } = settings
  t.match(adapter.remarks!(ids, Date.parse('2028-02-01')), [/v24\.0 ends on 2028-02-18/])
})

t.test('a card needs a name only', async t => {
  t.strictSame(wire('contacts', [{ name: { formatted: 'Ada' } }]), {
    contacts: [{ name: { formatted_name: 'Ada', first_name: 'Ada' } }]
  })
})
