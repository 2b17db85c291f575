import { Counter, Histogram, Registry } from 'prom-client'

export interface Metrics {
  /** One call to a provider; `code` is ok or our error code. */
  call: (operation: string, provider: string, code: string, ms: number) => void
  /** One answer to a caller. */
  request: (route: string, method: string, status: number, ms: number) => void
  /** A message came to a status. */
  message: (provider: string, status: string) => void
  /** A webhook came: kept, known (the same bytes again) or forged. */
  webhook: (provider: string, outcome: 'kept' | 'known' | 'forged') => void
  /** Something that a webhook told, by its kind, and what became of it. */
  heard: (provider: string, kind: string, outcome: string) => void
  /** A connection was closed at once, since there were too many. */
  refusedConnection: () => void
  /** The Prometheus text. */
  text: () => Promise<string>
  contentType: string
}

/** Counters without numbers, ids or names of people in any label: routes by their pattern, codes from closed lists. */
export function createMetrics(logLost: () => number = () => 0): Metrics {
  const registry = new Registry()
  const buckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20]
  const calls = new Histogram({
    name: 'switchboard_upstream_seconds',
    help: 'Calls to providers',
    labelNames: ['operation', 'provider', 'code'],
    buckets,
    registers: [registry]
  })
  const requests = new Histogram({
    name: 'switchboard_request_seconds',
    help: 'Answers to callers',
    labelNames: ['route', 'method', 'status'],
    buckets,
    registers: [registry]
  })
  const messages = new Counter({
    name: 'switchboard_messages_total',
    help: 'Messages that came to a status',
    labelNames: ['provider', 'status'],
    registers: [registry]
  })
  const webhooks = new Counter({
    name: 'switchboard_webhooks_total',
    help: 'Webhooks of providers',
    labelNames: ['provider', 'outcome'],
    registers: [registry]
  })
  const heard = new Counter({
    name: 'switchboard_heard_total',
    help: 'What webhooks told, by kind and what became of it',
    labelNames: ['provider', 'kind', 'outcome'],
    registers: [registry]
  })
  const refused = new Counter({
    name: 'switchboard_connections_refused_total',
    help: 'Connections that were one too many',
    registers: [registry]
  })
  new Counter({
    name: 'switchboard_log_lines_lost_total',
    help: 'Lines of the log that could not be written',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(logLost())
    }
  })
  return {
    refusedConnection: () => refused.inc(),
    webhook: (provider, outcome) => webhooks.labels(provider, outcome).inc(),
    heard: (provider, kind, outcome) => heard.labels(provider, kind, outcome).inc(),
    call: (operation, provider, code, ms) => calls.labels(operation, provider, code).observe(ms / 1000),
    request: (route, method, status, ms) => requests.labels(route, method, String(status)).observe(ms / 1000),
    message: (provider, status) => messages.labels(provider, status).inc(),
    text: () => registry.metrics(),
    contentType: registry.contentType
  }
}
