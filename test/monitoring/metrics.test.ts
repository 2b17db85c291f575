import t from 'tap'
import { createMetrics, mostChannels, mostServices } from '../../src/metrics.ts'
import type { FigureSource } from '../../src/monitoring/figures.ts'
import { document } from '../document.ts'
import { adminKey, startBoard } from '../helper.ts'

// What /metrics tells, to whom, and what it costs (docs/reliability.md T48, P51).

const text = (more: object) => ({ channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'Hello' }, ...more })
const later = () => new Date(Date.now() + 3600_000).toISOString()
const series = (scrape: string): string[] => scrape.split('\n').filter(line => line !== '' && !line.startsWith('#'))

t.test('the figures of the store are those of the store', async t => {
  const board = await startBoard(t)
  const key = await board.key({ service: 'billing' })
  for (let i = 0; i < 3; i++) await board.call('POST', '/messages', { key, body: text({ sendAt: later() }) })
  await board.call('POST', '/channels/wati/pause')
  await board.call('POST', '/messages', { key, body: text({ to: '15550100017' }) })
  await board.call('POST', '/messages', { key, body: text({}) })
  const { text: scrape } = await board.call('GET', '/metrics', { key: '' })
  for (const line of [
    'switchboard_queue_messages{mode="live",service="billing",lane="0"} 3',
    'switchboard_queue_oldest_seconds{mode="live",service="billing",lane="0"} ',
    'switchboard_unknown_open{mode="live"} 1',
    'switchboard_channel_blocked{channel="wati",cause="paused"} 1',
    'switchboard_channel_blocked{channel="cloud",cause="paused"} 0',
    'switchboard_channel_blocked{channel="cloud",cause="breaker"} 0',
    'switchboard_channel_blocked{channel="cloud",cause="throttle"} 0',
    'switchboard_hold 0',
    'switchboard_account_throttled 0',
    'switchboard_pace_used_ratio 0',
    'switchboard_webhook_silent{channel="cloud"} 0',
    'switchboard_webhooks_unread{state="waiting"} 0',
    'switchboard_webhooks_unread{state="set_aside"} 0',
    'switchboard_heard_unmatched 0',
    'switchboard_messages_total{channel="cloud",status="accepted"} 1',
    'switchboard_messages_total{channel="cloud",status="unknown"} 1',
    'switchboard_requests_total{operation="sendMessage",status="2xx"} 5',
    'switchboard_upstream_calls_total{provider="whatsapp-cloud",operation="sendMessage",result="ok"} 1',
    'switchboard_upstream_failures_total{provider="whatsapp-cloud",code="provider_protocol"} 1',
    'switchboard_request_seconds_count{kind="send",part="own"} 5',
    'switchboard_request_seconds_count{kind="send",part="upstream"} 2',
    'switchboard_store_commit_seconds_count ',
    'switchboard_store_wal_bytes ',
    'switchboard_build_info{version="0.1.0",',
    'process_resident_memory_bytes ',
    'nodejs_eventloop_lag_p99_seconds '
  ])
    t.ok(scrape.includes(`\n${line}`), line)
  t.ok(series(scrape).every(line => !line.startsWith('switchboard_figures_missing') || line.endsWith(' 0')))
  const wrong = scrape.match(/14155551234|15550100017|sk_live|msg_|key_/)
  t.equal(wrong, null, 'no number, key or id')
})

t.test('a share of the pace, and a queue that is due', async t => {
  const board = await startBoard(t, { env: { MATON_RATE_PER_SECOND: '1' } })
  const key = await board.key({ service: 'billing' })
  const sent = Array.from({ length: 4 }, () =>
    board.call('POST', '/messages', { key, body: text({}), headers: { prefer: 'respond-async' } })
  )
  await Promise.all(sent)
  const { text: scrape } = await board.call('GET', '/metrics')
  t.match(scrape, /switchboard_pace_used_ratio (1|0\.\d+)\n/)
  t.match(scrape, /switchboard_pace_calls_per_second\{mode="live"\} (1|0\.9\d*)\n/)
})

t.test(
  'after every operation with every status, and more channels and services than anybody has, it is under 2,000 series',
  async t => {
    const metrics = createMetrics()
    const { paths } = document as { paths: Record<string, Record<string, { operationId: string }>> }
    const operations = Object.values(paths).flatMap(methods =>
      Object.values(methods).map(({ operationId }) => operationId)
    )
    t.ok(operations.length > 60)
    const statuses = Array.from({ length: 500 }, (_, i) => 100 + i)
    for (const operation of [...operations, 'none'])
      for (const status of [
        200, 201, 202, 204, 206, 302, 304, 400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504
      ])
        for (const kind of ['send', 'read', 'write', 'native', 'webhook'] as const)
          metrics.request({ operation, kind, status, total: 5, queue: 1, upstream: 1 })
    for (const status of statuses)
      metrics.request({ operation: 'nativeGet', kind: 'native', status, total: 5, queue: 0, upstream: 1 })
    const codes = [
      'ok',
      'rate_limited',
      'channel_rejected',
      'provider_unavailable',
      'provider_protocol',
      'outcome_unknown',
      'internal'
    ]
    for (const provider of ['wati', 'whatsapp-cloud'])
      for (let i = 0; i < 45; i++) for (const code of codes) metrics.call(`operation${i}`, provider, code, 5)
    for (let i = 0; i < 500; i++)
      for (const status of ['accepted', 'sent', 'delivered', 'read', 'failed', 'unknown', 'received'])
        metrics.message(`channel-${i}`, status)
    metrics.add({
      name: 'many',
      figures: {
        switchboard_queue_messages: { help: 'x', labels: ['mode', 'service', 'lane'] },
        switchboard_queue_oldest_seconds: { help: 'x', labels: ['mode', 'service', 'lane'], merge: 'max' },
        switchboard_channel_blocked: { help: 'x', labels: ['channel', 'cause'], merge: 'max' }
      },
      look: async tell => {
        for (let i = 0; i < 500; i++)
          for (const mode of ['live', 'test'])
            for (const lane of ['0', '1']) {
              tell('switchboard_queue_messages', 1, { mode, service: `service-${i}`, lane })
              tell('switchboard_queue_oldest_seconds', i, { mode, service: `service-${i}`, lane })
            }
        for (let i = 0; i < 500; i++)
          for (const cause of ['paused', 'breaker', 'throttle'])
            tell('switchboard_channel_blocked', i === 499 ? 1 : 0, { channel: `channel-${i}`, cause })
      }
    } satisfies FigureSource as FigureSource)
    const scrape = await metrics.text()
    const count = series(scrape).length
    t.ok(count > 1000, 'CONTROL: it was much')
    t.ok(count < 2000, `${count} series`)
    t.match(scrape, `{mode="live",service="other",lane="0"} ${500 - mostServices}\n`, 'what shares a series is added')
    t.match(
      scrape,
      'switchboard_queue_oldest_seconds{mode="live",service="other",lane="0"} 499\n',
      'or the worst of it'
    )
    t.match(scrape, 'switchboard_channel_blocked{channel="other",cause="breaker"} 1\n')
    t.match(scrape, `switchboard_messages_total{channel="other",status="read"} ${500 - mostChannels}\n`)
  }
)

t.test('a figure that fails or hangs is missing, and the others are there', async t => {
  const metrics = createMetrics()
  const source = (name: string, look: FigureSource['look']): FigureSource => ({
    name,
    figures: { [`switchboard_${name}`]: { help: 'x' } },
    look
  })
  let broken = false
  let release = () => {}
  metrics.add(source('whole', async tell => tell('switchboard_whole', 1)))
  metrics.add(
    source('failing', async tell => {
      tell('switchboard_failing', 1)
      if (broken) throw new Error('the store is away')
    })
  )
  t.match(await metrics.text(), /switchboard_failing 1\n/, 'CONTROL: it is there when it does not fail')
  const other = createMetrics()
  broken = true
  other.add(source('whole', async tell => tell('switchboard_whole', 1)))
  other.add(source('failing', () => Promise.reject(new Error('the store is away'))))
  other.add(source('hanging', () => new Promise(resolve => (release = resolve))))
  const scrape = await other.text()
  t.match(scrape, /switchboard_whole 1\n/)
  t.notMatch(scrape, /\nswitchboard_(failing|hanging) /)
  for (const [name, missing] of [
    ['whole', 0],
    ['failing', 1],
    ['hanging', 1]
  ])
    t.match(scrape, `switchboard_figures_missing{source="${name}"} ${missing}\n`)
  release()
})

t.test('scrapes that come at once look once', async t => {
  const metrics = createMetrics()
  let looks = 0
  metrics.add({
    name: 'counted',
    figures: { switchboard_looks: { help: 'x' } },
    look: async tell => tell('switchboard_looks', ++looks)
  })
  await Promise.all(Array.from({ length: 50 }, () => metrics.text()))
  await metrics.text()
  t.equal(looks, 1)
})

t.test('METRICS_TOKEN: only whoever has it, and no key of ours', async t => {
  const token = 'scrape-0123456789-0123456789-0123456789'
  const board = await startBoard(t, { env: { METRICS_TOKEN: token } })
  for (const key of ['', adminKey, `${token}x`, token.slice(1)]) {
    const answer = await board.call('GET', '/metrics', { key })
    t.equal(answer.status, 401, key)
    t.equal(answer.headers['www-authenticate'], 'Bearer')
    t.equal(answer.body.code, 'unauthenticated')
  }
  t.equal((await board.call('GET', '/metrics', { key: token })).status, 200)
  t.equal((await board.call('GET', '/messages', { key: token })).status, 401, 'it opens nothing else')
})

t.test('METRICS_PORT: a listener of its own, with /livez and nothing else', async t => {
  const board = await startBoard(t, { env: { METRICS_PORT: '0' } })
  const { metricsApp } = board.board
  const url = await metricsApp!.listen({ host: '127.0.0.1', port: 0 })
  t.equal((await fetch(`${board.url}/metrics`)).status, 404)
  t.equal((await fetch(`${url}/metrics`)).status, 200)
  t.equal((await fetch(`${url}/livez`)).status, 200)
  for (const path of ['/messages', '/readyz', '/docs', '/keys', '/'])
    t.equal((await fetch(url + path)).status, 404, path)
})
