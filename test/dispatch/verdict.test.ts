import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { ErrorCode } from '../../schemas/problem.ts'
import type { AnyAdapter, UpstreamFailure, Verdict } from '../../src/adapters/adapter.ts'
import { wati } from '../../src/adapters/wati/index.ts'
import { whatsappCloud } from '../../src/adapters/whatsapp-cloud/index.ts'
import { judge, retryAfter } from '../../src/dispatch/verdict.ts'
import { id, to } from '../conformance/examples.ts'
import { run } from '../conformance/rig.ts'
import { type Answer, closedPort, openSocketServer, openStub, type Play } from '../upstream/stub.ts'

// docs/reliability.md 4 as data, played over real sockets. What a table row calls a header or body time-out is our own
// deadline here, and HTTP/2 is never offered. The rows about a process that dies belong to the store, not to the corridor.

const settings = { phoneNumberId: '106540352242922', businessAccountId: '102290129340398' }
const adapters: AnyAdapter[] = [whatsappCloud, wati]
const channel = (adapter: AnyAdapter) => ({ id: 'main', provider: adapter.provider, mode: 'live', settings }) as const
const text = (adapter: AnyAdapter) =>
  adapter.encoders.text!.encode({ id, to, type: 'text', content: { body: 'Hello' } }, channel(adapter))

/** What becomes of a send: queued again, refused for good, or unknown. */
type Action = 'requeue' | 'failed' | 'unknown'
const actionOf = ({ later, outcome }: Verdict): Action =>
  outcome === 'unknown' ? 'unknown' : later ? 'requeue' : 'failed'

/** A place to send to, and how to leave it. */
interface Place {
  url: string
  close?: () => Promise<unknown>
}
interface Row {
  name: string
  place: () => Promise<Place>
  started: boolean
  action: Action | { cloud: Action; wati: Action }
  code?: ErrorCode
  /** What undici or Node call it, where that is always the same. */
  cause?: string | RegExp
  timeoutMs?: number
}

const plays = (play: Play) => () => openStub(play, { ok: true, messages: [{ id: 'wamid.HBgA' }] })
const nobody = async (): Promise<Place> => ({ url: `http://127.0.0.1:${await closedPort()}` })
/** Over TLS nothing of a request can be written before the handshake, so these faults are certainly earlier. */
const handshake = (act: Parameters<typeof openSocketServer>[0]) => async (): Promise<Place> => {
  const { port, close } = await openSocketServer(act)
  return { url: `https://127.0.0.1:${port}`, close }
}

const before = { started: false, action: 'requeue', code: 'provider_unavailable' } as const
const lost = { started: true, action: 'unknown', code: 'outcome_unknown' } as const
const short = 1000
const graph = (status: number, code: number): Answer => ({
  status,
  body: { error: { message: 'x', type: 'OAuthException', code, fbtrace_id: 'A1' } }
})
const said = (status: number, info: string): Answer => ({ status, body: { result: false, info } })
/** One answer, and what a send does then. */
const answered = (name: string, answer: Answer, action: Row['action'], code?: ErrorCode): Row => ({
  name,
  place: plays(answer),
  started: true,
  action,
  ...(code && { code })
})

const rows: Row[] = [
  {
    name: 'DNS failure',
    place: async () => ({ url: 'http://nobody.invalid' }),
    ...before,
    cause: /ENOTFOUND|EAI_AGAIN/
  },
  { name: 'connection refused', place: nobody, ...before, cause: 'ECONNREFUSED' },
  {
    name: 'connect time-out',
    place: handshake({}),
    ...before,
    cause: 'UND_ERR_CONNECT_TIMEOUT',
    timeoutMs: 15_000
  },
  {
    name: 'TLS error',
    place: handshake({ data: socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') }),
    ...before,
    cause: /SSL|EPROTO/
  },
  {
    name: 'reset before our request began',
    place: handshake({ data: socket => socket.resetAndDestroy() }),
    ...before,
    cause: 'ECONNRESET'
  },
  { name: 'our deadline before the start', place: handshake({}), ...before, cause: 'TimeoutError', timeoutMs: short },
  { name: 'reset after the write', place: plays('reset'), ...lost, cause: 'ECONNRESET' },
  { name: 'FIN after the write', place: plays('close'), ...lost, cause: 'UND_ERR_SOCKET' },
  { name: 'no header in time', place: plays('silence'), ...lost, cause: 'TimeoutError', timeoutMs: short },
  { name: 'the body stalls', place: plays('stall'), ...lost, cause: 'TimeoutError', timeoutMs: short },
  { name: 'the body drips', place: plays('dribble'), ...lost, cause: 'TimeoutError', timeoutMs: short },
  { name: 'the body is cut', place: plays('cut'), ...lost },
  answered('2xx, broken JSON', { status: 200, body: '{"a' }, 'unknown', 'provider_protocol'),
  answered('2xx, HTML', { status: 200, body: '<html></html>' }, 'unknown', 'provider_protocol'),
  answered('2xx, no id', { status: 200, body: {} }, 'unknown', 'provider_protocol'),
  answered('2xx, ok: false', { status: 200, body: { ok: false, errors: ['x'] } }, { wati: 'failed', cloud: 'unknown' }),
  answered('2xx, window closed', said(200, 'Ticket has been expired.'), { wati: 'failed', cloud: 'unknown' }),
  answered(
    '2xx, the receiver is not on WhatsApp',
    { status: 200, body: { result: true, receivers: [{ isValidWhatsAppNumber: false, errors: [] }] } },
    { wati: 'failed', cloud: 'unknown' }
  ),
  answered('2xx, the receiver is missing', { status: 200, body: { result: true, receivers: [] } }, 'unknown'),
  ...[301, 302, 307, 308].map(status =>
    answered(`${status}`, { status, headers: { location: '/x' } }, 'unknown', 'outcome_unknown')
  ),
  ...[400, 404, 405, 409, 413, 415, 422].map(status => answered(`${status}`, { status }, 'failed', 'message_rejected')),
  answered('400, structured by Graph', graph(400, 131009), 'failed', 'message_rejected'),
  answered('400, structured by WATI', said(400, 'no'), 'failed', 'message_rejected'),
  answered('401', { status: 401 }, 'failed', 'channel_rejected'),
  answered('401, plain text', { status: 401, body: 'Unauthorized' }, 'failed', 'channel_rejected'),
  answered('403', { status: 403 }, 'failed', 'channel_rejected'),
  answered('408', { status: 408 }, 'unknown', 'outcome_unknown'),
  answered('425', { status: 425 }, 'requeue', 'provider_unavailable'),
  answered('429', { status: 429 }, 'requeue', 'rate_limited'),
  ...[4, 80007, 130429, 131056].flatMap(code => [
    answered(`400 with ${code}`, graph(400, code), { cloud: 'requeue', wati: 'failed' }),
    answered(`429 with ${code}`, graph(429, code), 'requeue', 'rate_limited')
  ]),
  answered('429, a quota', said(429, 'Your plan quota is used up'), { wati: 'failed', cloud: 'requeue' }),
  answered('500 without a known body', { status: 500 }, 'unknown', 'outcome_unknown'),
  answered('500 with code 1', graph(500, 1), 'unknown', 'outcome_unknown'),
  answered('400 with code 1', graph(400, 1), { cloud: 'unknown', wati: 'failed' }),
  answered('500 with 131000', graph(500, 131000), 'unknown', 'outcome_unknown'),
  answered('500 with a code that nobody knows', graph(500, 999999), 'unknown', 'outcome_unknown'),
  ...[2, 131016, 130429, 133004].flatMap(code =>
    [500, 503].map(status =>
      answered(`${status} with ${code}`, graph(status, code), { cloud: 'requeue', wati: 'unknown' })
    )
  ),
  answered('500 in WATI’s words', said(500, 'internal error'), 'unknown', 'outcome_unknown'),
  answered('502', { status: 502, body: '<html></html>' }, 'unknown', 'outcome_unknown'),
  answered('503', { status: 503 }, 'unknown', 'outcome_unknown'),
  answered('503 with Retry-After', { status: 503, headers: { 'retry-after': '1' } }, 'unknown', 'outcome_unknown'),
  answered('504', { status: 504 }, 'unknown', 'outcome_unknown')
]

const send = async (adapter: AnyAdapter, row: Row) => {
  const { url, close } = await row.place()
  const result = await run(adapter, settings, 'sendMessage', text(adapter), url, row.timeoutMs ?? 10_000)
  await close?.()
  return result
}

t.test('every row of the retry-safety table', t =>
  Promise.all(
    rows.flatMap(row =>
      adapters.map(async adapter => {
        const name = `${row.name}, ${adapter.provider}`
        const { failure, defect } = await send(adapter, row)
        if (!failure) return t.fail(`${name}: no CallFailed`, { defect })
        const wanted = typeof row.action === 'string' ? row.action : row.action[adapter === wati ? 'wati' : 'cloud']
        t.equal(actionOf(failure.verdict), wanted, `${name}: ${wanted}`)
        t.equal(failure.record.started, row.started, `${name}: started`)
        if (row.code) t.equal(failure.verdict.code, row.code, `${name}: ${row.code}`)
        if (row.cause) t.match(failure.verdict.provider.code, row.cause, `${name}: cause`)
        if (wanted !== 'requeue') t.notOk(failure.verdict.retryAfterSeconds, `${name}: no invitation to repeat it`)
      })
    )
  )
)

t.test('a certificate that nobody signed is met before the request', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'verdict-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const [key, cert] = [join(directory, 'key'), join(directory, 'cert')]
  const make = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout ${key} -out ${cert}`
  try {
    execFileSync('openssl', make.split(' '), { stdio: 'ignore' })
  } catch {
    return t.comment('no openssl here')
  }
  const offered: string[] = []
  const server = createTlsServer(
    {
      key: readFileSync(key),
      cert: readFileSync(cert),
      ALPNCallback: ({ protocols }) => {
        offered.push(...protocols)
        return 'http/1.1'
      }
    },
    (_request, response) => response.end(t.fail('the request arrived'))
  )
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { failure } = await run(wati, {}, 'sendMessage', text(wati), `https://127.0.0.1:${port}`, 10_000)
  server.close()
  t.match(failure, { verdict: { later: true, provider: { code: /SELF_SIGNED/ } }, record: { started: false } })
  t.strictSame([...new Set(offered)], ['http/1.1'], 'HTTP/2 is never offered')
})

/** How often a message is processed if its sender does what `judgeBy` says: once more at most. */
async function deliveries(judgeBy: AnyAdapter['classify']) {
  const stub = await openStub('reset')
  const adapter: AnyAdapter = { ...wati, classify: judgeBy }
  const attempt = () => run(adapter, {}, 'sendMessage', text(adapter), stub.url, 10_000)
  const { failure } = await attempt()
  if (failure?.verdict.later) await attempt()
  await stub.close()
  return stub.seen.length
}

t.test('POSITIVE CONTROL: a judge that looks at error.code alone sends twice', async t => {
  const reset = (name: string) => send(wati, rows.find(row => row.name === name)!)
  const [early, late] = await Promise.all([reset('reset before our request began'), reset('reset after the write')])
  const verdicts = [early, late].map(({ failure }) => failure!.verdict)
  t.strictSame(
    verdicts.map(({ provider }) => provider.code),
    ['ECONNRESET', 'ECONNRESET'],
    'one code'
  )
  t.strictSame(verdicts.map(actionOf), ['requeue', 'unknown'], 'two truths')

  const repeatable = new Set(['ECONNRESET', 'ECONNREFUSED', 'ENOTFOUND', 'UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT'])
  const naive = (failure: UpstreamFailure): Verdict => {
    const verdict = judge(failure, 'sendMessage', 'wati')
    return repeatable.has(failure.cause ?? '') ? { ...verdict, outcome: 'not_sent', later: true } : verdict
  }
  t.equal(await deliveries(naive), 2, 'the naive judge: the recipient gets it twice')
  t.equal(await deliveries(() => undefined), 1, 'ours: once')
})

t.test('Retry-After is read in seconds or as a date, within an hour', async t => {
  const now = Date.parse('2026-11-20T09:30:00Z')
  const cases: [header: string | string[] | undefined, seconds: number | undefined][] = [
    ['7', 7],
    ['0', 0],
    [['7', '9'], 7],
    ['Fri, 20 Nov 2026 09:30:30 GMT', 30],
    ['Fri, 20 Nov 2026 09:00:00 GMT', 0],
    ['999999999', 3600],
    ['soon', undefined],
    ['-1', 0],
    ['', undefined],
    [undefined, undefined]
  ]
  for (const [header, seconds] of cases) t.equal(retryAfter(header, now), seconds, String(header))
})
