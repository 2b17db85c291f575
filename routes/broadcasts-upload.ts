import type { Multipart } from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { BroadcastForm, type CreateBroadcast } from '../schemas/broadcasts.ts'
import type { Source } from '../src/broadcasts/rows.ts'
import { invalid } from '../src/errors.ts'
import { bytesOf, type Parts, unreadable } from './multipart.ts'

const largestTable = 32 * 1024 * 1024

/** What a POST asks for, whichever way it came. */
export interface Order {
  form: BroadcastForm
  source: Source
  /** What the request is known by: its fields, and a digest of what is long. */
  known: Record<string, unknown>
  /** Deletes what was spooled. */
  remove: () => Promise<void>
}

export async function orderOf(request: FastifyRequest): Promise<Order> {
  if (request.isMultipart()) return uploaded(request)
  // Without a body there is no content type, and so no schema that it would have been held against.
  if (!request.body) throw invalid('/', 'must be JSON, or a form with a file')
  const { recipients, ...form } = request.body as CreateBroadcast
  const digest = await request.server.broadcasts.digest(recipients)
  return { form, source: { recipients }, known: { ...form, recipients: digest }, remove: async () => {} }
}

/** Text as it stands in a form, in the type that the same member has in JSON. */
function fieldOf(name: string, text: unknown): unknown {
  if (typeof text !== 'string' || text.includes('\0') || !text.isWellFormed())
    throw invalid(`/${name}`, 'must be text in UTF-8, without NUL')
  if (name === 'ratePerSecond' && /^\d{1,9}$/.test(text)) return Number(text)
  if (name !== 'template') return text
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('/template', 'must be JSON')
  }
}

/** Throws the 400 that the same members in JSON would get. */
function requireForm(request: FastifyRequest, form: unknown): asserts form is BroadcastForm {
  const check = request.compileValidationSchema(BroadcastForm as object, 'body')
  if (check(form)) return
  throw Object.assign(new Error('the form is not valid'), { validation: check.errors, validationContext: 'body' })
}

async function uploaded(request: FastifyRequest): Promise<Order> {
  const parts: Parts = request.parts({ limits: { fileSize: largestTable } })
  const form: Record<string, unknown> = {}
  for (;;) {
    const { done, value: part } = (await parts.next().catch(unreadable)) as IteratorResult<Multipart, undefined>
    const named = part?.fieldname === 'file'
    if (done || (part.type === 'file') !== named)
      throw invalid('/file', 'is required: one part with a file name, named file, after the others')
    if (part.type === 'file') {
      requireForm(request, form)
      const { path, sha256, remove } = await request.server.media.receive(bytesOf(part, parts), {})
      return { form, source: { file: path }, known: { ...form, sha256 }, remove }
    }
    if (Object.hasOwn(form, part.fieldname)) throw invalid(`/${part.fieldname}`, 'must be given once')
    form[part.fieldname] = fieldOf(part.fieldname, part.value)
  }
}
