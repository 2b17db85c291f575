import type { App } from '../fastify.ts'

const isTraceparent = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/

/** A caller's trace (W3C Trace Context), where it is one. It is logged and kept, and never goes upstream. */
export function traceparent(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header.length <= 256 && isTraceparent.test(header) ? header : undefined
}

/** Request id, timing headers, one log line and one observation an answer. */
export function telemetry(app: App): void {
  app.decorateRequest('timing')
  app.addHook('onRequest', async (request, reply) => {
    request.timing = { queue: 0, upstream: 0 }
    reply.header('x-request-id', request.id)
  })
  app.addHook('onSend', async (request, reply) => {
    const { queue, upstream } = request.timing ?? { queue: 0, upstream: 0 }
    const own = Math.max(reply.elapsedTime - queue - upstream, 0)
    reply.header(
      'server-timing',
      `queue;dur=${queue.toFixed(1)}, upstream;dur=${upstream.toFixed(1)}, own;dur=${own.toFixed(1)}`
    )
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    const ms = reply.elapsedTime
    app.metrics.request(route, request.method, reply.statusCode, ms)
    // Probes come every few seconds and say nothing by being answered.
    if (route === '/livez' || route === '/readyz' || route === '/metrics') return
    const trace = traceparent(request.headers.traceparent)
    request.log.info(
      {
        operation: request.routeOptions.schema?.operationId,
        method: request.method,
        route,
        status: reply.statusCode,
        ms: Math.round(ms * 10) / 10,
        upstreamMs: request.timing?.upstream,
        service: request.caller?.service,
        key: request.caller?.keyId,
        ...(trace && { traceparent: trace })
      },
      'answered'
    )
  })
}
