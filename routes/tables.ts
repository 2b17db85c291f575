import type { FastifyRequest } from 'fastify'
import { ServiceError } from '../src/errors.ts'
import { requireCharset } from '../src/tables/charset.ts'

/** What people call such files; what one is, its bytes say. */
export const tableTypes = [
  'text/csv',
  'text/tab-separated-values',
  'application/csv',
  'application/vnd.ms-excel',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
]

/** The bytes of a request that is a table. */
export const tableOf = ({ body }: FastifyRequest): Buffer => {
  if (Buffer.isBuffer(body)) return body
  throw new ServiceError('unsupported_media_type', 'This route takes text/csv, or an .xlsx workbook.')
}

/** The encoding that the request's type names. */
export const charsetOf = ({ headers }: FastifyRequest): string | undefined => {
  const [, charset] = /;\s*charset="?([^\s";]{1,40})/i.exec(headers['content-type'] ?? '') ?? []
  return charset === undefined ? undefined : requireCharset(charset, 'header/Content-Type')
}
