import type { Readable } from 'node:stream'

/** A file on local disk that goes out as one part of a multipart body. */
export interface OutboundFile {
  path: string
  /** In bytes; it becomes the part's share of Content-Length. */
  size: number
  mimeType: string
  filename: string
}

export type MultipartPart = { name: string; value: string } | { name: string; file: OutboundFile }

/** One call in the provider's own words, still without host, credentials or connection. */
export interface NativeRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Path segments after the app, unencoded: the client encodes each and refuses `.`, `..` and the empty one. */
  path: readonly string[]
  /** Members that are undefined are left out. */
  query?: Readonly<Record<string, string | number | boolean | undefined>>
  body?:
    | { readonly json: unknown }
    | { readonly form: Readonly<Record<string, string>> }
    | { readonly multipart: readonly MultipartPart[] }
}

/** A complete answer with a 2xx status and a readable JSON body. */
export interface NativeAnswer {
  status: number
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** Parsed JSON: never undefined, but of any shape. */
  body: unknown
}

/** An answer with a 2xx status whose body is still coming. */
export interface NativeStream {
  status: number
  headers: NativeAnswer['headers']
  /** Ends with an error where the body breaks off or stands still. Whoever takes it reads it to its end, or destroys it. */
  body: Readable
}

export type FailureKind =
  /** It cannot be written at all, e.g. a path segment `..` or a file that is gone: a defect of ours, nothing left. */
  | 'unsendable'
  /** No complete answer: refused, reset, timed out. `started` says whether the request may have left. */
  | 'transport'
  /** A complete answer with a status other than 2xx. */
  | 'status'
  /** A 2xx that cannot be read: empty, HTML, broken JSON, or none of the fields that prove success. */
  | 'unreadable'
  /** A 2xx whose body says that the provider refused. */
  | 'refused'

export interface FailureFacts {
  kind: FailureKind
  /** False only when not a byte of the request can have been written. */
  started: boolean
  status?: number
  headers?: Readonly<Record<string, string | string[] | undefined>>
  /** The parsed JSON body where there was one. */
  body?: unknown
  /** Code of a transport fault, e.g. ECONNRESET or TimeoutError. */
  cause?: string
}

/** A call that did not end well. It carries facts only: never a header of the request, never the URL. */
export class UpstreamFailure extends Error implements FailureFacts {
  readonly kind: FailureKind
  readonly started: boolean
  readonly status?: number
  readonly headers?: FailureFacts['headers']
  readonly body?: unknown
  override readonly cause?: string

  constructor(message: string, facts: FailureFacts) {
    super(message)
    this.name = 'UpstreamFailure'
    this.kind = facts.kind
    this.started = facts.started
    this.status = facts.status
    this.headers = facts.headers
    this.body = facts.body
    this.cause = facts.cause
  }
}
