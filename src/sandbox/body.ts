import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Body, Part } from './call.ts'

/** Only small files keep their bytes: those that may be asked for again, and tables that must be read. */
const KEPT = 4 * 1024 * 1024

const JSON_TYPES = /^(application|text)\/([\w.-]+\+)?json(-patch\+json)?$/

/** Reads a body by its content type, and notes what is wrong with it instead of failing. */
export async function readBody(request: FastifyRequest): Promise<Body> {
  const contentType = request.headers['content-type'] ?? ''
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase()
  if (type === 'multipart/form-data') return readMultipart(request)
  const raw = request.body
  if (!Buffer.isBuffer(raw) || raw.length === 0) return { kind: 'none' }
  if (JSON_TYPES.test(type)) return readJson(raw)
  if (type === 'application/x-www-form-urlencoded') return readForm(raw)
  return { kind: 'other', contentType: type, size: raw.length }
}

function readJson(raw: Buffer): Body {
  try {
    return { kind: 'json', value: JSON.parse(raw.toString('utf8')) }
  } catch {
    return { kind: 'broken', why: 'the body is not JSON' }
  }
}

function readForm(raw: Buffer): Body {
  const fields = [...new URLSearchParams(raw.toString('utf8'))]
  const value = Object.fromEntries(fields)
  if (Object.keys(value).length < fields.length) return { kind: 'broken', why: 'a form field is given twice' }
  return { kind: 'form', value }
}

async function readMultipart(request: FastifyRequest): Promise<Body> {
  const parts: Part[] = []
  try {
    for await (const part of request.parts()) {
      parts.push(
        part.type === 'file'
          ? { name: part.fieldname, filename: part.filename, contentType: part.mimetype, ...(await digest(part.file)) }
          : textPart(part.fieldname, part.mimetype, String(part.value))
      )
    }
  } catch (error) {
    return { kind: 'broken', why: `the multipart body cannot be read: ${error instanceof Error ? error.message : ''}` }
  }
  return { kind: 'multipart', parts }
}

function textPart(name: string, contentType: string, value: string): Part {
  const sha256 = createHash('sha256').update(value).digest('hex')
  return { name, contentType, size: Buffer.byteLength(value), sha256, value }
}

/** Size and hash of a stream, and its bytes if they are few. */
async function digest(stream: AsyncIterable<Buffer>): Promise<Pick<Part, 'size' | 'sha256' | 'bytes'>> {
  const hash = createHash('sha256')
  let chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    hash.update(chunk)
    size += chunk.length
    if (size <= KEPT) chunks.push(chunk)
    else chunks = []
  }
  return { size, sha256: hash.digest('hex'), ...(size <= KEPT ? { bytes: Buffer.concat(chunks) } : {}) }
}

/** What the ledger keeps of a body: never the bytes of a file. */
export function ledgerBody(body: Body): unknown {
  switch (body.kind) {
    case 'json':
    case 'form':
      return body.value
    case 'multipart':
      return body.parts.map(({ bytes: _, ...part }) => part)
    case 'other':
      return { contentType: body.contentType, size: body.size }
    case 'broken':
      return { broken: body.why }
    default:
      return null
  }
}
