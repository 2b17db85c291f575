import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A span as OTLP's JSON has it. */
export interface CollectedSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  status: { code?: number }
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[]
}

export interface Collector {
  url: string
  spans: () => CollectedSpan[]
  /** Everything that came, as it came. */
  raw: () => string
  headers: () => IncomingHttpHeaders[]
}

/** A collector that speaks OTLP over HTTP, or takes connections and never answers. */
export async function collect(t: Test, { silent = false } = {}): Promise<Collector> {
  const bodies: string[] = []
  const headers: IncomingHttpHeaders[] = []
  const server = createServer(async (request, response) => {
    if (silent) return
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    headers.push(request.headers)
    const right = request.method === 'POST' && request.url === '/v1/traces'
    if (right) bodies.push(Buffer.concat(chunks).toString())
    response.writeHead(right ? 200 : 404, { 'content-type': 'application/json' }).end('{"partialSuccess":{}}')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  interface Export {
    resourceSpans: { scopeSpans: { spans: CollectedSpan[] }[] }[]
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () =>
      bodies.flatMap(body =>
        (JSON.parse(body) as Export).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(scope => scope.spans))
      ),
    raw: () => bodies.join('\n'),
    headers: () => headers
  }
}

/** An attribute by its name. */
export const fact = (span: CollectedSpan, key: string): string | number | undefined => {
  const value = span.attributes.find(each => each.key === key)?.value
  return value?.stringValue ?? value?.intValue
}
