import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { createFigures, type FigureSource } from './monitoring/figures.ts'

/** What kind of work a request is, so that times of a send are not those of an upload. */
export type RequestKind = 'send' | 'read' | 'write' | 'native' | 'webhook'

/** One answer to a caller; times in milliseconds. */
export interface Answered {
  /** operationId of the route; `none` where no route was met. */
  operation: string
  kind: RequestKind
  status: number
  /** Whole time, and what of it went into waiting for a turn and into the provider. */
  total: number
  queue: number
  upstream: number
  /** It is a stream: how long it was open says nothing about us. */
  stream?: boolean
}

export interface Metrics {
  /** One call to a provider; `code` is ok or our error code. */
  call: (operation: string, provider: string, code: string, ms: number) => void
  request: (answered: Answered) => void
  /** A message of this channel came to a status. */
  message: (channel: string, status: string) => void
  /** A webhook came: kept, known (the same bytes again) or forged. */
  webhook: (provider: string, outcome: 'kept' | 'known' | 'forged') => void
  /** Something that a webhook told, by its kind, and what became of it. */
  heard: (provider: string, kind: string, outcome: string) => void
  /** A connection was closed at once, since there were too many. */
  refusedConnection: () => void
  /** An event was posted to a subscriber. */
  delivery: (verdict: 'delivered' | 'failed' | 'gone', ms: number) => void
  /** A unit of work of the store became durable. */
  committed: (ms: number) => void
  /** Adds figures that are looked up when somebody asks for them. */
  add: (source: FigureSource) => void
  /** The Prometheus text. It never fails as a whole: what cannot be had is left out, and `switchboard_figures_missing` says so. */
  text: () => Promise<string>
  contentType: string
}

/** Times that callers notice, in seconds. */
const buckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 10, 30]
const commitBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2]
/** Channels with a series of their own: the first that are met. The others share the series `other`, so that no setting makes a scrape large (docs/reliability.md T48). */
export const mostChannels = 25
/** So many services, likewise. */
export const mostServices = 15

/** Names with a series of their own are the first so many; the others are `other`. */
function bounded(most: number): (name: string) => string {
  const known = new Set<string>()
  return name => {
    if (known.has(name)) return name
    if (known.size >= most) return 'other'
    known.add(name)
    return name
  }
}

/** Operations whose upstream time is told by itself; the others share one series. */
const timedOperations: ReadonlySet<string> = new Set(['sendMessage', 'native'])

/** Counters without numbers, ids or names of people in any label: operations by their name, codes from closed lists. */
export function createMetrics(logLost: () => number = () => 0, spansLost?: () => number): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers })
  const requests = counter('switchboard_requests_total', 'Answers to callers', 'operation', 'status')
  const answers = counter('switchboard_answers_total', 'Answers by their exact status', 'status')
  const requestSeconds = new Histogram({
    name: 'switchboard_request_seconds',
    help: 'Time of answers under 500: own, waiting for a turn (queue), at the provider (upstream), and in all (total)',
    labelNames: ['kind', 'part'],
    buckets,
    registers
  })
  const calls = counter('switchboard_upstream_calls_total', 'Calls to providers', 'provider', 'operation', 'result')
  const failures = counter('switchboard_upstream_failures_total', 'Failed calls to providers', 'provider', 'code')
  const callSeconds = new Histogram({
    name: 'switchboard_upstream_seconds',
    help: 'Time of calls to providers',
    labelNames: ['provider', 'operation'],
    buckets,
    registers
  })
  const messages = counter('switchboard_messages_total', 'Messages that came to a status', 'channel', 'status')
  const webhooks = counter('switchboard_webhooks_total', 'Webhooks of providers', 'provider', 'outcome')
  const heard = counter('switchboard_heard_total', 'What webhooks told', 'provider', 'kind', 'outcome')
  const refused = counter('switchboard_connections_refused_total', 'Connections that were one too many')
  const deliverySeconds = new Histogram({
    name: 'switchboard_delivery_seconds',
    help: 'Attempts to deliver an event to a subscriber, by what became of them',
    labelNames: ['verdict'],
    buckets,
    registers
  })
  const commits = new Histogram({
    name: 'switchboard_store_commit_seconds',
    help: 'Time until a unit of work is durable, with what it waited',
    buckets: commitBuckets,
    registers
  })
  const kept = (name: string, help: string, value: () => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(value())
      }
    })
  kept('switchboard_log_lines_lost_total', 'Lines of the log that could not be written', logLost)
  if (spansLost)
    kept('switchboard_spans_lost_total', 'Spans that the collector did not take, or that were too many', spansLost)
  collectDefaultMetrics({ register: registry })
  // Named against Prometheus's rules, and told by type in nodejs_active_resources anyway.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`)
  /** A native answer has the provider's own status. */
  const statusLabel = bounded(40)
  const bounds = { channel: bounded(mostChannels), service: bounded(mostServices) }
  const figures = createFigures((name, help, labelNames) => {
    const gauge = new Gauge({ name, help, labelNames: [...labelNames], registers })
    return {
      set: (labels, value) => gauge.set(labels, value),
      clear: () => {
        gauge.reset()
        // A gauge without labels would be left at nought, which is a figure.
        if (labelNames.length === 0) gauge.remove()
      }
    }
  }, bounds)

  const textOf = async (): Promise<string> => {
    await figures.refresh()
    const parts = await Promise.all(
      registry.getMetricsAsArray().map(({ name }) => registry.getSingleMetricAsString(name).catch(() => ''))
    )
    return `${parts.filter(Boolean).join('\n\n')}\n`
  }
  let running: Promise<string> | undefined
  return {
    refusedConnection: () => refused.inc(),
    webhook: (provider, outcome) => webhooks.labels(provider, outcome).inc(),
    heard: (provider, kind, outcome) => heard.labels(provider, kind, outcome).inc(),
    call: (operation, provider, code, ms) => {
      calls.labels(provider, operation, code === 'ok' ? 'ok' : 'failed').inc()
      if (code !== 'ok') failures.labels(provider, code).inc()
      callSeconds.labels(provider, timedOperations.has(operation) ? operation : 'other').observe(ms / 1000)
    },
    request: ({ operation, kind, status, total, queue, upstream, stream }) => {
      requests.labels(operation, `${Math.trunc(status / 100)}xx`).inc()
      answers.labels(statusLabel(String(status))).inc()
      if (stream || status >= 500) return
      requestSeconds.labels(kind, 'total').observe(total / 1000)
      requestSeconds.labels(kind, 'own').observe(Math.max(total - queue - upstream, 0) / 1000)
      // Most requests wait for nobody.
      if (queue > 0) requestSeconds.labels(kind, 'queue').observe(queue / 1000)
      if (upstream > 0) requestSeconds.labels(kind, 'upstream').observe(upstream / 1000)
    },
    message: (channel, status) => messages.labels(bounds.channel(channel), status).inc(),
    delivery: (verdict, ms) => deliverySeconds.labels(verdict).observe(ms / 1000),
    committed: ms => commits.observe(ms / 1000),
    add: figures.add,
    text: () => {
      running ??= textOf().finally(() => {
        running = undefined
      })
      return running
    },
    contentType: registry.contentType
  }
}
