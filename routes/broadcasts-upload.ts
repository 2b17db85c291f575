import type { FastifyRequest } from 'fastify'
import { type BroadcastForm, BroadcastUpload, type CreateBroadcast } from '../schemas/broadcasts.ts'
import type { Source } from '../src/broadcasts/rows.ts'
import { invalid, ServiceError } from '../src/errors.ts'
import { requireCharset } from '../src/tables/charset.ts'
import { orderHint, uploadOf } from './multipart.ts'

const largestTable = 32 * 1024 * 1024

interface Charset {
  charset?: string
}

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

/** A field in the type that the same member has in JSON; a form has text alone, unless a part says otherwise. */
function memberOf(name: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  if (name === 'ratePerSecond' && /^\d{1,9}$/.test(value)) return Number(value)
  if (name !== 'template' && name !== 'window') return value
  try {
    return JSON.parse(value)
  } catch {
    throw invalid(`/${name}`, 'must be JSON')
  }
}

/** Throws the 400 that the same members in JSON would get. */
function requireForm(request: FastifyRequest, form: unknown): asserts form is BroadcastForm & Charset {
  const missing = ['name', 'template'].filter(name => (form as Record<string, unknown>)[name] === undefined)
  if (missing.length > 0)
    throw new ServiceError('invalid_request', `${missing.join(' and ')}: required, ${orderHint}.`, {
      errors: missing.map(name => ({ path: `/${name}`, message: `is required, ${orderHint}` }))
    })
  const check = request.compileValidationSchema(BroadcastUpload as object, 'body')
  if (check(form)) return
  throw Object.assign(new Error('the form is not valid'), { validation: check.errors, validationContext: 'body' })
}

async function uploaded(request: FastifyRequest): Promise<Order> {
  const { fields, bytes } = await uploadOf(request, largestTable)
  const members = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, memberOf(name, value)]))
  requireForm(request, members)
  const { charset, ...form } = members
  if (charset !== undefined) requireCharset(charset, '/charset')
  const { path, sha256, remove } = await request.server.media.receive(bytes, {})
  return { form, source: { file: path, charset }, known: { ...members, sha256 }, remove }
}
