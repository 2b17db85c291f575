import t from 'tap'
import { type Ask, ask, type Bad, checkRefusals, ORDER, open, parts, watiTemplate, watiText } from './helper.ts'

const TO = '14155550000'
const to = { whatsappNumber: TO }
const api = '/wati/api/v1'
const TYPOS = 'Check your template, it cannot have typos or blank text'

const session = (query: Record<string, string>, more: Partial<Ask> = {}): Ask => ({
  method: 'POST',
  path: `${api}/sendSessionMessage/${TO}`,
  query,
  ...more
})
const file = (name = 'file', bytes: string | Uint8Array = 'x', type = 'text/plain') =>
  parts({}, { name, filename: 'a.txt', type, bytes })
const sessionFile = (more: Partial<Ask>): Ask => ({ path: `${api}/sendSessionFile/${TO}`, parts: file(), ...more })
const template = (parameters: unknown[]): Ask => watiTemplate(TO, 'v2', { parameters })
const bulk = (version: string, json: Record<string, unknown>): Ask => ({
  path: `/wati/api/${version}/sendTemplateMessages`,
  json: { template_name: 'order_update', broadcast_name: 'b', ...json }
})
const receivers = (count: number) =>
  Array.from({ length: count }, () => ({ ...to, customParams: ORDER })).map((one, at) => ({
    ...one,
    whatsappNumber: `1415555${1000 + at}`
  }))
const csv = (query: Record<string, string>, bytes: string, name = 'whatsapp_numbers_csv'): Ask => ({
  path: `${api}/sendTemplateMessageCSV`,
  query: { template_name: 'order_update', broadcast_name: 'b', ...query },
  parts: parts({}, { name, filename: 'a.csv', type: 'text/csv', bytes })
})
const buttons = (json: Record<string, unknown>, query: Record<string, string> = to): Ask => ({
  path: `${api}/sendInteractiveButtonsMessage`,
  query,
  json: { body: 'x', buttons: [{ text: 'A' }], ...json }
})
const rows = (count: number) => Array.from({ length: count }, (_, at) => ({ title: `Row ${at}` }))
const list = (json: Record<string, unknown>): Ask => ({
  path: `${api}/sendInteractiveListMessage`,
  query: to,
  json: { body: 'x', buttonText: 'Open', sections: [{ title: 'A', rows: rows(1) }], ...json }
})
const get = (endpoint: string, query: Record<string, string>): Ask => ({ path: `${api}/${endpoint}`, query })
const attribute = (value: unknown): Ask => get('getContacts', { attribute: JSON.stringify(value) })

const CALLS: readonly Bad[] = [
  ['contacts: unknown query', get('getContacts', { page: '1' }), 400, 'page is not known'],
  ['contacts: page zero', get('getContacts', { pageNumber: '0' }), 400, 'pageNumber'],
  ['contacts: bad day', get('getContacts', { createdDate: '2024-13-40' }), 400, 'createdDate'],
  ['contacts: filter that is not JSON', get('getContacts', { attribute: 'city' }), 400, 'not JSON'],
  ['contacts: unknown operator', attribute([{ name: 'city', operator: 'contains', value: 'x' }]), 400, 'operator'],
  ['contacts: operator without a value', attribute([{ name: 'city', operator: '==' }]), 400, 'needs a value'],
  ['addContact: unknown field', { path: `${api}/addContact/${TO}`, json: { nom: 'x' } }, 400, 'nom'],
  ['addContact: plus', { path: `${api}/addContact/+${TO}`, json: {} }, 200, 'Invalid WhatsApp number'],
  ['addContact: form', { path: `${api}/addContact/${TO}`, form: { name: 'x' } }, 400, 'json is wanted'],
  ['attributes: missing', { path: `${api}/updateContactAttributes/${TO}`, json: {} }, 400, 'customParams is required'],
  [
    'attributes: number as value',
    { path: `${api}/updateContactAttributes/${TO}`, json: { customParams: [{ name: 'a', value: 1 }] } },
    400,
    'string'
  ],
  ['messages: not a number', get('getMessages/hello', {}), 400, 'target'],
  ['session: no text', session({}), 400, 'messageText is required'],
  ['session: JSON', session({}, { json: { messageText: 'x' } }), 400, 'JSON body'],
  ['session: text twice', session({ messageText: 'x' }, { form: { messageText: 'x' } }), 400, 'given twice'],
  ['session: unknown form field', session({}, { form: { messageText: 'x', to: 'y' } }), 400, 'form field'],
  ['session: unknown query', session({ messageText: 'x', target: 'y' }), 400, 'target'],
  ['session: too long', session({}, { form: { messageText: 'x'.repeat(4097) } }), 200, '4096'],
  ['session: quoted id of no message', session({ messageText: 'x', replyContextId: '1' }), 400, 'replyContextId'],
  ['session: channel with a plus', session({ messageText: 'x', channelPhoneNumber: '+1' }), 400, 'channelPhoneNumber'],
  ['session: leading zero', watiText('04155550000'), 200, 'Invalid WhatsApp number'],
  ['session: separators', watiText('1-415-555-0000'), 200, 'Invalid WhatsApp number'],
  ['session: too short', watiText('141555'), 200, 'Invalid WhatsApp number'],
  ['file: wrong part', sessionFile({ parts: file('upload') }), 400, 'named "file"'],
  [
    'file: two parts',
    sessionFile({ parts: parts({ caption: 'x' }, { name: 'file', filename: 'a', type: 'a/b', bytes: 'x' }) }),
    400,
    'exactly one part'
  ],
  ['file: empty', sessionFile({ parts: file('file', '') }), 200, 'empty'],
  [
    'file: too large',
    sessionFile({ parts: file('file', new Uint8Array(5 * 1024 * 1024 + 1), 'image/png') }),
    200,
    'too large'
  ],
  ['file: caption too long', sessionFile({ query: { caption: 'x'.repeat(1025) } }), 200, '1024'],
  ['file: voice of a text', sessionFile({ query: { voice: 'true' } }), 200, 'audio'],
  ['file: voice is no boolean', sessionFile({ query: { voice: '1' } }), 400, 'boolean'],
  ['file: JSON', sessionFile({ parts: undefined, json: {} }), 400, 'multipart is wanted'],
  ['templates: unknown query', get('getMessageTemplates', { status: 'APPROVED' }), 400, 'status'],
  ['template: nobody', { ...watiTemplate(TO), query: {} }, 400, 'whatsappNumber or target'],
  ['template: plus', watiTemplate(`+${TO}`, 'v1'), 200, '"validWhatsAppNumber":false'],
  ['template v2: plus', watiTemplate(`+${TO}`), 200, '"isValidWhatsAppNumber":false'],
  ['template: unknown field', watiTemplate(TO, 'v1', { language: 'en' }), 400, 'language'],
  ['template: no parameters', watiTemplate(TO, 'v1', { parameters: undefined }), 400, 'parameters is required'],
  ['template: no broadcast', watiTemplate(TO, 'v1', { broadcast_name: '' }), 400, 'broadcast_name'],
  ['template: channel', watiTemplate(TO, 'v1', { channel_number: '+1' }), 400, 'channel_number'],
  ['template: too few', template(ORDER.slice(0, 1)), 200, TYPOS],
  ['template: too many', template([...ORDER, { name: 'more', value: 'x' }]), 200, TYPOS],
  ['template: misnamed', template([ORDER[0], { name: '2', value: 'x' }]), 200, TYPOS],
  ['template: blank', template([ORDER[0], { name: 'ordernumber', value: '' }]), 200, TYPOS],
  [
    'template: media that is no address',
    watiTemplate(TO, 'v2', {
      template_name: 'catalog_photo',
      parameters: [
        { name: 'mediaUrl', value: 'a.jpg' },
        { name: 'name', value: 'Ada' }
      ]
    }),
    200,
    TYPOS
  ],
  ['bulk: nobody', bulk('v1', { receivers: [] }), 400, 'receivers'],
  ['bulk: 1001', bulk('v2', { receivers: receivers(1001) }), 400, 'receivers'],
  [
    'bulk: v1 takes no localMessageId',
    bulk('v1', { receivers: [{ ...to, customParams: ORDER, localMessageId: 'x' }] }),
    400,
    'localMessageId'
  ],
  [
    'bulk: an id twice',
    bulk('v2', { receivers: receivers(2).map(one => ({ ...one, localMessageId: 'x' })) }),
    400,
    'twice'
  ],
  [
    'bulk: a bad receiver',
    bulk('v1', { receivers: [{ whatsappNumber: `+${TO}`, customParams: ORDER }] }),
    200,
    '"result":false'
  ],
  ['csv: wrong part', csv({}, `phone\n${TO}`, 'file'), 400, 'whatsapp_numbers_csv'],
  ['csv: no name', csv({ template_name: '' }, `phone\n${TO}`), 400, 'template_name'],
  ['csv: a column is missing', csv({}, `phone,name\n${TO},Ada`), 200, TYPOS],
  ['csv: a bad number', csv({}, 'phone,name,ordernumber\n+1,Ada,1'), 200, 'invalid numbers'],
  ['buttons: lower-case type', buttons({ header: { type: 'text', text: 'x' } }), 200, '"ok":false'],
  ['buttons: no media', buttons({ header: { type: 'Image' } }), 200, 'media'],
  [
    'buttons: file name of an image',
    buttons({ header: { type: 'Image', media: { url: 'https://a.example/b', fileName: 'b' } } }),
    200,
    'fileName'
  ],
  ['buttons: four', buttons({ buttons: ['A', 'B', 'C', 'D'].map(text => ({ text })) }), 200, '"ok":false'],
  ['buttons: the same twice', buttons({ buttons: [{ text: 'A' }, { text: 'A' }] }), 200, 'unique'],
  ['buttons: long title', buttons({ buttons: [{ text: 'x'.repeat(21) }] }), 200, '20'],
  ['buttons: an id', buttons({ buttons: [{ text: 'A', id: 'b1' }] }), 400, 'id'],
  ['buttons: body as an object', buttons({ body: { text: 'x' } }), 400, 'string'],
  ['buttons: unknown target', buttons({}, { target: 'nobody' }), 400, 'target'],
  ['list: header as an object', list({ header: { type: 'text', text: 'x' } }), 400, 'string'],
  ['list: row with an id', list({ sections: [{ title: 'A', rows: [{ id: '1', title: 'x' }] }] }), 400, 'id'],
  [
    'list: eleven rows',
    list({
      sections: [
        { title: 'A', rows: rows(6) },
        { title: 'B', rows: rows(5) }
      ]
    }),
    200,
    '10 rows'
  ],
  [
    'list: two sections, one without a title',
    list({ sections: [{ title: 'A', rows: rows(1) }, { rows: rows(1) }] }),
    200,
    'title'
  ],
  ['list: long button', list({ buttonText: 'x'.repeat(21) }), 200, '20'],
  [
    'operator: not an address',
    { method: 'POST', path: `${api}/assignOperator`, query: { ...to, email: 'x' } },
    400,
    'email'
  ],
  ['operator: a body', { path: `${api}/assignOperator`, query: to, json: { email: 'a@b.c' } }, 400, 'none is wanted'],
  ['media: traversal', get('getMedia', { fileName: 'data/images/../x' }), 400, 'fileName'],
  ['media: no name', get('getMedia', {}), 400, 'fileName is required'],
  ['unlisted path', get('getEverything', {}), 404, 'nobody serves'],
  ['connections: unknown app', { path: '/connections', query: { app: 'slack' } }, 400, 'slack'],
  ['connections: unknown status', { path: '/connections', query: { status: 'active' } }, 400, 'status'],
  ['connections: unknown field', { path: '/connections', json: { app: 'wati', name: 'x' } }, 400, 'name'],
  ['connections: no app', { path: '/connections', json: {} }, 400, 'app']
]

t.test('what WATI and Maton refuse is refused as they do it', async t => {
  await checkRefusals(t, await open(t), CALLS)
})

t.test('the order of template parameters is noted, not refused', async t => {
  const sandbox = await open(t)
  const { body } = await ask(sandbox, template(ORDER.toReversed()))
  t.equal(body.receivers[0].isValidWhatsAppNumber, true)
  t.match(sandbox.ledger.violations(), [/order/])
})

t.test('a template that cannot be sent is told in the words of the version', async t => {
  const sandbox = await open(t)
  const send = async (version: 'v1' | 'v2', name: string) =>
    (await ask(sandbox, watiTemplate(TO, version, { template_name: name, parameters: [] }))).body
  t.strictSame(await send('v1', 'draft_note'), { result: false, info: 'Template is not approved.' })
  t.strictSame(await send('v2', 'paused_offer'), { result: false, error: 'Template not approved' })
  t.strictSame(await send('v2', 'nothing_here'), { result: false, error: 'Template not found' })
  const welcome = watiTemplate(TO, 'v2', { template_name: 'welcome_plain', parameters: [{ name: '1', value: 'Ada' }] })
  t.equal(
    (await ask(sandbox, welcome)).body.result,
    true,
    'names are derived from the body where customParams is empty'
  )
  t.strictSame(sandbox.ledger.violations(), [], 'the state of a template is no defect of the caller')
})

t.test('a contact id and a business-scoped id are recipients too', async t => {
  const sandbox = await open(t)
  const {
    contact_list: [contact]
  } = (await ask(sandbox, get('getContacts', { pageSize: '1' }))).body
  t.equal((await ask(sandbox, buttons({}, { target: contact.id }))).body.ok, true)
  t.equal((await ask(sandbox, buttons({}, { target: 'US.13491208655302741918', ...to }))).body.ok, true)
  t.strictSame(
    sandbox.ledger.sends().map(entry => entry.to),
    [contact.wAid, 'US.13491208655302741918']
  )
})
