import fc from 'fast-check'
import t from 'tap'
import type { NativeAnswer, NativeRequest, Operation, Operations } from '../../src/adapters/adapter.ts'
import { UpstreamFailure } from '../../src/adapters/adapter.ts'
import { whatsappCloud as adapter } from '../../src/adapters/whatsapp-cloud/index.ts'

const settings = { phoneNumberId: '106540352242922', businessAccountId: '102290129340398', graphVersion: 'v25.0' }
const channel = { id: 'support', provider: 'whatsapp-cloud', mode: 'live', settings } as const

/** Runs an operation against one answer and tells what was asked. */
async function run<K extends Operation>(operation: K, input: Operations[K]['input'], body: unknown, status = 200) {
  const asked: NativeRequest[] = []
  const answer: NativeAnswer = { status, headers: {}, body }
  const request = async (native: NativeRequest) => {
    asked.push(native)
    return answer
  }
  const handler = adapter.operations[operation]!
  const stream = () => Promise.reject(new Error('no stream here'))
  const output = await handler(channel, input as never, { request, stream })
  return { asked, output: output as Operations[K]['output'] }
}
const send = (body: unknown) => run('sendMessage', { request: { method: 'POST', path: ['x'] }, warnings: [] }, body)

const taken = (message: object) => ({ contacts: [{ input: '+1', wa_id: '14155551234' }], messages: [message] })
t.test('only a message id proves that a message was taken', async t => {
  const receipt = { providerMessageId: 'wamid.A', recipient: { phone: '14155551234' }, warnings: [] }
  const { asked, output } = await send(taken({ id: 'wamid.A', message_status: 'accepted' }))
  t.equal(asked.length, 1)
  t.strictSame(output, receipt)
  t.strictSame((await send({ ...taken({ id: 'wamid.A' }), error: { code: 1 } })).output, receipt)
  t.strictSame((await send({ messages: [{ id: 'w' }] })).output, {
    providerMessageId: 'w',
    recipient: {},
    warnings: []
  })
  const wider = { contacts: [{ wa_id: '5215512345678', user_id: 'MX.1' }], messages: [{ id: 'w' }] }
  t.strictSame((await send(wider)).output.recipient, { phone: '5215512345678', userId: 'MX.1' })
  t.strictSame((await send({ ...wider, contacts: [{ wa_id: 'MX.1' }] })).output.recipient, { userId: 'MX.1' })
  for (const message_status of ['held_for_quality_assessment', 'paused']) {
    t.equal((await send(taken({ id: 'w', message_status }))).output.warnings.length, 1)
  }
  for (const body of [{}, [], 'ok', 7, null, { messages: [] }, taken({}), taken({ id: 7 }), { error: 'x' }]) {
    await t.rejects(send(body), { name: 'UpstreamFailure', kind: 'unreadable', started: true, status: 200 })
  }
  await t.rejects(send({ error: { code: 131030 } }), { name: 'UpstreamFailure', kind: 'refused', status: 200 })
})

const component = (type: string, more: object) => ({ type, ...more })
const listed = async (item: object) => {
  const all = { id: 7, name: 'n', language: 'en', status: 'APPROVED', category: 'UTILITY', ...item }
  return (await run('listTemplates', { limit: 1 }, { data: [all] })).output.items[0]!
}

t.test('templates are asked for with Meta’s filters and paged by cursor', async t => {
  const input = { name: 'n', status: 'in_appeal', category: 'utility', language: 'en_US', limit: 5, cursor: 'MQ' }
  const next = 'https://graph.facebook.com/?access_token=EAAsecret'
  const page = { data: [], paging: { cursors: { before: 'a', after: 'Mg' }, next } }
  const { asked, output } = await run('listTemplates', input, page)
  const fields =
    'id,name,language,status,category,sub_category,parameter_format,components,rejected_reason,quality_score'
  const query = {
    fields,
    name: 'n',
    status: 'IN_APPEAL',
    category: 'UTILITY',
    language: 'en_US',
    limit: 5,
    after: 'MQ'
  }
  t.strictSame(asked, [{ method: 'GET', path: ['v25.0', '102290129340398', 'message_templates'], query }])
  t.strictSame(output, { items: [], nextCursor: 'Mg' })
  const last = await run('listTemplates', { limit: 5 }, { data: [], paging: { cursors: { after: 'Mg' } } })
  t.equal(last.output.nextCursor, null)
  await t.rejects(run('listTemplates', { limit: 5 }, {}), { name: 'UpstreamFailure', kind: 'unreadable' })
})

t.test('a template’s quality is one of four words, or none', async t => {
  const quality = async (quality_score: unknown) => (await listed({ quality_score })).quality
  t.equal(await quality({ score: 'YELLOW', date: 1795774450 }), 'yellow')
  t.equal(await quality({ score: 'UNKNOWN' }), 'unknown')
  for (const told of [undefined, null, {}, 'GREEN', { score: 'MAUVE' }, { score: 2 }]) {
    const item = await listed({ quality_score: told })
    t.notOk('quality' in item, JSON.stringify(told))
  }
})

t.test('a template’s definition is read in our words', async t => {
  const params = (name: string, example: string) => [{ param_name: name, example }]
  const named = await listed({
    parameter_format: 'NAMED',
    rejected_reason: 'INVALID_FORMAT',
    components: [
      component('HEADER', {
        format: 'TEXT',
        text: 'Hi {{who}}',
        example: { header_text_named_params: params('who', 'Ada') }
      }),
      component('BODY', { text: '{{b}} {{ a }} {{b}}', example: { body_text_named_params: params('b', 'B') } }),
      component('FOOTER', { text: 'Bye' }),
      component('BUTTONS', {
        buttons: [
          { type: 'QUICK_REPLY', text: 'Stop' },
          { type: 'URL', text: 'Track', url: 'https://x/{{1}}', example: ['https://x/7'] },
          { type: 'PHONE_NUMBER', text: 'Call', phone_number: '+1' },
          { type: 'COPY_CODE', text: 'Copy', example: '25OFF' },
          { type: 'OTP', text: 'Copy code' }
        ]
      })
    ]
  })
  t.strictSame(named, {
    channel: 'support',
    name: 'n',
    language: 'en',
    category: 'utility',
    status: 'approved',
    header: { format: 'text', text: 'Hi {{who}}' },
    body: { text: '{{b}} {{ a }} {{b}}' },
    footer: { text: 'Bye' },
    buttons: [
      { type: 'quick_reply', text: 'Stop' },
      { type: 'url', text: 'Track', url: 'https://x/{{1}}' },
      { type: 'phone_number', text: 'Call', phone: '+1' },
      { type: 'copy_code', text: 'Copy' },
      { type: 'url', text: 'Copy code' }
    ],
    variables: [
      { name: 'who', in: 'header', example: 'Ada' },
      { name: 'b', in: 'body', example: 'B' },
      { name: 'a', in: 'body' },
      { name: '1', in: 'button', buttonIndex: 1, example: 'https://x/7' },
      { name: 'coupon_code', in: 'button', buttonIndex: 3, example: '25OFF' },
      { name: '1', in: 'button', buttonIndex: 4 }
    ],
    parameterFormat: 'named',
    providerTemplateId: '7',
    rejectedReason: 'invalid_format'
  })
})

t.test('positional variables stand in the order of their numbers', async t => {
  const body = component('BODY', {
    text: '{{2}} then {{1}} or {{10}}',
    example: { body_text: [['one', 'two', 'ten']] }
  })
  const image = component('HEADER', { format: 'IMAGE', example: { header_handle: ['https://scontent/'] } })
  const { variables, parameterFormat, header, rejectedReason } = await listed({
    rejected_reason: 'NONE',
    components: [body, image]
  })
  t.strictSame(variables, [
    { name: '1', in: 'body', example: 'one' },
    { name: '2', in: 'body', example: 'two' },
    { name: '10', in: 'body', example: 'ten' }
  ])
  t.strictSame([parameterFormat, header, rejectedReason], ['positional', { format: 'image' }, undefined])
  t.equal((await listed({ components: [component('BODY', { text: 'Hi {{who}}' })] })).parameterFormat, 'named')
})

t.test('files are uploaded under a type that Meta takes, and deleted by id', async t => {
  const file = { path: '/x', size: 3, mimeType: 'text/csv', filename: 'orders.csv' }
  const { asked, output } = await run('uploadMedia', { file }, { id: '1387' })
  const multipart = [
    { name: 'messaging_product', value: 'whatsapp' },
    { name: 'type', value: 'text/plain' },
    { name: 'file', file: { ...file, mimeType: 'text/plain' } }
  ]
  t.strictSame(asked, [{ method: 'POST', path: ['v25.0', '106540352242922', 'media'], body: { multipart } }])
  t.strictSame(output, { providerMediaId: '1387', lifeSeconds: 2_592_000 })
  await t.rejects(run('uploadMedia', { file }, {}), { name: 'UpstreamFailure', kind: 'unreadable' })

  const gone = await run('deleteMedia', { providerMediaId: '1387' }, { success: true })
  const query = { phone_number_id: '106540352242922' }
  t.strictSame(gone, { asked: [{ method: 'DELETE', path: ['v25.0', '1387'], query }], output: null })
  await t.rejects(run('deleteMedia', { providerMediaId: '1' }, { success: false }), {
    name: 'UpstreamFailure',
    kind: 'refused'
  })
  await t.rejects(run('deleteMedia', { providerMediaId: '1' }, {}), { name: 'UpstreamFailure', kind: 'unreadable' })
})

const words = ['messages', 'contacts', 'id', 'wa_id', 'message_status', 'data', 'paging', 'next', 'cursors', 'after']
words.push(
  'success',
  'components',
  'type',
  'buttons',
  'example',
  'body_text',
  'text',
  'url',
  'name',
  'language',
  'format'
)
const strings = [
  'BODY',
  'HEADER',
  'BUTTONS',
  'URL',
  'OTP',
  'COPY_CODE',
  'constructor',
  '__proto__',
  '{{1}}',
  '{{x}}',
  ''
]
/** Any JSON, made of the words that the readers look for. */
const hostile = fc.letrec(tie => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.jsonValue({ maxDepth: 1 }),
    fc.constantFrom(...strings),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...words, 'error'), tie('value'), { maxKeys: 8 })
  )
})).value
const shaped = (name: string) => fc.dictionary(fc.constantFrom(...words), hostile).map(item => ({ [name]: [item] }))
const template = fc.array(fc.dictionary(fc.constantFrom(...words), hostile), { maxLength: 4 }).map(components => ({
  data: [{ name: 'n', language: 'en', components }]
}))

t.test('no body whatever makes a reader fail in another way than UpstreamFailure', async () => {
  const file = { path: '/x', size: 1, mimeType: 'image/png', filename: 'x.png' }
  const inputs = [
    ['listTemplates', { limit: 1 }],
    ['uploadMedia', { file }],
    ['deleteMedia', { providerMediaId: '1' }],
    ['sendMessage', { request: { method: 'POST', path: [] }, warnings: [] }]
  ] as const
  await fc.assert(
    fc.asyncProperty(fc.oneof(hostile, shaped('messages'), shaped('data'), template), async body => {
      for (const [operation, input] of inputs) {
        await run(operation, input as never, body).catch(error => {
          if (!(error instanceof UpstreamFailure)) throw error
        })
      }
    }),
    { numRuns: 2000 }
  )
})
