import t from 'tap'
import type { Call, NativeRequest } from '../../src/adapters/adapter.ts'
import { whatsappCloud } from '../../src/adapters/whatsapp-cloud/index.ts'

const settings = { phoneNumberId: '106540352242922', businessAccountId: '102290129340398' }
const channel = { id: 'main', provider: 'whatsapp-cloud', mode: 'live', settings } as const
const { operations } = whatsappCloud
const draft = {
  name: 'x',
  language: 'en_US',
  category: 'utility',
  body: { text: 'Hi' },
  buttons: [],
  variables: [],
  parameterFormat: 'positional'
} as const

/** An upstream with one answer. */
const says = (body: unknown, seen: NativeRequest[] = []): Call => ({
  request: async request => {
    seen.push(request)
    return { status: 200, headers: {}, body }
  },
  stream: () => Promise.reject(new Error('nothing is streamed here'))
})
const thrown = (act: Promise<unknown>): Promise<unknown> => act.then(() => 'nothing was thrown').catch(each => each)
const error = { error: { code: 100, type: 'OAuthException' } }

t.test('answers that prove nothing are unreadable, refusals inside a 200 are refusals', async t => {
  const acts: [name: string, run: (call: Call) => Promise<unknown>, unproven: unknown][] = [
    [
      'createTemplate',
      call => operations.createTemplate!(channel, { ...draft, buttons: [], variables: [] }, call),
      { status: 'PENDING' }
    ],
    ['deleteTemplate', call => operations.deleteTemplate!(channel, { name: 'x' }, call), {}],
    [
      'markMessageRead',
      call => operations.markMessageRead!(channel, { providerMessageId: 'wamid.x', typing: false }, call),
      { success: 'yes' }
    ],
    ['updateProfile', call => operations.updateProfile!(channel, { about: 'x' }, call), []],
    ['listPhoneNumbers', call => operations.listPhoneNumbers!(channel, { limit: 1 }, call), { data: {} }],
    ['getPhoneNumber', call => operations.getPhoneNumber!(channel, {}, call), { display_phone_number: '+1' }],
    ['getProfile', call => operations.getProfile!(channel, {}, call), { about: 'x' }]
  ]
  for (const [name, run, unproven] of acts) {
    t.match(await thrown(run(says(unproven))), { kind: 'unreadable', started: true }, name)
    t.match(await thrown(run(says(error))), { kind: 'refused', started: true }, name)
  }
  for (const name of ['deleteTemplate', 'markMessageRead', 'updateProfile'])
    t.match(await thrown(acts.find(each => each[0] === name)![1](says({ success: false }))), { kind: 'refused' }, name)
})

t.test('numbers and profiles are read leniently', async t => {
  const item = { id: 1065, display_phone_number: 7, quality_rating: 'GREEN', throughput: 'x', name_status: null }
  const page = await operations.listPhoneNumbers!(
    channel,
    { limit: 2 },
    says({ data: [item, {}, null, 'x'], paging: { cursors: { after: 'Mg' } } })
  )
  t.strictSame(page, { items: [{ id: '1065', qualityRating: 'green' }], nextCursor: null })
  const next = 'https://graph.facebook.com/v24.0/1/phone_numbers?access_token=EAAG'
  const more = says({ data: [], paging: { next, cursors: { after: 'Mg' } } })
  t.strictSame(await operations.listPhoneNumbers!(channel, { limit: 2 }, more), { items: [], nextCursor: 'Mg' })
  for (const data of [[], [null], [{ about: '', websites: 'x', vertical: '', email: 5 }]])
    t.strictSame(await operations.getProfile!(channel, {}, says({ data })), {})
})

t.test('a template’s status and category are what Meta made of them', async t => {
  const made = (body: object) =>
    operations.createTemplate!(channel, { ...draft, buttons: [], variables: [] }, says(body))
  t.strictSame(await made({ id: '1', status: 'REJECTED', category: 'MARKETING' }), {
    providerTemplateId: '1',
    status: 'rejected',
    category: 'marketing'
  })
  t.strictSame(await made({ id: 2 }), { providerTemplateId: '2', status: 'pending', category: 'utility' })
})

t.test('what cannot be made is refused before any request', async t => {
  const seen: NativeRequest[] = []
  for (const more of [{ category: 'authentication' as const }, { header: { format: 'video' as const } }])
    await t.rejects(
      operations.createTemplate!(channel, { ...draft, buttons: [], variables: [], ...more }, says({ id: '1' }, seen)),
      { name: 'Unsupported' }
    )
  t.strictSame(seen, [])
})
