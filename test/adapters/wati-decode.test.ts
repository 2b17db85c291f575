import fc from 'fast-check'
import t from 'tap'
import type { BoundChannel, Encoded, NativeRequest } from '../../src/adapters/adapter.ts'
import { UpstreamFailure } from '../../src/adapters/adapter.ts'
import { wati } from '../../src/adapters/wati/index.ts'
import type { Settings } from '../../src/adapters/wati/settings.ts'

const channel: BoundChannel<Settings> = { id: 'support', provider: 'wati', mode: 'live', settings: {} }
const to = '14155551234'
const input: Encoded = { request: { method: 'POST', path: ['api'] }, warnings: [] }
const send = (body: unknown) =>
  wati.operations.sendMessage(channel, input, {
    request: async () => ({ status: 200, headers: {}, body }),
    stream: () => Promise.reject(new Error('no stream here'))
  })

const receipts: [string, unknown, string | null][] = [
  ['WhatsApp’s id', { ok: true, result: 'success', message: { id: 'a', whatsappMessageId: 'wamid.X' } }, 'wamid.X'],
  ['WATI’s id', { ok: true, result: 'success', message: { id: 'a', whatsappMessageId: null } }, 'a'],
  ['a file’s id', { result: '64f0c0' }, '64f0c0'],
  ['the message of a file', { result: true, message: { id: 'b' } }, 'b'],
  [
    'the receiver’s id',
    { result: true, error: null, receivers: [{ localMessageId: 'l', isValidWhatsAppNumber: true, errors: [] }] },
    'l'
  ],
  ['an interactive answer', { ok: true, message: { id: 'c' }, errors: [] }, 'c']
]
for (const [what, body, expected] of receipts) {
  t.test(`a receipt carries ${what}`, async t => {
    t.match(await send(body), { providerMessageId: expected, recipient: {}, warnings: [] })
  })
}

t.test('an acceptance without any id is one, with a warning', async t => {
  const bodies = [
    { result: true },
    { ok: true, result: 'success' },
    { result: true, receivers: [{ isValidWhatsAppNumber: true, errors: [] }] }
  ]
  for (const body of bodies) {
    const { providerMessageId, warnings } = await send(body)
    t.equal(providerMessageId, null)
    t.equal(warnings.length, 1)
  }
})

t.test('a receipt tells the number as WATI knows it', async t => {
  const receivers = [{ localMessageId: 'l', waId: to, isValidWhatsAppNumber: true, errors: [] }]
  t.strictSame((await send({ result: true, receivers })).recipient, { phone: to })
  const nameless = [{ ...receivers[0], waId: 'US.1234567890' }]
  t.strictSame((await send({ result: true, receivers: nameless })).recipient, { userId: 'US.1234567890' })
})

t.test('every id of a message is kept, for its webhooks may name it by any', async t => {
  const message = { id: 'w1', whatsappMessageId: 'wamid.X', localMessageId: 'l1' }
  const session = await send({ ok: true, result: 'success', message })
  t.match(session, { providerMessageId: 'wamid.X' })
  t.strictSame(session.aliases, ['w1', 'l1'])
  const early = await send({ ok: true, result: 'success', message: { ...message, whatsappMessageId: null } })
  t.match(early, { providerMessageId: 'w1', aliases: ['l1'] })
  const v1 = await send({ result: true, model: { ids: ['66a1', '66a2'] }, local_message_id: 'l2', phone_number: to })
  t.match(v1, { providerMessageId: 'l2', aliases: ['66a1', '66a2'], recipient: { phone: to } })
  const alone = await send({ ok: true, message: { id: 'c' }, errors: [] })
  t.notOk('aliases' in alone, 'one id has no other')
})

const page = (
  body: unknown,
  input: { limit?: number; cursor?: string } = {},
  seen: NativeRequest[] = [],
  settings = {}
) =>
  wati.operations.listTemplates!(
    { ...channel, settings },
    { limit: 2, ...input },
    {
      stream: () => Promise.reject(new Error('no stream here')),
      request: async request => {
        seen.push(request)
        return { status: 200, headers: {}, body }
      }
    }
  )
const listed = async (template: object) =>
  (await page({ messageTemplates: [{ elementName: 'x', ...template }] })).items[0]

t.test('templates are asked for by page, until one is short', async t => {
  const seen: NativeRequest[] = []
  const rows = (...names: string[]) => ({
    result: 'success',
    messageTemplates: names.map(elementName => ({ elementName }))
  })
  const number = { channelPhoneNumber: '85264318721' }
  const first = await page(rows('a', 'b'), {}, seen)
  const second = await page(rows('c', 'd'), { cursor: first.nextCursor! }, seen, number)
  t.equal((await page(rows('e'), { cursor: second.nextCursor! })).nextCursor, null)
  const small = await page({ ...rows('a', 'b'), link: { pageSize: 2 } }, { limit: 100 })
  t.not(small.nextCursor, null, 'a smaller page than asked')
  const path = ['api', 'v1', 'getMessageTemplates']
  t.strictSame(seen, [
    { method: 'GET', path, query: { pageSize: 2, pageNumber: 1 } },
    { method: 'GET', path, query: { pageSize: 2, pageNumber: 2, channelPhoneNumber: '85264318721' } }
  ])
})

t.test('a template’s quality is one of four words, or none', async t => {
  t.equal((await listed({ quality: 'GREEN' }))!.quality, 'green')
  for (const quality of [undefined, null, '', 'MAUVE', 1]) t.notOk('quality' in (await listed({ quality }))!)
})

t.test('a list that does not turn its pages ends all the same', async t => {
  const same = { messageTemplates: [{ elementName: 'a' }, { elementName: 'b' }] }
  const walk = async (answer: (call: number) => object) => {
    const names: string[] = []
    let cursor: string | null = null
    let calls = 0
    do {
      const read: Awaited<ReturnType<typeof page>> = await page(answer(calls++), cursor === null ? {} : { cursor })
      names.push(...read.items.map(({ name }) => name))
      cursor = read.nextCursor
    } while (cursor !== null && calls < 50)
    return { names, calls }
  }
  t.strictSame(await walk(() => same), { names: ['a', 'b'], calls: 4 }, 'the page before again and again')
  t.strictSame(await walk(() => ({ ...same, link: { total: 2 } })), { names: ['a', 'b'], calls: 1 }, 'the total')
  t.strictSame(await walk(() => ({ ...same, link: { nextPage: null } })), { names: ['a', 'b'], calls: 1 }, 'no next')
  const grows = await walk(call => ({
    messageTemplates: [{ elementName: `a${call}` }, ...(call < 3 ? [{ elementName: `b${call}` }] : [])],
    link: { nextPage: 'https://x' }
  }))
  t.equal(grows.calls, 50, 'CONTROL: other pages are read on for as long as there are any')
})

t.test('a definition is told in our words', async t => {
  const item = await listed({
    id: 'abc',
    elementName: 'order_update',
    category: 'UTILITY',
    status: 'APPROVED',
    language: { key: 'k', value: 'en', text: 'English' },
    header: { typeString: 'TEXT', text: 'Order {{number}}' },
    body: 'Hi Ada',
    bodyOriginal: 'Hi {{name}}',
    footer: 'Bye',
    buttons: [
      {
        type: 'url',
        parameter: {
          text: 'Track',
          urlOriginal: 'https://e.com/{{1}}',
          buttonParamMapping: { paramName: 'suffix', paramValue: '' }
        }
      },
      { type: 'call', parameter: { text: 'Call', phoneNumber: '+1415' } }
    ],
    customParams: ['number', 'name', 'suffix'].map(paramName => ({ paramName, paramValue: `[${paramName}]` }))
  })
  t.strictSame(item, {
    channel: 'support',
    name: 'order_update',
    language: 'en',
    category: 'utility',
    status: 'approved',
    header: { format: 'text', text: 'Order {{number}}' },
    body: { text: 'Hi {{name}}' },
    footer: { text: 'Bye' },
    buttons: [
      { type: 'url', text: 'Track', url: 'https://e.com/{{1}}' },
      { type: 'phone_number', text: 'Call', phone: '+1415' }
    ],
    variables: [
      { name: 'number', in: 'header', example: '[number]' },
      { name: 'name', in: 'body', example: '[name]' },
      { name: 'suffix', in: 'button', buttonIndex: 0, example: '[suffix]' }
    ],
    parameterFormat: 'named',
    providerTemplateId: 'abc'
  })
})

t.test('variables are read from the text where WATI lists none', async t => {
  const item = await listed({ bodyOriginal: 'Hi {{1}}, {{ 2 }} and {{1}}', customParams: [] })
  t.strictSame(item?.variables, [
    { name: '1', in: 'body' },
    { name: '2', in: 'body' }
  ])
  t.equal(item?.parameterFormat, 'positional')
  t.strictSame((await listed({ body: 'Hi {{name}}' }))?.variables, [{ name: 'name', in: 'body' }])
})

t.test('the media variable is kept apart from what a caller fills in', async t => {
  const media = (typeString: string, ...names: string[]) =>
    listed({
      header: { typeString },
      bodyOriginal: 'Hi {{name}}',
      customParams: names.map(paramName => ({ paramName }))
    })
  const photo = await media('image', 'mediaUrl', 'name')
  t.equal(photo?.mediaVariable, 'mediaUrl')
  t.strictSame(photo?.variables, [{ name: 'name', in: 'body' }])
  t.equal((await media('document', 'name', 'invoice'))?.mediaVariable, 'invoice', 'the one name that no text has')
  t.equal((await media('text', 'mediaUrl', 'name'))?.mediaVariable, undefined)
  t.equal((await media('video', 'name'))?.mediaVariable, undefined)
})

t.test('a page that cannot be read is said to be so', async t => {
  const kind = (body: unknown) => page(body).catch((error: unknown) => error instanceof UpstreamFailure && error.kind)
  for (const body of [{ result: 'success' }, { messageTemplates: {} }, []]) t.equal(await kind(body), 'unreadable')
  t.equal(await kind({ result: false, info: 'no' }), 'refused')
  t.equal(await kind({ result: false, messageTemplates: [] }), 'refused')
})

const members = [
  'messageTemplates',
  'elementName',
  'language',
  'category',
  'status',
  'header',
  'typeString',
  'text',
  'link',
  'pageSize',
  'body',
  'bodyOriginal',
  'footer',
  'buttons',
  'type',
  'parameter',
  'url',
  'buttonParamMapping',
  'customParams',
  'paramName',
  'message',
  'id',
  'receivers',
  'waId',
  '__proto__'
]
const { hostile } = fc.letrec(tie => ({
  hostile: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.constantFrom(true, false, null, '', 'x', '{{1}}', 'image', 0, 1e300),
    fc.string(),
    fc.array(tie('hostile'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...members), tie('hostile'), { maxKeys: 6 })
  )
}))

t.test('no page and no acceptance makes the reader throw anything but an UpstreamFailure', async () => {
  const onlyFailures = (reason: unknown) => {
    if (!(reason instanceof UpstreamFailure)) throw reason
  }
  await fc.assert(
    fc.asyncProperty(hostile, fc.dictionary(fc.constantFrom(...members), hostile), async (body, members) => {
      await page(body).catch(onlyFailures)
      await send({ ...members, ok: true }).catch(onlyFailures)
      await page({ messageTemplates: [body, { ...members, elementName: 'x' }] })
    }),
    { numRuns: 1000 }
  )
})
