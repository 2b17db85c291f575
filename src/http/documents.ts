import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** A page or a file that is the same for everybody: made once, and compressed once (P49). */
export interface Document {
  type: string
  body: Uint8Array
  gzip: Uint8Array
  /** Of the content, whichever way it is encoded: so it is a weak one. */
  etag: string
  /** Content-Security-Policy. */
  policy?: string | undefined
}

const compress = promisify(gzip)

export async function makeDocument(type: string, content: string | Uint8Array, policy?: string): Promise<Document> {
  const body = Buffer.from(content)
  const etag = `W/"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`
  return { type, body, gzip: await compress(body), etag, policy }
}

/** Whether a list of entity tags names this one (RFC 9110 13.1.2, the weak comparison). */
function names(list: string | undefined, etag: string): boolean {
  if (list === undefined) return false
  const strong = etag.slice(2)
  return list.split(',').some(item => item.trim() === '*' || item.trim().replace(/^W\//, '') === strong)
}

/** Whether gzip is taken; what cannot be read takes nothing. */
const takesGzip = (header = ''): boolean =>
  header.split(',').some(item => {
    const [coding, ...parameters] = item.split(';').map(part => part.trim().toLowerCase())
    return (coding === 'gzip' || coding === '*') && !parameters.some(each => /^q=0(\.0*)?$/.test(each))
  })

/** Answers with a document, compressed where the caller takes it, or with 304 where he has it. */
export function sendDocument(request: FastifyRequest, reply: FastifyReply, document: Document): FastifyReply {
  const { type, body, gzip: small, etag, policy } = document
  // Asked for again each time, so that nobody reads yesterday's; the answer is then mostly a 304.
  reply.headers({ 'cache-control': 'no-cache', vary: 'accept-encoding', etag })
  if (policy !== undefined) reply.header('content-security-policy', policy)
  if (names(request.headers['if-none-match'], etag)) return reply.code(304).send()
  reply.type(type)
  return takesGzip(request.headers['accept-encoding'] as string | undefined)
    ? reply.header('content-encoding', 'gzip').send(small)
    : reply.send(body)
}
