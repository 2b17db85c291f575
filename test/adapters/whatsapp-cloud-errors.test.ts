import fc from 'fast-check'
import t from 'tap'
import type { FailureFacts, Operation } from '../../src/adapters/adapter.ts'
import { UpstreamFailure } from '../../src/adapters/adapter.ts'
import { whatsappCloud as adapter } from '../../src/adapters/whatsapp-cloud/index.ts'

const failure = (status: number, body: unknown, more: Partial<FailureFacts> = {}) =>
  new UpstreamFailure('failed', { kind: 'status', started: true, status, headers: {}, body, ...more })
const graph = (code: number, more: object = {}) => ({
  error: { message: `(#${code}) x`, type: 'OAuthException', code, fbtrace_id: 'A1', ...more }
})
const judge = (status: number, body: unknown, more: Partial<FailureFacts> = {}, operation?: Operation) =>
  adapter.classify(failure(status, body, more), operation)

/** docs/upstream.md 4.10 as docs/reliability.md 4 reads it: code[/subcode], documented status, ours, what a queue does with it. */
const table = `
0 401 channel_rejected          190 401 channel_rejected         3 500 channel_rejected
10 403 channel_rejected         200 403 channel_rejected         299 403 channel_rejected
104 401 channel_rejected        4 429 rate_limited later:channel 80007 429 rate_limited later:channel
130429 400 rate_limited later:channel                            131056 400 rate_limited later:recipient
131048 400 channel_rejected     131064 400 channel_rejected      133016 400 channel_rejected
368 403 channel_rejected        131031 403 channel_rejected      130497 403 recipient_invalid
1 400 outcome_unknown           2 503 provider_unavailable later 33 400 channel_rejected
100 400 message_rejected        803 404 channel_rejected         2500 400 channel_rejected
130472 400 message_rejected     131000 500 outcome_unknown       131005 403 channel_rejected
131008 400 message_rejected     131009 400 message_rejected      131016 500 provider_unavailable later
131021 400 recipient_invalid    131026 400 recipient_invalid     131030 400 recipient_invalid
131037 400 channel_rejected     131042 400 channel_rejected      131045 500 channel_rejected
131047 400 window_closed        131049 400 message_rejected      131050 400 recipient_suppressed
131051 400 message_rejected     131052 400 media_rejected        131053 400 media_rejected
131057 500 provider_unavailable later:channel                    131062 400 recipient_invalid
131063 400 message_rejected     132000 400 template_invalid      132001 404 template_not_found
132005 400 template_invalid     132007 400 message_rejected      132008 400 template_invalid
132012 400 template_invalid     132015 400 template_not_found    132016 400 template_not_found
132068 400 message_rejected     132069 400 message_rejected      133000 500 channel_rejected
133004 503 provider_unavailable later                            133005 400 channel_rejected
133006 400 channel_rejected     133008 400 channel_rejected      133009 400 channel_rejected
133010 400 channel_rejected     133015 400 channel_rejected      135000 400 message_rejected
137000 400 recipient_invalid    100/33 400 channel_rejected      100/2388019 400 conflict
100/2388024 400 conflict        100/2388039 400 conflict         100/2388040 400 template_invalid
100/2388047 400 template_invalid                                 100/2388073 400 template_invalid
100/2388293 400 template_invalid                                 100/2388299 400 template_invalid
100/2593002 400 not_found       100/1 400 message_rejected       999999 400 message_rejected
17 400 rate_limited later:channel     32 400 rate_limited later:channel   341 400 rate_limited later:channel
613 400 rate_limited later:channel    80008 400 rate_limited later:channel   80014 400 rate_limited later:channel
132018 400 template_invalid           132099 400 message_rejected
999999 401 channel_rejected     999999 403 channel_rejected      999999 429 rate_limited later:channel
`
const cases = [...table.matchAll(/(\d+)(?:\/(\d+))? (\d{3}) (\w+)(?: (later)(?::(\w+))?)?/g)].map(
  ([, code, sub, status, ours, later, throttles]) => ({ code, sub, status, ours, later, throttles })
)

t.test('every code of Meta’s has its meaning', async t => {
  t.equal(cases.length, 87)
  for (const { code, sub, status, ours, later, throttles } of cases) {
    const verdict = judge(Number(status), graph(Number(code), sub ? { error_subcode: Number(sub) } : {}))!
    const { detail, provider, aboutTemplate, ...decision } = verdict
    t.equal(aboutTemplate, /^132/.test(code!) || undefined, `${code}: what is remembered of a template is doubted`)
    const unknown = ours === 'outcome_unknown'
    t.strictSame(
      decision,
      {
        code: ours,
        outcome: unknown ? 'unknown' : 'not_sent',
        later: later !== undefined,
        ...(throttles && { throttles })
      },
      `${code}/${sub} at ${status}`
    )
    t.match(detail, /^[A-Z].+\.$/)
    t.equal(provider.code, code)
    t.equal(provider.subcode, sub || undefined)
  }
})

t.test('on a 5xx only the codes that say so were certainly not taken', async t => {
  const certain = [2, 131016, 130429, 133004, 131057]
  const documentedAs500 = [3, 131045, 133000]
  for (const code of new Set(cases.map(each => Number(each.code)))) {
    const verdict = judge(500, graph(code))!
    const holds = certain.includes(code) || documentedAs500.includes(code)
    t.equal(verdict.outcome, holds ? 'not_sent' : 'unknown', `${code}`)
    t.equal(verdict.later, certain.includes(code), `${code}`)
    t.equal(verdict.code === 'outcome_unknown', !holds, `${code}`)
  }
})

t.test('a refusal inside a 200 is a refusal, a 408 and a redirect are none', async t => {
  const refused = { kind: 'refused' } as const
  t.match(judge(200, graph(131030), refused), { code: 'recipient_invalid', outcome: 'not_sent' })
  t.match(judge(200, graph(131000), refused), { code: 'outcome_unknown', outcome: 'unknown' })
  t.match(judge(408, graph(131030)), { outcome: 'unknown' })
  t.match(judge(302, graph(131030)), { outcome: 'unknown' })
})

t.test('a read that failed without proof may simply be repeated', async t => {
  t.match(judge(500, graph(1), {}, 'listTemplates'), { code: 'provider_unavailable', outcome: 'not_sent', later: true })
  t.match(judge(500, graph(1), {}, 'sendMessage'), { code: 'outcome_unknown', outcome: 'unknown', later: false })
})

t.test('an unknown object is the channel’s own, unless the caller named it', async t => {
  const missing = graph(100, { error_subcode: 33, type: 'GraphMethodException' })
  t.match(judge(400, missing, {}, 'sendMessage'), { code: 'channel_rejected' })
  t.match(judge(400, missing, {}, 'listTemplates'), { code: 'channel_rejected' })
  t.match(judge(400, missing, {}, 'deleteMedia'), { code: 'not_found', detail: /or the connection may not see it/ })
  t.match(judge(400, missing, {}, 'locateMedia'), { code: 'not_found' })
  t.match(judge(401, graph(190), {}, 'deleteMedia'), { code: 'channel_rejected' })
})

t.test('code 100 tells of files in its text only', async t => {
  const types =
    "(#100) Param file must be a file with one of the following types: audio/aac. Received file of type 'x'."
  const stale = "(#100) Param image['id'] is not a valid whatsapp business account media attachment ID"
  t.match(judge(400, graph(100, { message: types })), { code: 'media_rejected', provider: { message: types } })
  t.match(judge(400, graph(100, { message: stale })), { code: 'media_rejected' })
  t.match(judge(400, graph(131009, { message: stale })), { code: 'message_rejected' })
})

const details = (details: string) => ({ error_data: { messaging_product: 'whatsapp', details } })
t.test('errors recorded live are read (docs/upstream.md 7)', async t => {
  const recorded = [
    [400, 131030, details('Recipient phone number not in allowed list: Add …'), 'recipient_invalid'],
    [404, 132001, details('template name (x) does not exist in en'), 'template_not_found'],
    [400, 132000, details('body: number of localizable_params (1) does not match'), 'template_invalid'],
    [400, 131056, details('Message failed to send because there were too many'), 'rate_limited'],
    [400, 131009, details('Invalid buttons count. Min allowed buttons: 1'), 'message_rejected'],
    [400, 100, { message: 'Invalid parameter', error_subcode: 2388024, is_transient: false }, 'conflict'],
    [401, 190, { message: 'Error validating access token: …', error_subcode: 463 }, 'channel_rejected']
  ] as const
  for (const [status, code, more, ours] of recorded) {
    const message = 'error_data' in more ? more.error_data.details : more.message
    const provider = { name: 'whatsapp-cloud', status, code: String(code), message, traceId: 'A1' }
    t.match(judge(status, graph(code, more)), { code: ours, outcome: 'not_sent', provider })
  }
})

t.test('what is not Graph’s own word is left to the general judgement', async t => {
  const bodies = [undefined, null, '<html>', [], {}, { error: 'x' }, { error: {} }, { error: { code: '190' } }]
  for (const body of [...bodies, { error: { code: 1.5, type: 'x' } }, { error: { code: 429, message: 'gateway' } }]) {
    t.equal(judge(429, body), undefined, JSON.stringify(body))
  }
  t.equal(judge(200, graph(190), { kind: 'unreadable' }), undefined)
  t.equal(judge(200, graph(190), { kind: 'transport' }), undefined)
  t.match(judge(400, { error: { code: 131047 } }), { code: 'window_closed' })
})

t.test('nothing that identifies a person or opens a door is repeated', async t => {
  const said = (message: string) => judge(400, graph(100, { message }))!.provider.message
  t.equal(said('to +14155551234, id 123456'), 'to +…1234, id 123456')
  t.equal(said('Malformed access token EAAGtP3OOrS4BAKz4z6ZCq'), 'Malformed access token EAA…')
  t.equal(said('at ?access_token=abc%20d&x=1'), 'at ?access_token=…&x=1')
  t.equal(said('x'.repeat(5000))?.length, 1000)
  t.match(judge(400, graph(100, details('number 4155551234'))), { provider: { message: 'number …1234' } })
  t.match(judge(400, graph(100, { error_data: 'plain' })), { provider: { message: '(#100) x' } })
})

t.test('the wait is the longest that the headers name', async t => {
  const wait = (headers: Record<string, string | string[]>, code = 130429) =>
    judge(429, graph(code), { headers })!.retryAfterSeconds
  const usage = (...minutes: unknown[]) =>
    JSON.stringify({ 1: minutes.map(each => ({ type: 'x', estimated_time_to_regain_access: each })), 2: null })
  t.equal(wait({}), undefined)
  t.equal(wait({ 'retry-after': '30' }), 30)
  t.equal(wait({ 'retry-after': ['31', '2'] }), 31)
  const date = 'Fri, 20 Nov 2026 10:00:00 GMT'
  t.equal(wait({ 'retry-after': 'Fri, 20 Nov 2026 10:01:00 GMT', date }), 60)
  t.equal(wait({ 'retry-after': 'Fri, 20 Nov 2026 10:01:00 GMT' }), undefined, 'there is no clock to measure a date by')
  t.equal(wait({ 'x-business-use-case-usage': usage(2, 5, 'x') }), 300)
  t.equal(wait({ 'x-business-use-case-usage': usage(1), 'retry-after': '90' }), 90)
  t.equal(wait({ 'x-business-use-case-usage': usage(1e9) }), 3600)
  t.equal(wait({ 'x-business-use-case-usage': 'nonsense', 'retry-after': 'soon' }), undefined)
  t.equal(wait({ 'retry-after': '30' }, 131030), undefined, 'a final refusal has nothing to wait for')
})

t.test('the trace id is the error’s, else the header’s', async t => {
  const headers = { 'x-fb-trace-id': 'H1' }
  t.equal(judge(400, graph(1), { headers })!.provider.traceId, 'A1')
  t.equal(judge(400, graph(1, { fbtrace_id: undefined }), { headers })!.provider.traceId, 'H1')
})

t.test('no failure whatever makes the reading of it fail', async () => {
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(100, 33, 190, 131056, 'constructor', '__proto__'))
  const keys = fc.constantFrom('code', 'error_subcode', 'message', 'error_data', 'type', 'fbtrace_id', 'details')
  const body = fc.oneof(value, fc.record({ error: fc.oneof(value, fc.dictionary(keys, value)) }))
  const names = fc.constantFrom('retry-after', 'date', 'x-fb-trace-id', 'x-business-use-case-usage')
  const headers = fc.dictionary(names, fc.oneof(fc.string(), fc.json(), fc.array(fc.string())))
  const status = fc.constantFrom(undefined, 200, 302, 400, 401, 408, 429, 500, 503)
  const kind = fc.constantFrom('transport', 'status', 'unreadable', 'refused')
  fc.assert(
    fc.property(body, headers, status, kind, (body, headers, status, kind) => {
      const verdict = adapter.classify(new UpstreamFailure('x', { kind, started: true, status, headers, body }))
      if (!verdict) return true
      const wait = verdict.retryAfterSeconds ?? 1
      return wait > 0 && wait <= 3600 && (verdict.outcome === 'not_sent' || !verdict.later)
    }),
    { numRuns: 3000 }
  )
})

t.test('a limit that comes as a 400 is a limit for reads too', async t => {
  for (const code of [4, 17, 613, 80007, 80008]) {
    for (const operation of ['sendMessage', 'listTemplates', 'getPhoneNumber'] as const)
      t.match(
        judge(400, graph(code), {}, operation),
        { code: 'rate_limited', outcome: 'not_sent', later: true },
        `${code}`
      )
  }
})

t.test('code 100 and its like say in the details that it is the template', async t => {
  const details: [number, unknown][] = [
    [100, { details: 'Parameter name is missing or empty' }],
    [100, { details: "Parameter 'text' is mandatory" }],
    [131008, { details: 'buttons: Button at index 0 of type Url requires a parameter' }],
    [131008, { details: 'body: Parameter of type text is missing text value' }]
  ]
  for (const [code, data] of details)
    t.match(
      judge(400, graph(code, { error_data: data })),
      { code: 'template_invalid', aboutTemplate: true },
      JSON.stringify(data)
    )
  for (const data of ['a bare string', { details: 'Invalid parameter to' }, null])
    t.match(judge(400, graph(100, { error_data: data })), { code: 'message_rejected', aboutTemplate: undefined })
})
