import t from 'tap'
import {
  type Ask,
  ask,
  type Bad,
  checkRefusals,
  cloudMessage,
  cloudTemplate,
  MESSAGES,
  META,
  open,
  PHONE_ID,
  parts,
  WABA_ID
} from './helper.ts'

const TO = '14155550000'
const LINK = 'https://example.com/file'
const text = (json: Record<string, unknown>): Ask => ({
  path: MESSAGES,
  json: { messaging_product: 'whatsapp', to: TO, type: 'text', text: { body: 'x' }, ...json }
})
const say = (content: Record<string, unknown>): Ask => cloudMessage(TO, content)
const template = (name: string, ...components: unknown[]): Ask =>
  say({ template: { name, language: { code: 'en_US' }, components } })
const body = (...values: string[]) => ({
  type: 'body',
  parameters: values.map(value => ({ type: 'text', text: value }))
})
const url = (index: number, value: string, sub_type = 'url') => ({
  type: 'button',
  sub_type,
  index,
  parameters: [{ type: 'text', text: value }]
})
const reply = (id: string, title = id) => ({ type: 'reply', reply: { id, title } })
const buttons = (list: unknown[], more = {}): Ask =>
  say({ interactive: { type: 'button', body: { text: 'x' }, action: { buttons: list }, ...more } })
const rows = (count: number, from = 0) =>
  Array.from({ length: count }, (_, at) => ({ id: `r${from + at}`, title: `Row ${from + at}` }))
const list = (sections: unknown[], more = {}): Ask =>
  say({ interactive: { type: 'list', body: { text: 'x' }, action: { button: 'Open', sections }, ...more } })
const upload = (fields: Record<string, string>, type = 'text/plain', bytes: string | Uint8Array = 'x'): Ask => ({
  path: `${META}/${PHONE_ID}/media`,
  parts: parts({ messaging_product: 'whatsapp', type, ...fields }, { name: 'file', filename: 'a', type, bytes })
})
const profile = (json: Record<string, unknown>): Ask => ({
  path: `${META}/${PHONE_ID}/whatsapp_business_profile`,
  json: { messaging_product: 'whatsapp', ...json }
})
const templates = `${META}/${WABA_ID}/message_templates`
const create = (component: Record<string, unknown>, more: Record<string, unknown> = {}): Ask => ({
  path: templates,
  json: {
    name: 'fresh',
    category: 'UTILITY',
    language: 'en_US',
    components: [{ type: 'BODY', text: 'x' }, component],
    ...more
  }
})
const bodyOnly = (component: Record<string, unknown>, more = {}): Ask =>
  create({}, { components: [{ type: 'BODY', ...component }], ...more })
const MB = 1024 * 1024

const CALLS: readonly Bad[] = [
  ['letters in to', text({ to: '+1415CALLME' }), 400, 100],
  ['a user id in to', text({ to: 'US.13491208655302741918' }), 400, 100],
  ['a number as recipient', text({ to: undefined, recipient: TO }), 400, 131009],
  ['zero behind the plus', text({ to: '+04155550000' }), 400, 100],
  ['nobody', text({ to: undefined }), 400, 131008],
  ['number as a number', text({ to: 14155550000 }), 400, 100],
  ['no recipient', text({ to: undefined }), 400, 131008],
  ['no product', text({ messaging_product: undefined }), 400, 131008],
  ['unknown field', text({ metadata: {} }), 400, 100],
  ['unknown inner field', text({ text: { body: 'x', preview: true } }), 400, 100],
  ['type without its object', text({ type: 'image' }), 400, 131008],
  ['unknown type', text({ type: 'poll', poll: {} }), 400, 100],
  ['empty text', text({ text: { body: '' } }), 400, 100],
  ['long text', text({ text: { body: 'x'.repeat(4097) } }), 400, 100],
  ['quoting no wamid', text({ context: { message_id: 'msg_1' } }), 400, 100],
  ['long callback', text({ biz_opaque_callback_data: 'x'.repeat(513) }), 400, 100],
  ['a form', { path: MESSAGES, form: { to: TO } }, 400, 100],
  ['query on a send', { ...text({}), query: { a: 'b' } }, 400, 100],
  ['both id and link', say({ image: { id: '2621000000000001', link: LINK } }), 400, 131009],
  ['neither id nor link', say({ video: { caption: 'x' } }), 400, 131009],
  ['link to nowhere', say({ video: { link: 'file:///x' } }), 400, 100],
  ['caption on audio', say({ audio: { link: LINK, caption: 'x' } }), 400, 100],
  ['picture as a video', say({ video: { id: '2621000000000001' } }), 400, 131053],
  ['long caption', say({ image: { link: LINK, caption: 'x'.repeat(1025) } }), 400, 100],
  ['place off the earth', say({ location: { latitude: 91, longitude: 0 } }), 400, 100],
  ['contact without a name', say({ contacts: [{ phones: [] }] }), 400, 131008],
  ['reaction to no wamid', say({ reaction: { message_id: 'x', emoji: 'x' } }), 400, 100],
  ['four buttons', buttons(['a', 'b', 'c', 'd'].map(id => reply(id))), 400, 131009],
  ['no button', buttons([]), 400, 131009],
  ['button ids twice', buttons([reply('a', 'A'), reply('a', 'B')]), 400, 131009],
  ['button titles twice', buttons([reply('a', 'A'), reply('b', 'A')]), 400, 131009],
  ['long title', buttons([reply('a', 'x'.repeat(21))]), 400, 100],
  ['header without its text', buttons([reply('a')], { header: { type: 'text' } }), 400, 131008],
  [
    'header with two things',
    buttons([reply('a')], { header: { type: 'text', text: 'x', image: { link: LINK } } }),
    400,
    100
  ],
  [
    'eleven rows',
    list([
      { title: 'A', rows: rows(6) },
      { title: 'B', rows: rows(5, 6) }
    ]),
    400,
    131009
  ],
  ['sections without a title', list([{ title: 'A', rows: rows(1) }, { rows: rows(1, 1) }]), 400, 131009],
  ['row ids twice', list([{ rows: [...rows(1), ...rows(1)] }]), 400, 131009],
  [
    'media header on a list',
    list([{ rows: rows(1) }], { header: { type: 'image', image: { link: LINK } } }),
    400,
    131008
  ],
  [
    'mark read: no wamid',
    { path: MESSAGES, json: { messaging_product: 'whatsapp', status: 'read', message_id: 'x' } },
    400,
    100
  ],
  ['too few params', template('appointment_reminder', body('Ada')), 400, 132000],
  ['params for none', template('hello_world', body('Ada')), 400, 132000],
  ['empty param', template('appointment_reminder', body('Ada', '')), 400, 131008],
  [
    'names for a positional one',
    template(
      'spring_sale',
      { type: 'header', parameters: [{ type: 'image', image: { link: LINK } }] },
      { type: 'body', parameters: [{ type: 'text', parameter_name: 'name', text: 'x' }] }
    ),
    400,
    132012
  ],
  ['no names for a named one', template('order_update', body('Ada', '1')), 400, 132012],
  [
    'wrong name',
    cloudTemplate(TO, {
      components: [
        { type: 'body', parameters: ['name', 'nr'].map(name => ({ type: 'text', parameter_name: name, text: 'x' })) }
      ]
    }),
    400,
    132012
  ],
  ['no header media', template('spring_sale', body('Ada')), 400, 132012],
  [
    'wrong header media',
    template('spring_sale', { type: 'header', parameters: [{ type: 'video', video: { link: LINK } }] }, body('Ada')),
    400,
    132012
  ],
  ['no button param', template('track_parcel', body('Ada')), 400, 131008],
  ['no coupon', template('discount_code', body('Ada')), 400, 131008],
  ['text for a coupon', template('discount_code', body('Ada'), url(0, 'x', 'copy_code')), 400, 132012],
  ['no button there', template('track_parcel', body('Ada'), url(0, 'x'), url(1, 'y')), 400, 132012],
  ['code in the body only', template('login_code', body('123456')), 400, 131008],
  ['rendered too long', template('appointment_reminder', body('x'.repeat(1000), 'Monday')), 400, 132005],
  ['upload: octet-stream', upload({}, 'application/octet-stream'), 400, 100],
  ['upload: csv', upload({}, 'text/csv'), 400, 100],
  ['upload: other type', upload({ type: 'image/png' }), 400, 100],
  ['upload: no product', upload({ messaging_product: '' }), 400, 100],
  ['upload: stray part', upload({ caption: 'x' }), 400, 100],
  ['upload: large picture', upload({}, 'image/png', new Uint8Array(5 * MB + 1)), 400, 131053],
  ['upload: large sticker', upload({}, 'image/webp', new Uint8Array(500 * 1024 + 1)), 400, 131053],
  ['upload: empty', upload({}, 'image/png', ''), 400, 100],
  ['templates: unknown query', { path: templates, query: { page: '2' } }, 400, 100],
  ['templates: unknown field', { path: templates, query: { fields: 'name,nothing' } }, 400, 100],
  ['templates: bad cursor', { path: templates, query: { after: 'x' } }, 400, 100],
  ['templates: bad category', { path: templates, query: { category: 'utility' } }, 400, 100],
  ['create: no example', bodyOnly({ text: 'Dear {{1}}, hello.' }), 400, 100],
  ['create: variable at the end', bodyOnly({ text: 'Dear {{1}}', example: { body_text: [['A']] } }), 400, 100],
  ['create: too few samples', bodyOnly({ text: 'A {{1}} b {{2}} c', example: { body_text: [['A']] } }), 400, 100],
  ['create: names without the format', bodyOnly({ text: 'A {{name}} b', example: { body_text: [['A']] } }), 400, 100],
  ['create: name', bodyOnly({ text: 'x' }, { name: 'Fresh One' }), 400, 100],
  ['create: unknown field', bodyOnly({ text: 'x' }, { examples: {} }), 400, 100],
  ['create: long footer', create({ type: 'FOOTER', text: 'x'.repeat(61) }), 400, 100],
  ['create: footer with a variable', create({ type: 'FOOTER', text: 'x {{1}} y' }), 400, 100],
  [
    'create: media id as a handle',
    create({ type: 'HEADER', format: 'IMAGE', example: { header_handle: ['123'] } }),
    400,
    100
  ],
  [
    'create: dynamic address without a sample',
    create({ type: 'BUTTONS', buttons: [{ type: 'URL', text: 'x', url: 'https://a.example/{{1}}' }] }),
    400,
    100
  ],
  ['delete template: no name', { method: 'DELETE', path: templates }, 400, 100],
  ['number: unknown field', { path: `${META}/${PHONE_ID}`, query: { fields: 'nothing' } }, 400, 100],
  ['number: not an id', { path: `${META}/me` }, 400, 100],
  ['numbers: limit', { path: `${META}/${WABA_ID}/phone_numbers`, query: { limit: '101' } }, 400, 100],
  ['profile: unknown field', profile({ abuot: 'x' }), 400, 100],
  ['profile: long', profile({ about: 'x'.repeat(140) }), 400, 100],
  ['profile: lower-case vertical', profile({ vertical: 'retail' }), 400, 100],
  ['profile: three sites', profile({ websites: [1, 2, 3].map(n => `https://${n}.example`) }), 400, 100],
  [
    'profile: get unknown field',
    { path: `${META}/${PHONE_ID}/whatsapp_business_profile`, query: { fields: 'x' } },
    400,
    100
  ],
  ['no such version', { path: `/whatsapp-business/24/${PHONE_ID}` }, 400, 2500],
  ['no such path', { path: `${META}/${PHONE_ID}/nothing` }, 400, 2500]
]

t.test('what Meta refuses is refused as it does it', async t => {
  await checkRefusals(t, await open(t), CALLS)
})

t.test('a template that cannot be sent has the code of its state', async t => {
  const sandbox = await open(t)
  const code = async (call: Ask) => {
    const { status, body: answer } = await ask(sandbox, call)
    return [status, answer.error?.code]
  }
  t.strictSame(await code(template('nothing_here')), [404, 132001])
  t.strictSame(await code(cloudTemplate(TO, { language: { code: 'fr' } })), [404, 132001])
  t.strictSame(await code(template('pending_notice')), [404, 132001])
  t.strictSame(await code(template('rejected_promo')), [404, 132001])
  t.strictSame(await code(template('paused_offer')), [400, 132015])
  t.strictSame(await code(template('disabled_offer')), [400, 132016])
  t.strictSame(
    await code({
      path: MESSAGES,
      json: { messaging_product: 'whatsapp', to: '15550783881', type: 'text', text: { body: 'x' } }
    }),
    [400, 131021]
  )
  t.strictSame(await code(say({ image: { id: '2621999999999999' } })), [400, 131009])
  t.strictSame(sandbox.ledger.violations(), [])
  t.equal(sandbox.ledger.sends().length, 0)
})

t.test('every kind of template can be sent', async t => {
  const sandbox = await open(t)
  const header = (type: string, value: unknown) => ({ type: 'header', parameters: [{ type, [type]: value }] })
  for (const call of [
    template('hello_world'),
    template('spring_sale', header('image', { link: LINK }), body('Ada')),
    template('track_parcel', body('Ada'), url(0, 'abc')),
    template('discount_code', body('Ada'), {
      type: 'button',
      sub_type: 'copy_code',
      index: '0',
      parameters: [{ type: 'coupon_code', coupon_code: 'X1' }]
    }),
    template('login_code', body('123456'), url(0, '123456')),
    template('header_greeting', header('text', 'Ada'), body('1')),
    template('store_location', header('location', { latitude: 1, longitude: 2 })),
    template('feedback_request', {
      type: 'button',
      sub_type: 'quick_reply',
      index: 1,
      parameters: [{ type: 'payload', payload: 'bad' }]
    }),
    cloudTemplate(TO, { language: { code: 'de' } })
  ]) {
    const { status, text: said } = await ask(sandbox, call)
    t.equal(status, 200, said)
  }
  t.strictSame(sandbox.ledger.violations(), [])
})
