import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startSandbox } from '../../src/sandbox/index.ts'
import { adminKey, matonKey, until } from '../helper.ts'
import { place, type Running, run, text } from '../life/run.ts'
import { type CollectedSpan, collect, fact } from './collector.ts'

// Traces, as a collector gets them: from the request to the provider, over queue and webhook (docs/reliability.md P51).

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`

async function live(t: Test, env: Record<string, string>): Promise<Running> {
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0 })
  t.teardown(() => sandbox.close())
  return run(t, { directory: place(t), matonUrl: sandbox.url, env })
}
const of = (spans: CollectedSpan[], name: string) => spans.filter(span => span.name === name)

t.test('request, journal, attempt and provider are one trace, the caller’s; what waits goes on with it', async t => {
  const collector = await collect(t)
  const board = await live(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collector-canary-1'
  })
  const { body } = await board.call('POST', '/messages', text('14155551234'), { traceparent, 'x-request-id': 'case-1' })
  const spans = await until(
    () => collector.spans().filter(span => span.traceId === traceId),
    found => ['sendMessage', 'journal', 'attempt', 'provider'].every(name => of(found, name).length > 0)
  )
  const [request] = of(spans, 'sendMessage')
  t.equal(request!.parentSpanId, '00f067aa0ba902b7')
  t.equal(fact(request!, 'switchboard.requestId'), 'case-1')
  t.equal(fact(request!, 'switchboard.message'), body.id)
  t.equal(fact(request!, 'http.response.status_code'), 201)
  const [attempt] = of(spans, 'attempt')
  t.equal(attempt!.parentSpanId, request!.spanId)
  t.match([fact(attempt!, 'switchboard.message'), fact(attempt!, 'switchboard.channel')], [body.id, 'cloud'])
  t.equal(of(spans, 'provider')[0]!.parentSpanId, attempt!.spanId)
  t.ok(of(spans, 'journal').every(span => [request!.spanId, attempt!.spanId].includes(span.parentSpanId!)))

  // It waits: the request is long over when it goes out.
  await board.call('POST', '/channels/cloud/pause')
  const waiting = '5bf92f3577b34da6a3ce929d0e0e4736'
  const queued = await board.call('POST', '/messages', text('14155551235'), {
    traceparent: traceparent.replace(traceId, waiting)
  })
  t.equal(queued.status, 202)
  await board.call('POST', '/channels/cloud/resume')
  const later = await until(
    () => collector.spans().filter(span => span.traceId === waiting),
    found => of(found, 'attempt').length > 0 && of(found, 'sendMessage').length > 0
  )
  t.equal(of(later, 'attempt')[0]!.parentSpanId, of(later, 'sendMessage')[0]!.spanId)
  t.match((await board.call('GET', `/messages/${queued.body.id}/timeline`)).body.traceparent, waiting)

  // Refused, and unknown: the code, and no word of the provider's.
  await board.call('POST', '/messages', text('15550100017'), {
    traceparent: traceparent.replace(traceId, '6'.repeat(32))
  })
  const failed = await until(
    () =>
      of(
        collector.spans().filter(span => span.traceId === '6'.repeat(32)),
        'attempt'
      ),
    found => found.length > 0
  )
  t.match(failed[0], { status: { code: 2 } })
  t.equal(fact(failed[0]!, 'error.type'), 'provider_protocol')

  t.ok(collector.headers().every(headers => headers.authorization === 'Bearer collector-canary-1'))
  for (const secret of ['14155551234', '14155551235', '15550100017', matonKey, adminKey, '"Hello"', 'collector-canary'])
    t.notOk(collector.raw().includes(secret), secret)
  t.notMatch(board.output(), 'collector-canary')
  t.equal(await board.end(), 0)
})

t.test('what a webhook tells of a message is in the trace of its request', async t => {
  const collector = await collect(t)
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-traces-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(join(directory, 'channels.json'), '{"channels":[]}')
  const live = await run(t, {
    directory,
    matonUrl: 'http://127.0.0.1:9',
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }
  })
  const settings = { phoneNumberId: '106540352242922', businessAccountId: '102290129340398' }
  await live.call('POST', '/channels', { id: 'cloud', provider: 'whatsapp-cloud', connectionId: 'c', settings })
  const key = (
    await live.call('POST', '/keys', { service: 'x', mode: 'test', scopes: ['messages:send', 'messages:read'] })
  ).body.secret
  const sent = await live.call('POST', '/messages', text('14155551234'), {
    traceparent,
    authorization: `Bearer ${key}`
  })
  const told = await until(
    () => of(collector.spans(), 'webhook').filter(span => span.traceId === traceId),
    found => found.some(span => fact(span, 'switchboard.state') === 'read')
  )
  const [request] = of(collector.spans(), 'sendMessage')
  for (const span of told) {
    t.equal(span.parentSpanId, request!.spanId)
    t.equal(fact(span, 'switchboard.message'), sent.body.id)
  }
  t.equal(await live.end(), 0)
})

for (const [name, collector] of [
  ['a collector that is not there', async () => 'http://127.0.0.1:9'],
  ['a collector that never answers', async (t: Test) => (await collect(t, { silent: true })).url]
] as const)
  t.test(`${name} costs nothing but the spans`, { timeout: 120_000 }, async t => {
    const board = await live(t, { OTEL_EXPORTER_OTLP_ENDPOINT: await collector(t) })
    for (let i = 0; i < 20; i++)
      t.equal((await board.call('POST', '/messages', text(`1415555${1000 + i}`))).status, 201)
    const lost = async () =>
      Number(
        /^switchboard_spans_lost_total (\d+)$/m.exec(await (await fetch(`${board.url}/metrics`)).text())?.[1] ??
          Number.NaN
      )
    await until(lost, count => count > 20, 100_000)
    const begun = performance.now()
    t.equal(await board.end(), 0)
    t.ok(performance.now() - begun < 10_000, 'and the end does not wait for it')
  })

t.test('without a collector nothing of it is loaded, nor what LOG_PRETTY and the page need', async t => {
  const hooks = `import { registerHooks } from 'node:module'
    registerHooks({ load: (url, context, next) => {
      // The API package alone comes with prom-client.
      if (/node_modules.(@opentelemetry.(sdk|exporter|otlp|resources)|pino-pretty|eta)/.test(url)) process.stderr.write('LOADED ' + url + '\\n')
      return next(url, context)
    } })`
  const preload = join(t.testdir({ 'hooks.mjs': hooks }), 'hooks.mjs')
  const plain = await live(t, { NODE_OPTIONS: `--import=${preload}` })
  await plain.call('POST', '/messages', text('14155551234'))
  await plain.end()
  t.notMatch(plain.output(), 'LOADED')
  const collector = await collect(t)
  const traced = await live(t, {
    NODE_OPTIONS: `--import=${preload}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    LOG_PRETTY: '0'
  })
  await traced.end()
  t.match(traced.output(), /LOADED \S+opentelemetry/, 'CONTROL')
})
