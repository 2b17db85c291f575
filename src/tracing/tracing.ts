// What a trace consists of here, and how the rooms make it. The SDK that ships it stands in otlp.ts, which is loaded only
// where somebody set a collector; without one there is no Tracing, and nothing of this runs.

/** request: an answer to a caller. journal: a commit. attempt: a message handed over; call: any other call. provider: what went over the wire. webhook: what was told of a message. */
export type SpanName = 'request' | 'journal' | 'attempt' | 'call' | 'provider' | 'webhook'

/** All that a span may tell: names, ids of ours and codes; no number, no key, no content (docs/reliability.md P42). */
export interface Facts {
  requestId?: string
  operation?: string
  method?: string
  route?: string
  httpStatus?: number
  service?: string
  channel?: string
  provider?: string
  mode?: string
  message?: string
  broadcast?: string
  attempt?: number
  state?: string
  /** The code of what went wrong. */
  code?: string
}

export interface OpenSpan {
  /** As W3C Trace Context writes it: what is stored, so that later work belongs to it. */
  readonly traceparent: string
  /** Runs work whose own spans belong to this one. */
  run: <T>(work: () => T) => T
  /** Ends it; facts with a code mark it as failed. */
  end: (facts?: Facts) => void
}

export interface SpanOptions {
  /** A stored traceparent that it belongs to; by default it belongs to what is under way. */
  parent?: string | null | undefined
  kind?: 'server' | 'client' | 'consumer'
}

export interface Tracing {
  begin: (name: SpanName, facts: Facts, options?: SpanOptions) => OpenSpan
  /** Whether something is under way that a span of this work would belong to. */
  inside: () => boolean
  /** Spans that nobody will see: the collector did not take them, or they were too many. */
  lost: () => number
  /** Ships what is left, for a second at most. */
  close: () => Promise<void>
}

/** Runs work as a span. */
export async function spanned<T>(
  span: OpenSpan,
  work: () => Promise<T>,
  codeOf: (error: unknown) => string
): Promise<T> {
  try {
    const value = await span.run(work)
    span.end()
    return value
  } catch (error) {
    span.end({ code: codeOf(error) })
    throw error
  }
}
