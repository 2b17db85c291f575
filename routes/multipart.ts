import type { Multipart, MultipartFile } from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { invalid, ServiceError } from '../src/errors.ts'

export type Parts = AsyncIterableIterator<Multipart>

/** A form as far as it is read before its file comes, and the bytes of that, which must be its last part. */
export interface Upload {
  fields: Record<string, unknown>
  file: MultipartFile
  bytes: AsyncIterable<Uint8Array>
}

const longestField = 64 * 1024

/** What the parser throws at a body that breaks off or has no boundary carries no status: it is the caller's fault. */
export function unreadable(error: Error & { statusCode?: number; code?: string }): never {
  if (error.code === 'FST_INVALID_JSON_FIELD_ERROR')
    throw invalid('/', 'has a part that is typed application/json and is no JSON')
  const told = error instanceof ServiceError || error.statusCode !== undefined
  throw told ? error : invalid('/', 'is not a whole multipart body')
}

/** The bytes of the file, which must be the last part: nothing that stands behind it is left unread. */
async function* bytesOf(file: MultipartFile, parts: Parts): AsyncIterable<Uint8Array> {
  let behind: IteratorResult<Multipart, unknown>
  try {
    yield* file.file
    behind = await parts.next()
  } catch (error) {
    unreadable(error as Error)
  }
  if (!behind.done)
    throw invalid(
      `/${behind.value.fieldname}`,
      'must not stand behind the file: a form is read as it comes, so put file last'
    )
}

const isJson = (type: string): boolean => /^application\/(?:[\w.+-]+\+)?json\b/i.test(type)

/** The text of a part that is a file by its form and a field by its sense, as browsers send a Blob of JSON. */
async function textOf(part: MultipartFile): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of part.file as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > longestField) throw invalid(`/${part.fieldname}`, `must not have more than ${longestField} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

async function fieldOf(part: Multipart): Promise<unknown> {
  const value = part.type === 'file' ? await textOf(part).catch(unreadable) : part.value
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  if (text === undefined || text.includes('\0') || text.includes('\\u0000') || !text.isWellFormed())
    throw invalid(`/${part.fieldname}`, 'must be text in UTF-8, without NUL')
  if (part.type !== 'file') return value
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(`/${part.fieldname}`, 'must be JSON, as its Content-Type says')
  }
}

/**
 * Reads a form up to its file, which is the part named file. Fields are text, or JSON where their part says so
 * (Content-Type: application/json).
 * @param limit bytes of the file
 */
export async function uploadOf(request: FastifyRequest, limit?: number): Promise<Upload> {
  const fileSize = limit === undefined ? {} : { fileSize: limit }
  // A field that comes as a Blob counts as a file.
  const parts: Parts = request.parts({ limits: { files: 20, ...fileSize } })
  const fields: Record<string, unknown> = {}
  for (;;) {
    const { done, value: part } = (await parts.next().catch(unreadable)) as IteratorResult<Multipart, undefined>
    if (done) throw invalid('/file', 'is required: one part with a file name, named file, after the others')
    const name = part.fieldname
    if (part.type === 'file' && name === 'file') return { fields, file: part, bytes: bytesOf(part, parts) }
    if (name === 'file') throw invalid('/file', 'must be sent as a file, with a file name (curl: file=@people.csv)')
    if (part.type === 'file' && !isJson(part.mimetype))
      throw invalid(
        '/file',
        `is required: the part ${name.slice(0, 40)} is a file, and the one with the file must be named file`
      )
    if (Object.hasOwn(fields, name)) throw invalid(`/${name}`, 'must be given once')
    const value = await fieldOf(part)
    // A form in a browser cannot leave a field out: one that is empty was not filled in.
    if (value !== '') fields[name] = value
  }
}

/** Why a field that the form needs is not there yet, when its file has come. */
export const orderHint = 'and must stand before the file: a form is read as it comes'

/** Throws a fault of the fields with the hint that they may only have come too late. */
export function explainOrder(error: unknown): never {
  const [fault] = (error instanceof ServiceError && error.code === 'invalid_request' && error.facts.errors) || []
  throw fault ? invalid(fault.path, `${fault.message}, ${orderHint}`) : error
}
