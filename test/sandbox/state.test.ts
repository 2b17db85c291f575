import { createHash } from 'node:crypto'
import t from 'tap'
import { PAGING_TOKEN } from '../../src/sandbox/cloud/objects.ts'
import { SEEDED_FILE } from '../../src/sandbox/wati/seed-messages.ts'
import { ask, cloudMessage, META, open, PHONE_ID, parts, WABA_ID, watiTemplate, watiText } from './helper.ts'

const api = '/wati/api/v1'
const KNOWN = '14155551234'

t.test('contacts can be paged through, each once', async t => {
  const sandbox = await open(t)
  const seen = new Set<string>()
  for (let pageNumber = 1; pageNumber <= 4; pageNumber++) {
    const query = { pageSize: '7', pageNumber: String(pageNumber) }
    const { body } = await ask(sandbox, { path: `${api}/getContacts`, query })
    t.equal(body.contact_list.length, pageNumber < 4 ? 7 : 2)
    t.equal(body.link.nextPage === null, pageNumber === 4)
    t.equal(body.link.prevPage === null, pageNumber === 1)
    for (const contact of body.contact_list) seen.add(contact.wAid)
  }
  t.equal(seen.size, 23)
  t.match((await ask(sandbox, { path: `${api}/getContacts`, query: { pageNumber: '9' } })).body.contact_list, [])
})

t.test('every filter of contacts finds something and leaves something', async t => {
  const sandbox = await open(t)
  const count = async (query: Record<string, string>) =>
    (await ask(sandbox, { path: `${api}/getContacts`, query: { pageSize: '100', ...query } })).body.contact_list.length
  const by = (name: string, operator: string, value?: string) =>
    count({ attribute: JSON.stringify([{ name, operator, value }]) })
  t.equal(await count({ name: 'ada' }), 2)
  t.equal(await count({ createdDate: '2024-05-14' }), 2)
  t.equal(await count({ createdDate: '05-14-2024' }), 2)
  t.equal(await by('city', 'contain', 'lon'), 4)
  t.equal(await by('city', 'notContain', 'lon'), 19, 'a missing attribute does not contain it')
  t.equal(await by('plan', 'exist'), 16)
  t.equal(await by('plan', 'notExist'), 7)
  t.equal(await by('plan', '==', 'gold'), 7)
  t.equal(await by('plan', '!=', 'gold'), 16, 'a missing attribute is not equal')
  t.equal(await by('city', 'valid'), 20)
  t.equal(await by('city', 'invalid'), 3)
  const both = [
    { name: 'city', operator: '==', value: 'London' },
    { name: 'plan', operator: 'exist' }
  ]
  t.equal(await count({ attribute: JSON.stringify(both) }), 3)
})

t.test('addContact is an upsert, and attributes that are not named stay', async t => {
  const sandbox = await open(t)
  const params = async (number: string) => {
    const { body } = await ask(sandbox, { path: `${api}/getContacts`, query: { pageSize: '100' } })
    const found = body.contact_list.find((one: { wAid: string }) => one.wAid === number)
    return { total: body.link.total, params: found?.customParams, name: found?.fullName }
  }
  await ask(sandbox, { path: `${api}/addContact/${KNOWN}`, json: { customParams: [{ name: 'plan', value: 'basic' }] } })
  const city = { name: 'city', value: 'London' }
  t.strictSame(await params(KNOWN), {
    total: 23,
    params: [city, { name: 'plan', value: 'basic' }],
    name: 'Ada Lovelace'
  })
  const path = `${api}/updateContactAttributes/${KNOWN}`
  await ask(sandbox, { path, json: { customParams: [{ name: 'vip', value: 'yes' }] } })
  t.equal((await params(KNOWN)).params.length, 3)
  await ask(sandbox, { path: `${api}/addContact/14155550000`, json: { name: 'New' } })
  t.match(await params('14155550000'), { total: 24, name: 'New' })
  const unknown = await ask(sandbox, { path: `${api}/updateContactAttributes/14155550999`, json: { customParams: [] } })
  t.strictSame(unknown.body, { result: false, info: 'Contact not found' })
  t.strictSame(sandbox.ledger.violations(), [])
})

t.test('the history has every kind of item, and what is sent is added to it', async t => {
  const sandbox = await open(t)
  const items = async () => (await ask(sandbox, { path: `${api}/getMessages/${KNOWN}` })).body.messages.items
  const kinds = (await items()).map((one: { eventType: string; type: unknown }) => [one.eventType, typeof one.type])
  t.strictSame(new Set(kinds.map(String)), new Set(['message,string', 'broadcastMessage,object', 'ticket,number']))
  t.ok((await items()).some((one: { data: string }) => one.data === SEEDED_FILE))
  await ask(sandbox, watiText(KNOWN, 'first'))
  await ask(sandbox, watiTemplate(KNOWN))
  const bytes = Buffer.from('%PDF-1.4 hello')
  const file = parts({}, { name: 'file', filename: 'a.pdf', type: 'application/pdf', bytes: bytes.toString() })
  const { body } = await ask(sandbox, { path: `${api}/sendSessionFile/${KNOWN}`, parts: file })
  const [newest, template, text] = await items()
  t.equal(newest.id, body.result)
  t.match(template, { eventType: 'broadcastMessage', finalText: 'Hi Ada, your order 12345 is on its way.' })
  t.match(text, { eventType: 'message', type: 'text', text: 'first', owner: true })
  const served = await ask(sandbox, { path: `${api}/getMedia`, query: { fileName: newest.data } })
  t.equal(served.headers['content-type'], 'application/pdf')
  t.strictSame(served.bytes, bytes)
  const missing = await ask(sandbox, { path: `${api}/getMedia`, query: { fileName: 'data/images/none.jpg' } })
  t.match(missing, { status: 404, text: '' })
})

t.test('Meta media: up, described, sent, deleted, gone', async t => {
  const sandbox = await open(t)
  const bytes = 'OggS and so on'
  const fields = { messaging_product: 'whatsapp', type: 'audio/ogg; codecs=opus' }
  const file = { name: 'file', filename: 'a.ogg', type: 'audio/ogg; codecs=opus', bytes }
  const {
    body: { id }
  } = await ask(sandbox, { path: `${META}/${PHONE_ID}/media`, parts: parts(fields, file) })
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const about = await ask(sandbox, { path: `${META}/${id}` })
  t.match(about.body, { id, sha256, file_size: bytes.length, mime_type: 'audio/ogg; codecs=opus' })
  t.equal((await ask(sandbox, { path: `${META}/${id}`, query: { phone_number_id: '106540352242923' } })).status, 400)
  t.equal((await ask(sandbox, cloudMessage('14155550000', { audio: { id } }))).status, 200)
  t.equal((await ask(sandbox, cloudMessage('14155550000', { image: { id } }))).body.error.code, 131053)
  t.strictSame((await ask(sandbox, { method: 'DELETE', path: `${META}/${id}` })).body, { success: true })
  const gone = await ask(sandbox, { path: `${META}/${id}` })
  t.match(gone, { status: 400, body: { error: { code: 100, error_subcode: 33, type: 'GraphMethodException' } } })
  t.equal((await ask(sandbox, { method: 'DELETE', path: `${META}/${id}` })).body.error.error_subcode, 33)
})

t.test('templates: pages both ways, and next only where another page follows', async t => {
  const sandbox = await open(t)
  const path = `${META}/${WABA_ID}/message_templates`
  const list = async (query: Record<string, string>) => (await ask(sandbox, { path, query })).body
  const first = await list({})
  t.ok(first.paging.next.includes(PAGING_TOKEN))
  t.equal(first.paging.previous, undefined)
  const second = await list({ after: first.paging.cursors.after })
  t.equal(first.data.length + second.data.length, 36)
  t.equal(second.paging.next, undefined)
  t.ok(second.paging.cursors.after, 'cursors are there on the last page too')
  t.strictSame((await list({ before: second.paging.cursors.before })).data, first.data)
  const names = async (query: Record<string, string>) => (await list({ fields: 'name,language', ...query })).data.length
  t.equal(await names({ name: 'order_update' }), 2)
  t.equal(await names({ name: 'order_update', language: 'de' }), 1)
  t.equal(await names({ status: 'PAUSED' }), 1)
  t.equal(await names({ category: 'AUTHENTICATION' }), 1)
  t.equal(await names({ name_or_content: 'parcel' }), 1)
  t.strictSame((await list({ name: 'nothing_here' })).data, [])
})

t.test('templates: a duplicate, a deletion of all languages, and a name that stays locked', async t => {
  const sandbox = await open(t)
  const path = `${META}/${WABA_ID}/message_templates`
  const create = (name: string) =>
    ask(sandbox, {
      path,
      json: {
        name,
        category: 'UTILITY',
        language: 'en_US',
        parameter_format: 'NAMED',
        components: [
          {
            type: 'BODY',
            text: 'Dear {{who}}, hello.',
            example: { body_text_named_params: [{ param_name: 'who', example: 'Ada' }] }
          }
        ]
      }
    })
  const remove = (query: Record<string, string>) => ask(sandbox, { method: 'DELETE', path, query })
  t.match(await create('order_update'), {
    status: 400,
    body: { error: { code: 100, error_subcode: 2388024, error_user_title: 'Content in This Language Already Exists' } }
  })
  t.equal((await create('fresh')).status, 200)
  t.equal((await create('fresh')).body.error.error_subcode, 2388024)
  t.equal((await remove({ name: 'fresh', hsm_id: '1' })).body.error.error_subcode, 2593002)
  t.equal((await remove({ name: 'fresh' })).status, 200)
  t.equal((await create('fresh')).status, 200, 'it was never approved, so its name is free')
  t.equal((await remove({ name: 'order_update' })).status, 200)
  t.equal((await remove({ name: 'order_update' })).body.error.error_subcode, 2593002)
  t.equal((await create('order_update')).body.error.error_subcode, 2388023)
  t.strictSame(sandbox.ledger.violations(), [])
})

t.test('profile: what is given replaces, the rest stays, an empty one is bare', async t => {
  const sandbox = await open(t)
  const path = (id: string) => `${META}/${id}/whatsapp_business_profile`
  await ask(sandbox, { path: path(PHONE_ID), json: { messaging_product: 'whatsapp', about: 'New', address: '' } })
  const [profile] = (await ask(sandbox, { path: path(PHONE_ID) })).body.data
  t.match(profile, { about: 'New', vertical: 'RETAIL', email: 'hello@example.com' })
  t.notOk('address' in profile, 'an emptied field is absent')
  t.strictSame((await ask(sandbox, { path: path('106540352242999') })).body, {
    data: [{ messaging_product: 'whatsapp' }]
  })
})

t.test('the object that is nobody', async t => {
  const sandbox = await open(t)
  const nobody = '404404404404404'
  for (const path of ['', '/phone_numbers', '/message_templates', '/whatsapp_business_profile']) {
    const { status, body } = await ask(sandbox, { path: `${META}/${nobody}${path}` })
    t.match({ status, ...body.error }, { status: 400, code: 100, error_subcode: 33 }, path)
  }
  const { json } = cloudMessage('14155550000')
  t.equal((await ask(sandbox, { path: `${META}/${nobody}/messages`, json })).body.error.error_subcode, 33)
  t.strictSame(sandbox.ledger.violations(), [])
})

t.test('connections: made pending, found, deleted, unknown', async t => {
  const sandbox = await open(t)
  const {
    body: { connection }
  } = await ask(sandbox, { path: '/connections', json: { app: 'whatsapp-business' } })
  t.match(connection, { status: 'PENDING', method: 'OAUTH2', app: 'whatsapp-business' })
  const path = `/connections/${connection.connection_id}`
  t.strictSame((await ask(sandbox, { path })).body.connection, connection)
  const pending = await ask(sandbox, { path: '/connections', query: { status: 'PENDING' } })
  t.equal(pending.body.connections.length, 2)
  t.equal((await ask(sandbox, { method: 'DELETE', path })).status, 200)
  t.equal((await ask(sandbox, { path })).status, 404)
  t.equal((await ask(sandbox, { method: 'DELETE', path })).status, 404)
  const via = (id: string, call = watiText('14155550000')) =>
    ask(sandbox, { ...call, headers: { 'maton-connection': id } })
  t.equal((await via('never-heard-of')).status, 200, 'any id is taken')
  for (const id of [
    'conn-unknown',
    connection.connection_id,
    '33333333-3333-4333-8333-333333333333',
    '44444444-4444-4444-8444-444444444444',
    '22222222-2222-4222-8222-222222222222'
  ]) {
    const { status, headers, body } = await via(id)
    t.match({ status, message: body.message }, { status: 400, message: /No active connection/ }, id)
    t.notOk('x-fb-trace-id' in headers)
  }
  t.equal((await via('22222222-2222-4222-8222-222222222222', cloudMessage('14155550000'))).status, 200)
  t.strictSame(sandbox.ledger.violations(), [])
})
