import t from 'tap'
import { type BatchOutcome, type Sendable, Unsupported, UpstreamFailure } from '../../src/adapters/adapter.ts'
import { batch } from '../../src/adapters/wati/batch.ts'

const channel = { id: 'support', provider: 'wati', mode: 'live', settings: {} } as const
const named = (value: string) => [{ name: 'name', value }]
const message = (i: number, value = `Name ${i}`): Sendable<'template'> => ({
  id: `msg_${i}`,
  to: `1415555000${i}`,
  type: 'template',
  content: {
    name: 'order_update',
    language: 'en',
    parameterFormat: 'named',
    body: named(value),
    buttons: [],
    flat: named(value)
  }
})
const three = [message(1), message(2), message(3)]
const said = (i: number, more: object = {}) => ({
  localMessageId: `msg_${i}`,
  waId: `1415555000${i}`,
  isValidWhatsAppNumber: true,
  errors: [],
  ...more
})
const read = (body: unknown, status = 200): BatchOutcome[] =>
  batch({ name: 'brd_1', messages: three }, channel).read({ status, headers: {}, body }).outcomes
const failure = (body: unknown): UpstreamFailure => {
  try {
    read(body)
  } catch (error) {
    if (error instanceof UpstreamFailure) return error
    throw error
  }
  throw new Error('it was taken')
}

t.test('one request names each recipient with our id and its own values', async t => {
  const { request } = batch({ name: 'brd_1', messages: three }, { ...channel, settings: { channelPhoneNumber: '852' } })
  t.strictSame(request, {
    method: 'POST',
    path: ['api', 'v2', 'sendTemplateMessages'],
    query: {},
    body: {
      json: {
        template_name: 'order_update',
        broadcast_name: 'brd_1',
        receivers: [1, 2, 3].map(i => ({
          whatsappNumber: `1415555000${i}`,
          localMessageId: `msg_${i}`,
          customParams: named(`Name ${i}`)
        })),
        channel_number: '852'
      }
    }
  })
  t.throws(() => batch({ name: 'x', messages: [message(1, ' ')] }, channel), Unsupported)
})

t.test('each recipient has the outcome that its own answer tells, whatever their order', async t => {
  const outcomes = read({
    result: true,
    error: null,
    receivers: [
      said(3),
      said(1, { isValidWhatsAppNumber: false }),
      said(2, { errors: ['Check your template, typos or blank text'] })
    ]
  })
  t.match(outcomes, [
    { verdict: { code: 'recipient_invalid', outcome: 'not_sent', later: false } },
    { verdict: { code: 'template_invalid', outcome: 'not_sent', later: false } },
    { receipt: { providerMessageId: 'msg_3', recipient: { phone: '14155550003' }, warnings: [] } }
  ])
})

t.test('whoever is missing, or there twice, or there under another id is not told of', async t => {
  t.match(read({ result: true, receivers: [said(1), said(3)] }), [{ receipt: {} }, 'untold', { receipt: {} }])
  t.match(read({ result: true, receivers: [said(1), said(2), said(2), said(3)] })[1], 'untold')
  t.match(read({ result: true, receivers: [said(1), said(2, { localMessageId: 'other' }), said(3)] })[1], 'untold')
  const byNumber = read({ result: true, receivers: [1, 2, 3].map(i => said(i, { localMessageId: null })) })
  t.match(byNumber[1], { receipt: { providerMessageId: 'msg_2' } }, 'without any id the number tells')
})

t.test('what is true of the whole call is thrown', async t => {
  t.match(failure({ result: false, error: 'Template not approved', receivers: [said(1)] }), { kind: 'refused' })
  t.match(failure({ result: false, error: null }), { kind: 'refused' })
  t.match(failure({}), { kind: 'unreadable' })
  t.match(failure({ result: true }), { kind: 'unreadable' }, 'nobody is told of')
  t.match(failure({ result: true, receivers: [] }), { kind: 'unreadable' })
  t.match(failure(null), { kind: 'unreadable' })
})

t.test('a failure without a reason says nothing of those that have none of their own', async t => {
  const outcomes = read({
    result: false,
    error: null,
    receivers: [said(1), said(2, { isValidWhatsAppNumber: false }), said(3)]
  })
  t.match(outcomes, ['untold', { verdict: { code: 'recipient_invalid' } }, 'untold'])
})
