import t from 'tap'
import type { Heard } from '../../src/adapters/heard.ts'
import { adapters } from '../../src/adapters/index.ts'
import { readBody } from '../../src/inbound/read-body.ts'

// Shapes that are rare, and must not cost anybody a person, a stop, an event or a file.

const log = { error: () => {} } as never
const hear = (provider: string, body: object | string): Heard[] => {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return readBody(Buffer.from(text), adapters.get(provider)!, log) as Heard[]
}
const metadata = { display_phone_number: '14155550199', phone_number_id: '106540352242922' }
const entry = (field: string, value: object, more: object = {}) => ({
  object: 'whatsapp_business_account',
  entry: [{ id: '102290129340398', ...more, changes: [{ field, value }] }]
})
const cloud = (field: string, value: object, more?: object) => hear('whatsapp-cloud', entry(field, value, more))
const wrote = (from: string, more: object = {}) => ({
  ...{ id: 'wamid.y', from, timestamp: '1795774456', type: 'text', text: { body: 'hi' } },
  ...more
})
const wati = (more: object) =>
  hear('wati', { eventType: 'message', id: 'a1', timestamp: '1795774456', waId: '14155550100', type: 'text', ...more })

t.test('whom a status names as its recipient is not the writer beside it', async t => {
  const anna = { profile: { name: 'Anna' }, wa_id: '4923000062000' }
  const bert = { profile: { name: 'Bert' }, wa_id: '4924000062001' }
  const statuses = [{ id: 'wamid.x', status: 'delivered', timestamp: '1795774456', recipient_id: anna.wa_id }]
  const senders = (contacts: object[], more: object = { statuses }) =>
    cloud('messages', { metadata, contacts, messages: [wrote('4924000062000')], ...more }).flatMap(each =>
      each.kind === 'message' ? [each.sender] : []
    )
  t.strictSame(senders([anna]), [{ phone: '4924000062000' }])
  t.strictSame(senders([anna, bert]), [{ name: 'Bert', waId: bert.wa_id, phone: '4924000062000' }])
  t.strictSame(
    senders([anna], {}),
    [{ name: 'Anna', waId: anna.wa_id, phone: '4924000062000' }],
    'CONTROL: the one person beside a message, which no status names, is its writer under another number'
  )
})

t.test('what tells no instant is not taken for the same as long ago', async t => {
  const template = (more?: object) =>
    cloud('message_template_status_update', { event: 'PAUSED', message_template_id: 7 }, more)
  for (const [name, told] of [
    ['template', template()],
    ['account', cloud('phone_number_quality_update', { event: 'FLAGGED', display_phone_number: '14155550199' })],
    ['ownership', cloud('messaging_handovers', { type: 'control_taken', wa_id: '14155550100' })],
    [
      'preference',
      cloud('user_preferences', { user_preferences: [{ wa_id: '14155550100', category: 'x', value: 'stop' }] })
    ]
  ] as const)
    t.match(told, [{ kind: name, at: undefined, timeless: /.+/ }], name)
  const [dated] = template({ time: 1795774456 })
  t.equal(dated!.timeless, undefined, 'CONTROL: with an instant it is known by that')
  const [long] = cloud('message_template_status_update', { event: 'PAUSED', message_template_name: 'x'.repeat(3000) })
  t.ok(long!.timeless!.length < 100, 'an index has to take it')
})

t.test('a stop is its person’s, where only contacts names one', async t => {
  const preference = { category: 'marketing_messages', value: 'stop', timestamp: 1795774456 }
  const contact = (user_id: string) => ({ user_id })
  const heard = (...contacts: object[]) =>
    cloud('user_preferences', { metadata, contacts, user_preferences: [preference] })
  t.match(heard(contact('DE.1')), [{ kind: 'preference', person: { userId: 'DE.1' }, value: 'stop' }])
  t.match(heard(contact('DE.1'), contact('DE.2')), [{ person: {} }], 'CONTROL: of two it may be either')
  const handover = { metadata, contacts: [contact('DE.1')], type: 'control_taken', timestamp: 1795774456 }
  t.match(cloud('messaging_handovers', handover), [{ kind: 'ownership', person: { userId: 'DE.1' } }], 'a handover too')
})

t.test('numbers of more digits than a double has are told with all of them', async t => {
  const told = (id: string) =>
    hear(
      'whatsapp-cloud',
      JSON.stringify(entry('message_template_status_update', { event: 'APPROVED', message_template_id: 1 })).replace(
        '"message_template_id":1',
        `"message_template_id" : ${id} `
      )
    )
  t.match(told('24071234567890125'), [{ providerTemplateId: '24071234567890125' }])
  t.match(told('1627019861106475'), [{ providerTemplateId: '1627019861106475' }])
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
  t.match(told(`24071234567890125, "x": ${deep}`), [{ kind: 'template' }], 'and however deep the rest is nested')
})

t.test('a file that did not come through says why', async t => {
  const errors = [{ code: 131052, title: 'Media download error', error_data: { details: 'Media file corrupted.' } }]
  const told = (video: object) =>
    cloud('messages', { metadata, messages: [wrote('14155550100', { type: 'video', video, errors })] })
  t.match(told({ mime_type: 'video/mp4' }), [
    {
      message: {
        type: 'unsupported',
        content: { type: 'video', code: '131052', title: 'Media download error', detail: 'Media file corrupted.' }
      }
    }
  ])
  t.match(told({ id: '77', mime_type: 'video/mp4' }), [{ message: { type: 'video', file: { reference: '77' } } }])
})

t.test('a file of WATI’s is known by its whole name', async t => {
  const at = (name: string) => `https://live-server.example/api/file/showFile?fileName=${name}&x=data/y/z.pdf`
  for (const [data, reference] of [
    ['data/documents/Invoice #12.pdf', 'data/documents/Invoice #12.pdf'],
    ['data/documents/what?.pdf', 'data/documents/what?.pdf'],
    ['data/documents/50% off.pdf', 'data/documents/50% off.pdf'],
    ['data/images/a1.jpg?token=x', 'data/images/a1.jpg'],
    ['https://media.example/data/images/a%201.jpg?token=x', 'data/images/a 1.jpg'],
    [at('data/documents/Invoice%20%2312.pdf'), 'data/documents/Invoice #12.pdf'],
    [at('data%2Fdocuments%2FA%26B.pdf'), 'data/documents/A&B.pdf'],
    ['https://x.example/data%2Fimages%2Fa.jpg', 'data/images/a.jpg'],
    [encodeURIComponent(at('data/images/a.jpg')), 'data/images/a.jpg'],
    [at('data/documents/50%25.pdf'), 'data/documents/50%.pdf'],
    [at('data/documents/..%2f..%2fsecret'), undefined],
    [at('data/documents/a%252e%252e'), undefined]
  ])
    t.match(
      wati({ type: 'document', data }),
      [{ message: { type: 'document', file: reference && { reference } } }],
      data!
    )
})

t.test('what WATI tells in another spelling is that all the same', async t => {
  for (const owner of [true, 'True', 'true', 1, '1'])
    t.match(wati({ owner, operatorName: 'Olga', text: 'x' }), [{ kind: 'outgoing', operator: { name: 'Olga' } }])
  for (const owner of [false, 'false', 0, null, '']) t.match(wati({ owner, text: 'x' }), [{ kind: 'message' }])
  t.match(wati({ text: 'x', forwarded: 'true' }), [{ message: { forwarded: 'once' } }])
  for (const told of [{ id: 7, title: 'Yes' }, JSON.stringify({ id: '7', title: 'Yes' })]) {
    t.match(wati({ interactiveButtonReply: told }), [
      { message: { content: { kind: 'button', id: '7', title: 'Yes' } } }
    ])
    t.match(wati({ listReply: told }), [{ message: { content: { kind: 'list', id: '7', title: 'Yes' } } }])
  }
  t.match(wati({ type: 'button', text: 'Yes' }), [{ message: { content: { kind: 'template', title: 'Yes' } } }])
  t.strictSame((wati({ type: 'unsupported' })[0] as { message?: object }).message, { type: 'unsupported', content: {} })
})
