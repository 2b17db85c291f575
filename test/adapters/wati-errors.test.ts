import fc from 'fast-check'
import t from 'tap'
import type { BoundChannel, Encoded } from '../../src/adapters/adapter.ts'
import { UpstreamFailure } from '../../src/adapters/adapter.ts'
import { wati } from '../../src/adapters/wati/index.ts'
import type { Settings } from '../../src/adapters/wati/settings.ts'

const channel: BoundChannel<Settings> = { id: 'support', provider: 'wati', mode: 'live', settings: {} }
const input: Encoded = { request: { method: 'POST', path: ['api'] }, warnings: [] }
const send = (body: unknown) =>
  wati.operations.sendMessage(channel, input, {
    request: async () => ({ status: 200, headers: {}, body }),
    stream: () => Promise.reject(new Error('no stream here'))
  })
const failed = async (body: unknown): Promise<UpstreamFailure> => {
  const error = await send(body).then(
    () => undefined,
    (reason: unknown) => reason
  )
  if (error instanceof UpstreamFailure) return error
  throw new Error(`expected an UpstreamFailure for ${JSON.stringify(body)}, not ${String(error)}`)
}

const empty = { error: '', invalidWhatsappNumbers: [], invalidCustomParameters: [] }
const refusals: [unknown, string][] = [
  [{ result: false, message: 'Ticket has been expired.' }, 'window_closed'],
  [{ result: false, message: 'Ticket has been expired.', ticketStatus: 'EXPIRED' }, 'window_closed'],
  [{ result: false, info: 'Check your template, it cannot have typos or blank text' }, 'template_invalid'],
  [{ ok: false, errors: ['…'] }, 'message_rejected'],
  [{ ok: false, errors: ['TICKET HAS BEEN EXPIRED'] }, 'window_closed'],
  [{ result: true, errors: { ...empty, invalidWhatsappNumbers: ['1'] } }, 'recipient_invalid'],
  [{ result: true, errors: { ...empty, invalidCustomParameters: ['name'] } }, 'template_invalid'],
  [{ result: false, errors: { ...empty, error: 'Template is not approved' } }, 'template_not_found'],
  [{ result: true, error: null, receivers: [{ isValidWhatsAppNumber: false, errors: [] }] }, 'recipient_invalid'],
  [
    { result: true, receivers: [{ isValidWhatsAppNumber: true, errors: ['Invalid WhatsApp number'] }] },
    'recipient_invalid'
  ],
  [{ result: true, receivers: [{ isValidWhatsAppNumber: true, errors: [{ code: 1 }] }] }, 'message_rejected'],
  [{ result: false, validWhatsAppNumber: false, info: '…' }, 'recipient_invalid'],
  [{ result: false, validWhatsAppNumber: false, info: 'Template is not approved.' }, 'template_not_found'],
  [{ result: false, error: 'Template not approved' }, 'template_not_found'],
  [{ result: false, info: 'Your trial quota is exhausted' }, 'message_rejected'],
  [{ result: 'false', info: 'no' }, 'message_rejected'],
  [{ result: 'False' }, 'message_rejected'],
  [{ result: false }, 'message_rejected'],
  [{ success: false, message: 'no' }, 'message_rejected'],
  [{ result: null, info: 'no' }, 'message_rejected'],
  [{ code: 5004, message: 'no', timestamp: '…' }, 'message_rejected'],
  [{ result: true, validWhatsAppNumber: false }, 'recipient_invalid']
]
for (const [body, code] of refusals) {
  t.test(`${JSON.stringify(body)} is refused: ${code}`, async t => {
    const failure = await failed(body)
    t.match(failure, { kind: 'refused', started: true, status: 200, body })
    t.match(wati.classify(failure), {
      code,
      outcome: 'not_sent',
      later: false,
      provider: { name: 'wati', status: 200 }
    })
  })
}

const unsettled: unknown[] = [
  { result: false, errors: empty },
  { result: true, receivers: [] },
  { result: true, receivers: [null, 7] },
  { ok: true, errors: ['a success that names a fault'] },
  { result: true, error: 'a success that names a fault' },
  { message: { id: 'a' } },
  { result: '' },
  { result: {} },
  {},
  [],
  '',
  'OK',
  null,
  true,
  7
]
for (const body of unsettled) {
  t.test(`${JSON.stringify(body)} settles nothing`, async t => {
    const failure = await failed(body)
    t.match(failure, { kind: 'unreadable', started: true, status: 200 })
    t.equal(wati.classify(failure), undefined)
  })
}

const status = (status: number, body?: unknown, headers = {}) =>
  wati.classify(new UpstreamFailure('…', { kind: 'status', started: true, status, headers, body }))

t.test('refused credentials are the channel’s, if WATI says so', async t => {
  for (const code of [401, 403]) {
    t.match(status(code, { result: false, info: 'plan' }), {
      code: 'channel_rejected',
      outcome: 'not_sent',
      later: false
    })
    t.equal(status(code), undefined)
    t.equal(status(code, { message: 'Unauthorized' }), undefined)
  }
})

t.test('WATI’s rate limit holds the channel back, Maton’s is not WATI’s', async t => {
  const slow = { code: 'rate_limited', outcome: 'not_sent', later: true, throttles: 'channel' }
  const body = { result: false, info: 'Too many requests' }
  const after = (headers: object) => status(429, body, headers)
  t.match(after({}), { ...slow, retryAfterSeconds: 10 })
  t.match(after({ 'retry-after': '7' }), { ...slow, retryAfterSeconds: 7 })
  t.match(after({ 'retry-after': ['3', '4'] }), { retryAfterSeconds: 3 })
  for (const odd of ['0', '-1', 'soon', '', '1e9']) t.match(after({ 'retry-after': odd }), { retryAfterSeconds: 10 })
  t.match(after({ 'retry-after': '9'.repeat(400) }), { retryAfterSeconds: 86400 })
  const dates = { date: 'Fri, 20 Nov 2026 09:00:00 GMT', 'retry-after': 'Fri, 20 Nov 2026 09:00:30 GMT' }
  t.match(after(dates), { retryAfterSeconds: 30 })
  t.equal(status(429), undefined)
  t.equal(status(429, { error: 'slow down' }), undefined)
})

t.test('a used-up quota or plan is final, also as a 429', async t => {
  const words = [
    'Trial quota exhausted',
    'marketing daily limit reached',
    'not part of your plan',
    'Daily message limit hit'
  ]
  for (const info of words) {
    for (const code of [400, 429]) {
      t.match(
        status(code, { result: false, info }),
        { code: 'message_rejected', outcome: 'not_sent', later: false },
        info
      )
    }
  }
})

t.test('a 4xx in WATI’s words is a refusal, by the same texts as inside a 200', async t => {
  for (const code of [400, 404, 405, 422]) {
    const verdict = status(code, { result: false, info: 'No such thing' })
    t.match(verdict, { code: 'message_rejected', later: false, provider: { status: code, message: 'No such thing' } })
  }
  t.match(status(400, { result: false, info: 'The template is pending' }), { code: 'template_not_found' })
  t.match(status(400, { result: false, message: 'Ticket has been expired.' }), { code: 'window_closed' })
  t.match(status(404, { code: 5004, message: 'x', timestamp: '…' }), { provider: { code: '5004', message: 'x' } })
})

t.test('what settles nothing, or is not WATI’s, is left to the generic rule', async t => {
  const body = { result: false, info: 'x' }
  for (const code of [302, 408, 425, 500, 502, 503, 504]) t.equal(status(code, body), undefined)
  t.equal(status(400, { error: { code: 190, type: 'OAuthException' } }), undefined)
  t.equal(status(400, 'Bad Request'), undefined)
  t.equal(status(404), undefined)
  t.equal(wati.classify(new UpstreamFailure('…', { kind: 'transport', started: true, cause: 'ECONNRESET' })), undefined)
})

t.test('a reason is told without whole phone numbers', async t => {
  const info = 'Number 14155551234 (+1 415-555-9876) is odd, see 123456'
  const verdict = status(400, { result: false, info })
  t.equal(verdict?.provider.message, 'Number …1234 (+…9876) is odd, see 123456')
  t.notMatch(verdict?.detail, '5555')
})

const members = [
  'ok',
  'result',
  'success',
  'info',
  'error',
  'errors',
  'message',
  'failedDetail',
  'receivers',
  'validWhatsAppNumber',
  'invalidWhatsappNumbers',
  'invalidCustomParameters',
  'isValidWhatsAppNumber',
  'code',
  'timestamp',
  '__proto__'
]
const { hostile } = fc.letrec(tie => ({
  hostile: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.constantFrom(true, false, null, '', 'success', 'false', 'Ticket has been expired.', '{{1}}', 'image', 0, 1e300),
    fc.string(),
    fc.array(tie('hostile'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...members), tie('hostile'), { maxKeys: 6 })
  )
}))

t.test('no answer makes the adapter throw anything but an UpstreamFailure', async () => {
  const onlyFailures = (reason: unknown) => {
    if (!(reason instanceof UpstreamFailure)) throw reason
    wati.classify(reason)
  }
  await fc.assert(
    fc.asyncProperty(hostile, fc.integer({ min: 200, max: 599 }), async (body, code) => {
      await send(body).catch(onlyFailures)
      const verdict = status(code, body, { 'retry-after': body })
      if (verdict !== undefined && verdict.outcome !== 'not_sent') throw new Error('a verdict that is not definite')
    }),
    { numRuns: 1000 }
  )
})

t.test('an acceptance is never made of a body that says no', async () => {
  const no = fc.constantFrom({ ok: false }, { result: false }, { result: 'False' }, { success: false })
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.constantFrom(...members), hostile), no, async (body, refusal) => {
      const { kind } = await failed({ ...body, ...refusal })
      if (kind !== 'refused' && kind !== 'unreadable') throw new Error(kind)
    })
  )
})

t.test('a 429 that names its end waits for it, whatever its words are', async t => {
  for (const info of ['You have used up the quota of your plan', 'trial limit', 'Ticket has been expired', '']) {
    const waits = status(429, { result: false, info }, { 'retry-after': '42' })
    t.match(waits, { code: 'rate_limited', later: true, throttles: 'channel', retryAfterSeconds: 42 }, info)
  }
  t.match(status(429, { result: false, info: 'You have used up the quota of your plan' }), {
    code: 'message_rejected',
    later: false
  })
  t.match(status(429, { result: false, info: 'slow down' }), {
    code: 'rate_limited',
    later: true,
    retryAfterSeconds: 10
  })
})

t.test('problem details tell their reason, field by field', async t => {
  const problem = {
    type: 'https://example.com/validation',
    title: 'One or more validation errors occurred.',
    status: 400,
    traceId: '00-1',
    errors: { BroadcastName: ['The field is required.'], '': ['A body is required.'], Parameters: [7] }
  }
  const verdict = status(400, problem)!
  t.match(verdict, { code: 'message_rejected', outcome: 'not_sent', later: false })
  const reason = 'BroadcastName: The field is required.; A body is required.; Parameters: is not valid'
  t.equal(verdict.provider.message, reason)
  t.match(verdict.detail, reason)
  t.match(status(404, { title: 'Not Found', status: 404 }), { provider: { message: 'Not Found' } })
  t.match(status(400, { title: 'Bad', errors: { template_name: ['The template is not approved'] } }), {
    code: 'template_not_found',
    aboutTemplate: true
  })
  t.equal(status(502, { title: 'Bad Gateway', status: 502 }), undefined, 'a 5xx proves nothing, in whatever form')
  t.equal(status(400, { title: 'A page' }), undefined, 'a title alone may be anybody’s')
})
