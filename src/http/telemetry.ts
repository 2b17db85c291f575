import type { FastifyRequest } from 'fastify'
import type { RequestKind } from '../metrics.ts'
import { givingWay } from '../own-work.ts'
import { requestTrace, spent } from '../request-trace.ts'
import type { App } from './fastify.ts'

const isTraceparent = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/

/** A caller's trace (W3C Trace Context), where it is one. It is logged and kept, and never goes upstream. */
export function traceparent(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header.length <= 256 && isTraceparent.test(header) ? header : undefined
}

/** Paths of probes and scrapes, which come every few seconds and say nothing by being answered. */
const probes: ReadonlySet<string> = new Set(['/livez', '/readyz', '/metrics'])

function kindOf({ method, routeOptions: { url = '', schema } }: FastifyRequest): RequestKind {
  if (schema?.operationId === 'sendMessage') return 'send'
  if (url.startsWith('/webhooks/')) return 'webhook'
  if (url.startsWith('/channels/:id/native')) return 'native'
  return method === 'GET' || method === 'HEAD' ? 'read' : 'write'
}

/** The channel that a request with a key was about. */
const channelOf = ({ channelId, caller, routeOptions: { url = '' }, params }: FastifyRequest): string | undefined =>
  channelId ?? (caller && url.startsWith('/channels/:id') ? (params as { id: string }).id : undefined)

const rounded = (ms = 0): number => Math.round(ms * 10) / 10

/** The path under which the outside reaches us, without a trailing slash: usually nothing. */
export const basePath = (publicUrl: string): string =>
  publicUrl === '' ? '' : new URL(publicUrl).pathname.replace(/\/$/, '')

/** Request id, timing headers, one log line and one observation an answer. Hooks by callback: a promise each would cost more than they do. */
export function telemetry(app: App): void {
  let closing = false
  const base = basePath(app.publicUrl)
  app.addHook('preClose', done => {
    closing = true
    done()
  })
  app.decorateRequest('timing')
  app.decorateRequest('span')
  app.decorateRequest('traceparent')
  app.addHook('onRequest', (request, reply, done) => {
    request.timing = { queue: 0, upstream: 0, open: [] }
    reply.header('x-request-id', request.id)
    const given = traceparent(request.headers.traceparent)
    const { url: route, schema } = request.routeOptions
    request.span = probes.has(route ?? '')
      ? undefined
      : app.tracing?.begin(
          'request',
          {
            requestId: request.id,
            operation: schema?.operationId ?? 'none',
            method: request.method,
            ...(route && { route })
          },
          { parent: given, kind: 'server' }
        )
    request.traceparent = request.span?.traceparent ?? given
    const ownWork = request.routeOptions.config.vital ? undefined : givingWay.begin()
    // Not onResponse: that is not called for a caller who went away.
    if (ownWork) reply.raw.once('close', ownWork.end)
    const begin = () => requestTrace.run({ requestId: request.id, timing: request.timing, ownWork }, done)
    if (request.span) request.span.run(begin)
    else begin()
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    const { queue, upstream } = request.timing ? spent(request.timing) : { queue: 0, upstream: 0 }
    const own = Math.max(reply.elapsedTime - queue - upstream, 0)
    reply.header(
      'server-timing',
      `queue;dur=${queue.toFixed(1)}, upstream;dur=${upstream.toFixed(1)}, own;dur=${own.toFixed(1)}`
    )
    // Behind a path of PUBLIC_URL an address of ours begins with it; what is stored does not hold it.
    const location = base === '' ? undefined : reply.getHeader('location')
    if (typeof location === 'string' && location.startsWith('/')) reply.header('location', base + location)
    // While closing, every answer ends its connection: without that a busy keep-alive connection held Fastify's close for
    // over a minute (docs/reliability.md decision 8).
    if (closing) reply.header('connection', 'close')
    done(null, payload)
  })
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none'
    if (request.caller) app.usage.called(request.caller)
    const ms = reply.elapsedTime
    const parts = request.timing && spent(request.timing)
    app.metrics.request({
      operation: request.routeOptions.schema?.operationId ?? 'none',
      kind: kindOf(request),
      status: reply.statusCode,
      total: ms,
      queue: parts?.queue ?? 0,
      upstream: parts?.upstream ?? 0,
      stream: String(reply.getHeader('content-type') ?? '').startsWith('text/event-stream')
    })
    const channel = channelOf(request)
    request.span?.end({
      httpStatus: reply.statusCode,
      ...(request.caller && { service: request.caller.service }),
      ...(request.messageId && { message: request.messageId }),
      ...(channel && { channel }),
      ...(reply.statusCode >= 500 && { code: String(reply.statusCode) })
    })
    if (!probes.has(route)) {
      request.log.info(
        {
          requestId: request.id,
          operation: request.routeOptions.schema?.operationId,
          method: request.method,
          route,
          status: reply.statusCode,
          ms: Math.round(ms * 10) / 10,
          queueMs: rounded(parts?.queue),
          upstreamMs: rounded(parts?.upstream),
          ...(request.messageId && { message: request.messageId }),
          channel,
          service: request.caller?.service,
          key: request.caller?.keyId,
          traceparent: request.traceparent
        },
        'answered'
      )
    }
    done()
  })
}
