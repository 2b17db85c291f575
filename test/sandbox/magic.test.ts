import t, { type Test } from 'tap'
import { type MagicRecipient, magicRecipients } from '../../src/sandbox/index.ts'
import { until } from '../until.ts'
import {
  type Ask,
  ask,
  cloudMessage,
  cloudTemplate,
  MESSAGES,
  ORDER,
  open,
  type Reply,
  watiTemplate,
  watiText
} from './helper.ts'

/** What a caller sees: a status, Meta's code or WATI's verdict, or why there was no whole answer. */
interface Seen {
  status?: number
  code?: number
  retryAfter?: string
  lost?: string
  accepted?: boolean
  empty?: boolean
  html?: boolean
}

const accepted: Seen = { status: 200, accepted: true }
const lost = (why: string): Seen => ({ lost: why })
const graph = (status: number, code: number): Seen => ({ status, code })
const refused: Seen = { status: 200, accepted: false }
const bare = (status: number): Seen => ({ status, empty: true })
const page = (status: number): Seen => ({ status, html: true })

/** Each fault by name: what Cloud and WATI show. */
const EXPECTED: Record<string, { cloud: Seen; wati: Seen }> = {
  not_on_whatsapp: { cloud: graph(400, 131026), wati: refused },
  window_closed: { cloud: graph(400, 131047), wati: refused },
  not_allow_listed: { cloud: graph(400, 131030), wati: refused },
  throttled: { cloud: graph(429, 130429), wati: { status: 429, retryAfter: '10' } },
  pair_limit: { cloud: graph(400, 131056), wati: { status: 429 } },
  maton_throttled: { cloud: bare(429), wati: bare(429) },
  slow: { cloud: accepted, wati: accepted },
  silent: { cloud: lost('timeout'), wati: lost('timeout') },
  reset_after: { cloud: lost('reset'), wati: lost('reset') },
  reset_before: { cloud: lost('reset'), wati: lost('reset') },
  failure_inside_200: { cloud: graph(200, 131000), wati: refused },
  error_500: { cloud: bare(500), wati: bare(500) },
  bad_gateway_html: { cloud: page(502), wati: page(502) },
  gateway_timeout: { cloud: bare(504), wati: bare(504) },
  unavailable: { cloud: graph(503, 131016), wati: bare(503) },
  empty_200: { cloud: bare(200), wati: bare(200) },
  html_200: { cloud: page(200), wati: page(200) },
  no_id: { cloud: { status: 200, accepted: false }, wati: accepted },
  maton_unauthorized: { cloud: bare(401), wati: bare(401) },
  locked: { cloud: graph(403, 131031), wati: bare(403) },
  cut: { cloud: lost('reset'), wati: lost('reset') },
  redirect: { cloud: bare(302), wati: bare(302) },
  throttled_once: { cloud: { ...graph(429, 130429), retryAfter: '1' }, wati: { status: 429, retryAfter: '1' } },
  content_refused: { cloud: graph(400, 131051), wati: refused },
  credential_expired: { cloud: graph(401, 190), wati: bare(401) },
  dribble: { cloud: lost('timeout'), wati: lost('timeout') }
}

/** Only what hangs for ever is cut short. */
const ENDLESS = ['silent', 'dribble']

async function look(sandbox: { url: string }, call: Ask, signal = AbortSignal.timeout(60_000)): Promise<Seen> {
  let reply: Reply
  try {
    reply = await ask(sandbox, { ...call, signal })
  } catch {
    return lost(signal.aborted ? 'timeout' : 'reset')
  }
  const { status, body, text, headers } = reply
  const code = body?.error?.code
  return {
    status,
    ...(code === undefined ? {} : { code }),
    ...(typeof headers['retry-after'] === 'string' ? { retryAfter: headers['retry-after'] } : {}),
    ...(text === '' ? { empty: true } : {}),
    ...(text.startsWith('<!DOCTYPE') ? { html: true } : {}),
    ...(status === 200 && body !== undefined && code === undefined
      ? { accepted: body.ok === true || body.result === true || body.messages?.[0]?.id !== undefined }
      : {})
  }
}

/** Plain session messages and their provider; templates are told apart further down. */
const SENDS: Record<'cloud' | 'wati', (to: string) => Ask> = { cloud: to => cloudMessage(to), wati: to => watiText(to) }

async function meet(t: Test, row: MagicRecipient, provider: 'cloud' | 'wati'): Promise<void> {
  const waits: number[] = []
  const sandbox = await open(t, { wait: async ms => waits.push(ms) })
  const patience = new AbortController()
  const looking = look(sandbox, SENDS[provider](row.number), patience.signal)
  if (ENDLESS.includes(row.name)) {
    await until(
      () => sandbox.ledger.entries[0]?.processed,
      processed => processed === true
    )
    // An answer would have come before that of a call that was made later.
    await ask(sandbox, { path: '/connections' })
    patience.abort()
  }
  t.strictSame(await looking, EXPECTED[row.name]?.[provider], `${provider}: what the caller sees`)
  t.strictSame(waits, row.name === 'slow' ? [3000] : [])
  const [entry] = sandbox.ledger.entries
  t.equal(entry?.processed, row.processed, `${provider}: what really happened`)
  t.equal(entry?.fault, row.name)
  t.equal(entry?.to, row.number)
  t.equal(sandbox.ledger.sends().length, row.processed ? 1 : 0)
  t.strictSame(sandbox.ledger.violations(), [])
}

t.test('every magic recipient meets its fate on both providers', { jobs: 8 }, t => {
  for (const row of magicRecipients) {
    t.test(`${row.number} ${row.name}`, async t => {
      await Promise.all([meet(t, row, 'cloud'), meet(t, row, 'wati')])
    })
  }
  t.equal(magicRecipients.length, 26)
  t.end()
})

t.test('a closed window does not touch templates', async t => {
  const sandbox = await open(t)
  t.equal((await ask(sandbox, cloudTemplate('15550100002'))).status, 200)
  t.equal((await ask(sandbox, watiTemplate('15550100002'))).body.receivers[0].isValidWhatsAppNumber, true)
  t.equal(sandbox.ledger.sends().length, 2)
  const { body } = await ask(sandbox, watiText('15550100002'))
  t.equal(body.message, 'Ticket has been expired.')
})

t.test('throttled once: the next try is accepted', async t => {
  const sandbox = await open(t)
  for (const [call, status] of [
    [cloudMessage('15550100023'), 429],
    [cloudMessage('15550100023'), 200],
    [watiText('15550100023'), 429],
    [watiText('15550100023'), 200],
    [cloudMessage('15550100023'), 429]
  ] as const) {
    t.equal((await ask(sandbox, call)).status, status)
  }
  t.equal(sandbox.ledger.sends().length, 2)
})

t.test('each WATI endpoint words the same failure in its own way', async t => {
  const sandbox = await open(t)
  const to = '15550100001'
  const v2 = await ask(sandbox, watiTemplate(to))
  t.match(v2.body, {
    result: true,
    templateName: 'order_update',
    receivers: [{ waId: to, isValidWhatsAppNumber: false }]
  })
  t.match((await ask(sandbox, watiTemplate(to, 'v1'))).body, {
    result: false,
    validWhatsAppNumber: false,
    info: String
  })
  t.match((await ask(sandbox, watiText(to))).body, { result: false, info: String })
  const buttons = { body: 'x', buttons: [{ text: 'A' }] }
  const path = '/wati/api/v1/sendInteractiveButtonsMessage'
  const interactive = (whatsappNumber: string) => ask(sandbox, { path, query: { whatsappNumber }, json: buttons })
  t.match((await interactive(to)).body, { ok: false, errors: [String] })
  t.match((await interactive('15550100011')).body, { ok: false, errors: [String] })
  t.strictSame((await interactive('15550100002')).body, { result: false, message: 'Ticket has been expired.' })
  t.match((await ask(sandbox, watiTemplate('15550100024'))).body, { result: false, error: String })
  t.strictSame((await ask(sandbox, watiTemplate('15550100018'))).body.receivers, [
    { waId: '15550100018', isValidWhatsAppNumber: true, errors: [] }
  ])
  t.strictSame((await ask(sandbox, cloudMessage('15550100018'))).body.messages, [{}])
})

t.test('in a bulk call a bad receiver fails alone, and a lost call fails whole', async t => {
  const sandbox = await open(t)
  const bulk = (version: string, ...numbers: string[]) =>
    ask(sandbox, {
      path: `/wati/api/${version}/sendTemplateMessages`,
      json: {
        template_name: 'order_update',
        broadcast_name: 'b',
        receivers: numbers.map(whatsappNumber => ({ whatsappNumber, customParams: ORDER }))
      }
    })
  const mixed = await bulk('v2', '14155550001', '15550100001', '15550100024', '14155550002')
  t.strictSame(
    mixed.body.receivers.map((one: { isValidWhatsAppNumber: boolean; errors: string[] }) => [
      one.isValidWhatsAppNumber,
      one.errors.length
    ]),
    [
      [true, 0],
      [false, 0],
      [true, 1],
      [true, 0]
    ]
  )
  t.strictSame(
    sandbox.ledger.sends()[0]?.deliveries.map(({ to }) => to),
    ['14155550001', '14155550002']
  )
  sandbox.ledger.clear()
  t.strictSame((await bulk('v1', '14155550001', '15550100001', '15550100003')).body, {
    result: true,
    errors: { error: '', invalidWhatsappNumbers: ['15550100001'], invalidCustomParameters: ['15550100003'] }
  })
  t.equal((await bulk('v1', '15550100001')).body.result, false)
  sandbox.ledger.clear()
  await t.rejects(bulk('v2', '14155550001', '15550100010'))
  t.equal(sandbox.ledger.sends().length, 0)
  await t.rejects(bulk('v2', '14155550001', '15550100009'))
  t.equal(sandbox.ledger.sends()[0]?.deliveries.length, 2, 'the lost call was processed for all')
})

t.test('a cut answer tells its whole length and delivers half', async t => {
  const sandbox = await open(t)
  const { request } = await import('undici')
  const { json } = cloudMessage('15550100021')
  const answer = await request(`${sandbox.url}${MESSAGES}`, {
    method: 'POST',
    headers: { authorization: 'Bearer x', 'maton-connection': 'c', 'content-type': 'application/json' },
    body: JSON.stringify(json)
  })
  t.equal(answer.statusCode, 200)
  let bytes = 0
  await t.rejects(async () => {
    for await (const chunk of answer.body) bytes += chunk.length
  })
  t.equal(bytes, Math.floor(Number(answer.headers['content-length']) / 2))
})
