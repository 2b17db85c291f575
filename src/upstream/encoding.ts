import { type Readable, Transform, type TransformCallback } from 'node:stream'
import {
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
  gunzipSync,
  inflateSync,
  zstdDecompressSync
} from 'node:zlib'

// We ask every server for its bytes as they are. Some compress all the same: a cache in between, a setting for all files.

const codings = {
  gzip: { whole: gunzipSync, stream: createGunzip },
  'x-gzip': { whole: gunzipSync, stream: createGunzip },
  deflate: { whole: inflateSync, stream: createInflate },
  br: { whole: brotliDecompressSync, stream: createBrotliDecompress },
  zstd: { whole: zstdDecompressSync, stream: createZstdDecompress }
} as const

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** The one coding that an answer names, if it can be undone. */
function codingOf(headers: Headers): (typeof codings)[keyof typeof codings] | undefined {
  const named = String(headers['content-encoding'] ?? '')
    .trim()
    .toLowerCase()
  return Object.hasOwn(codings, named) ? codings[named as keyof typeof codings] : undefined
}

/** A whole body as it was before it was compressed; undefined where it is broken, or longer than `most` bytes then. */
export function decoded(body: Buffer, headers: Headers, most: number): Buffer | undefined {
  const coding = codingOf(headers)
  if (!coding || body.length === 0) return body
  try {
    return coding.whole(body, { maxOutputLength: most })
  } catch {
    // An answer that cannot be read, like one that is not JSON.
    return undefined
  }
}

/** The body of an answer that is larger than it may be once it is decoded. */
export class TooLongError extends Error {
  readonly code = 'DECODED_TOO_LONG'
}

/**
 * A body on its way as it was before it was compressed, and the headers that are true of it then. It ends with an error
 * where it is broken, or longer than `most` bytes; `inOurWords` says which.
 */
export function decodedStream<H extends Headers>(
  body: Readable,
  headers: H,
  most: number,
  inOurWords: (error: Error) => Error = error => error
): { body: Readable; headers: H } {
  const coding = codingOf(headers)
  if (!coding) return { body, headers }
  let size = 0
  const limit = new Transform({
    transform(chunk: Buffer, _, done: TransformCallback) {
      size += chunk.length
      if (size > most) done(inOurWords(new TooLongError(`a body has more than ${most} bytes once it is decoded`)))
      else done(null, chunk)
    }
  })
  const decoder = coding.stream()
  // Not by pipeline(): who goes away early must not turn into an error of the other end.
  body.on('error', error => decoder.destroy(error))
  decoder.on('error', error => limit.destroy(inOurWords(error)))
  limit.on('error', () => {})
  limit.on('close', () => {
    decoder.destroy()
    body.destroy()
  })
  const { 'content-encoding': _coding, 'content-length': _length, ...rest } = headers
  return { body: body.pipe(decoder).pipe(limit), headers: rest as unknown as H }
}

/** The text of a JSON document, without the byte order mark that some servers put before it (RFC 8259 8.1). */
export const jsonText = (bytes: Buffer): string => {
  const text = bytes.toString()
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}
