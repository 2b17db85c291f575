import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, type SpanExporter, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { version } from '../version.ts'
import type { Facts, Tracing } from './tracing.ts'

/** Spans that may wait for the collector; what comes after them is lost. */
const mostWaiting = 2048
/** A collector that does not answer is waited for so long, beside everything else. */
const exportMs = 5000
/** And so long at the end of the process. */
const lastMs = 1000

/** The names by which OpenTelemetry knows a fact; the others are our own. */
const names: Partial<Record<keyof Facts, string>> = {
  method: 'http.request.method',
  route: 'http.route',
  httpStatus: 'http.response.status_code',
  code: 'error.type'
}
const attributes = (facts: Facts): Attributes =>
  Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) =>
      value === undefined ? [] : [[names[name as keyof Facts] ?? `switchboard.${name}`, value]]
    )
  )
const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER } as const

/** What a traceparent means, or a beginning of its own. */
function contextOf(traceparent: string): Context {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-')
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true })
}
const written = (span: Span): string => {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

/** Counts what gets lost on the way, and lets nothing wait without a bound, in front of the SDK's own queue. */
function counted(exporter: SpanExporter) {
  let waiting = 0
  let lost = 0
  const batches = new BatchSpanProcessor({
    exporter: {
      export: (spans, done) =>
        exporter.export(spans, result => {
          waiting -= spans.length
          if (result.code !== 0) lost += spans.length
          done(result)
        }),
      shutdown: () => exporter.shutdown()
    },
    maxQueueSize: mostWaiting,
    scheduledDelayMillis: 1000,
    exportTimeoutMillis: exportMs
  })
  const processor: SpanProcessor = {
    onStart: () => {},
    onEnd: span => {
      if (waiting >= mostWaiting) {
        lost++
        return
      }
      waiting++
      batches.onEnd(span)
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown()
  }
  return { processor, lost: () => lost }
}

export interface OtlpOptions {
  /** The collector, without /v1/traces. */
  endpoint: string
  /** Sent with everything, as authorization. */
  headers: Readonly<Record<string, string>>
  serviceName: string
}

/** Ships spans by OTLP over HTTP. A collector that is dead or slow costs nothing but the spans (docs/reliability.md P51). */
export function createOtlpTracing({ endpoint, headers, serviceName }: OtlpOptions): Tracing {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint}/v1/traces`,
    headers: { ...headers },
    timeoutMillis: exportMs,
    concurrencyLimit: 2
  })
  const { processor, lost } = counted(exporter)
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': serviceName,
      'service.version': version,
      'service.instance.id': randomUUID()
    }),
    spanProcessors: [processor],
    spanLimits: { attributeValueLengthLimit: 256, attributeCountLimit: 24 }
  })
  const tracer = provider.getTracer('switchboard', version)
  const underWay = new AsyncLocalStorage<Context>()
  return {
    begin: (name, facts, { parent, kind } = {}) => {
      const within = parent ? contextOf(parent) : (underWay.getStore() ?? ROOT_CONTEXT)
      const title = name === 'request' || name === 'call' ? (facts.operation ?? name) : name
      const options = { attributes: attributes(facts), ...(kind && { kind: kinds[kind] }) }
      const span = tracer.startSpan(title, options, within)
      return {
        traceparent: written(span),
        run: work => underWay.run(trace.setSpan(ROOT_CONTEXT, span), work),
        end: (more = {}) => {
          span.setAttributes(attributes(more))
          if (more.code !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: more.code })
          span.end()
        }
      }
    },
    inside: () => underWay.getStore() !== undefined,
    lost,
    close: async () => {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>(resolve => {
        timer = setTimeout(resolve, lastMs)
      })
      // What it could not ship is lost, and nobody is left to tell.
      await Promise.race([provider.shutdown().catch(() => {}), late])
      clearTimeout(timer)
    }
  }
}
