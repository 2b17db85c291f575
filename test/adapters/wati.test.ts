import t from 'tap'
import type { MessageType } from '../../schemas/content.ts'
import type {
  BoundChannel,
  Encoded,
  Encoder,
  NativeRequest,
  Sendable,
  SendableContent
} from '../../src/adapters/adapter.ts'
import { Unsupported } from '../../src/adapters/adapter.ts'
import { wati } from '../../src/adapters/wati/index.ts'
import type { Settings } from '../../src/adapters/wati/settings.ts'

const id = 'msg_0199f0a57c0f7cc0a5a5d2c1b8f1e2d3'
const to = '14155551234'
const channelPhoneNumber = '85264318721'
const bound = (settings: Settings = {}): BoundChannel<Settings> => ({
  id: 'support',
  provider: 'wati',
  mode: 'live',
  settings
})
const file = { path: '/tmp/spool/1', size: 3, mimeType: 'application/pdf', filename: 'kept.pdf' }
const link = 'https://example.com/a.pdf'

function encode<T extends MessageType>(
  type: T,
  content: SendableContent[T],
  more: Partial<Sendable<T>> = {},
  settings: Settings = {}
): Encoded {
  const { encode } = wati.encoders[type] as unknown as Encoder<T, Settings>
  return encode({ id, to, type, content, ...more }, bound(settings))
}
const post = (path: string, query: object, body?: object) => ({
  method: 'POST',
  path: path.split('/'),
  query,
  ...(body && { body })
})

const text = { body: 'Hello' }
const buttons = { body: 'Ready.', buttons: [{ title: 'Track' }] }
const list = { body: 'Choose.', button: 'Open', sections: [{ title: 'Drinks', rows: [{ title: 'Tea' }] }] }
const template: SendableContent['template'] = {
  name: 'order_update',
  language: 'en',
  parameterFormat: 'named',
  body: [{ name: 'name', value: 'Ada' }],
  buttons: [],
  flat: [{ name: 'name', value: 'Ada' }]
}

t.test('a text goes as a form and carries our id, the quote and the sender in the query', async t => {
  t.strictSame(encode('text', text), {
    request: post(`api/v1/sendSessionMessage/${to}`, { localMessageId: id }, { form: { messageText: 'Hello' } }),
    warnings: []
  })
  t.strictSame(encode('text', text, { replyTo: 'wamid.A' }, { channelPhoneNumber }).request.query, {
    replyContextId: 'wamid.A',
    channelPhoneNumber,
    localMessageId: id
  })
})

t.test('a text goes in the query, and only there, where the channel says so', async t => {
  const { request } = encode('text', text, {}, { sessionTextIn: 'query' })
  t.strictSame(request, post(`api/v1/sendSessionMessage/${to}`, { messageText: 'Hello', localMessageId: id }))
})

t.test('a hint that WATI cannot carry is a warning', async t => {
  t.match(encode('text', { ...text, previewUrl: false }).warnings, [/previewUrl/])
  t.match(encode('text', text, { options: { broadcastName: 'x' } }).warnings, [/broadcastName/])
  t.match(encode('buttons', { ...buttons, buttons: [{ id: 'a', title: 'A' }] }).warnings, [/ids/])
  const sections = [{ title: 'S', rows: [{ id: 'r', title: 'A' }, { title: 'B' }] }]
  t.match(encode('list', { ...list, sections }).warnings, [/ids/])
  const quick = { index: 0, type: 'quick_reply', value: 'payload' } as const
  t.match(encode('template', { ...template, buttons: [quick] }).warnings, [/payload/])
})

for (const type of ['image', 'video', 'document', 'audio', 'sticker'] as const) {
  t.test(`${type} goes as one part named file`, async t => {
    t.equal(wati.encoders[type]?.media, 'file')
    t.strictSame(encode(type, { source: { file } }), {
      // a document without a caption would show as "null"
      request: post(`api/v1/sendSessionFile/${to}`, type === 'document' ? { caption: file.filename } : {}, {
        multipart: [{ name: 'file', file }]
      }),
      warnings: []
    })
    for (const source of [{ link }, { providerMediaId: '1' }]) t.throws(() => encode(type, { source }), Unsupported)
  })
}

t.test('a file takes caption and sender in the query and its name in the part', async t => {
  const content = { source: { file }, caption: 'See', filename: 'invoice.pdf' }
  t.strictSame(
    encode('document', content, {}, { channelPhoneNumber }).request,
    post(
      `api/v1/sendSessionFile/${to}`,
      { caption: 'See', channelPhoneNumber },
      { multipart: [{ name: 'file', file: { ...file, filename: 'invoice.pdf' } }] }
    )
  )
})

t.test('buttons have an object for a header and strings for body and footer', async t => {
  t.strictSame(
    encode('buttons', { ...buttons, header: { text: 'Order' }, footer: 'Bye' }, {}, { channelPhoneNumber }).request,
    post(
      'api/v1/sendInteractiveButtonsMessage',
      { whatsappNumber: to, channelPhoneNumber },
      { json: { header: { type: 'Text', text: 'Order' }, body: 'Ready.', footer: 'Bye', buttons: [{ text: 'Track' }] } }
    )
  )
  t.strictSame(encode('buttons', buttons).request.body, { json: { body: 'Ready.', buttons: [{ text: 'Track' }] } })
})

t.test('a media header of buttons goes by link, with a file name for documents only', async t => {
  const header = (kind: 'image' | 'video' | 'document', filename?: string) => {
    const { request } = encode('buttons', { ...buttons, header: { kind, media: { source: { link }, filename } } })
    return (request.body as { json: { header: unknown } }).json.header
  }
  t.strictSame(header('image', 'x.jpg'), { type: 'Image', media: { url: link } })
  t.strictSame(header('video'), { type: 'Video', media: { url: link } })
  t.strictSame(header('document', 'x.pdf'), { type: 'Document', media: { url: link, fileName: 'x.pdf' } })
  for (const source of [{ file }, { providerMediaId: '1' }]) {
    t.throws(() => encode('buttons', { ...buttons, header: { kind: 'image', media: { source } } }), /public link/)
  }
})

t.test('a list has plain strings and rows without ids', async t => {
  const rows = [{ id: 'r1', title: 'Tea', description: 'hot' }, { title: 'Milk' }]
  t.strictSame(
    encode('list', { ...list, header: 'Menu', footer: 'Bye', sections: [{ title: 'Drinks', rows }] }).request,
    post(
      'api/v1/sendInteractiveListMessage',
      { whatsappNumber: to },
      {
        json: {
          header: 'Menu',
          body: 'Choose.',
          footer: 'Bye',
          buttonText: 'Open',
          sections: [{ title: 'Drinks', rows: [{ title: 'Tea', description: 'hot' }, { title: 'Milk' }] }]
        }
      }
    )
  )
})

t.test('a list that WATI would refuse or change is unsupported', async t => {
  t.throws(() => encode('list', { ...list, body: 'x'.repeat(1025) }), { name: 'Unsupported', message: /1024/ })
  t.doesNotThrow(() => encode('list', { ...list, body: 'x'.repeat(1024) }))
  const untitled = [...list.sections, { rows: [{ title: 'A' }] }]
  const hint = { name: 'Unsupported', message: /sections\[1\]\.title/ }
  t.throws(() => encode('list', { ...list, sections: untitled }), hint)
})

t.test('a template goes to v2 with names and values in the definition’s order', async t => {
  const flat = ['b', 'a', '1'].map(name => ({ name, value: `v${name}` }))
  t.strictSame(
    encode('template', { ...template, flat }).request,
    post(
      'api/v2/sendTemplateMessage',
      { whatsappNumber: to },
      { json: { template_name: 'order_update', broadcast_name: id, parameters: flat } }
    )
  )
  const { request } = encode('template', template, { options: { broadcastName: 'May' } }, { channelPhoneNumber })
  t.match(request.body, { json: { broadcast_name: 'May', channel_number: channelPhoneNumber } })
})

const parameters = (content: Partial<SendableContent['template']>) => {
  const { body } = encode('template', { ...template, ...content }).request
  return (body as { json: { parameters: unknown } }).json.parameters
}

t.test('a media header of a template is one more parameter under the template’s own name', async t => {
  const header = { kind: 'image', media: { source: { link } } } as const
  t.strictSame(parameters({ header }), [{ name: 'mediaUrl', value: link }, ...template.flat])
  t.strictSame(parameters({ header, mediaVariable: 'photo' }), [{ name: 'photo', value: link }, ...template.flat])
  t.throws(() => parameters({ header: { kind: 'image', media: { source: { file } } } }), Unsupported)
  const named = { kind: 'document', media: { source: { link }, filename: 'x.pdf' } } as const
  t.throws(() => parameters({ header: named }), /filename/)
  t.throws(() => parameters({ header: { location: { latitude: 1, longitude: 2 } } }), Unsupported)
})

t.test('a button’s variable part is one parameter, once', async t => {
  const button = { index: 0, type: 'url', name: 'suffix', value: 'abc' } as const
  const suffix = { name: 'suffix', value: 'abc' }
  t.strictSame(parameters({ buttons: [button] }), [...template.flat, suffix])
  t.strictSame(parameters({ buttons: [button], flat: [...template.flat, suffix] }), [...template.flat, suffix])
  t.throws(() => parameters({ buttons: [{ index: 1, type: 'copy_code', value: 'x' }] }), /button 1/)
})

t.test('an empty value is never sent', async t => {
  const hint = { name: 'Unsupported', message: /variables\.name/ }
  t.throws(() => parameters({ flat: [{ name: 'name', value: ' ' }] }), hint)
})

t.test('a quote is refused wherever WATI cannot make one', async t => {
  const replyTo = 'wamid.A'
  t.throws(() => encode('image', { source: { file } }, { replyTo }), Unsupported)
  t.throws(() => encode('buttons', buttons, { replyTo }), Unsupported)
  t.throws(() => encode('list', list, { replyTo }), Unsupported)
  t.throws(() => encode('template', template, { replyTo }), Unsupported)
})

t.test('what WATI has no call for has no encoder and no operation', async t => {
  for (const type of ['location', 'contacts', 'reaction'] as const) t.notOk(type in wati.encoders)
  for (const operation of ['uploadMedia', 'createTemplate', 'deleteTemplate', 'markMessageRead', 'getProfile'])
    t.notOk(operation in wati.operations, operation)
})

t.test('a send is one request', async t => {
  const seen: NativeRequest[] = []
  const input = encode('text', text)
  await wati.operations.sendMessage(bound(), input, {
    stream: () => Promise.reject(new Error('no stream here')),
    request: async request => {
      seen.push(request)
      return { status: 200, headers: {}, body: { ok: true, message: { id: 'a' } } }
    }
  })
  t.strictSame(seen, [input.request])
})

t.test('parameters stand in the definition’s order, the media variable at its own place', async t => {
  const flat = ['a', 'b', 'c'].map(name => ({ name, value: name.toUpperCase() }))
  const header = { kind: 'document', media: { source: { link } } } as const
  const names = (mediaPosition?: number) => {
    const more = mediaPosition === undefined ? {} : { mediaPosition }
    const { request } = encode('template', { ...template, flat, header, mediaVariable: 'file', ...more })
    const { parameters } = (request.body as { json: { parameters: { name: string }[] } }).json
    return parameters.map(({ name }) => name)
  }
  t.strictSame(names(2), ['a', 'b', 'file', 'c'])
  t.strictSame(names(3), ['a', 'b', 'c', 'file'])
  t.strictSame(names(0), ['file', 'a', 'b', 'c'])
  t.strictSame(names(), ['file', 'a', 'b', 'c'], 'nobody knows where: in front')
})

t.test('what WATI may mean otherwise is a warning', async t => {
  t.match(encode('template', { ...template, otherLanguages: ['de', 'fr'] }).warnings, [/takes no language: .* de, fr/])
  t.strictSame(encode('template', template).warnings, [])
  const rows = [{ title: 'Tea' }, { title: 'Coffee' }, { title: 'Tea' }, { title: 'Tea' }]
  t.match(encode('list', { ...list, sections: [{ title: 'Drinks', rows }] }).warnings, [
    /several rows are called "Tea"/
  ])
  t.strictSame(encode('list', list).warnings, [])
})

t.test('a user id goes as target', async t => {
  const target = 'US.13491208655302741918'
  t.match(encode('text', text, { to: target }).request, {
    path: ['api', 'v1', 'sendSessionMessage', target],
    query: { target }
  })
  for (const { request } of [
    encode('buttons', buttons, { to: target }),
    encode('list', list, { to: target }),
    encode('template', template, { to: target })
  ]) {
    t.match(request.query, { target })
    t.notOk('whatsappNumber' in request.query!)
  }
})
