import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { Type } from '@sinclair/typebox'
import { BookChannel, ContactChannel, ContactImport } from '../schemas/contacts.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, idempotencyHeader, json, made, problems } from './answers.ts'
import { answerOnce } from './once.ts'
import { charsetOf, tableOf, tableTypes } from './tables.ts'

const tags = ['Contacts']

export const contactsCsv: RoutePlugin = app => {
  // Of this file's routes alone.
  app.addContentTypeParser(tableTypes, { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  app.get('/contacts.csv', {
    config: { scope: 'contacts:read' },
    schema: {
      operationId: 'exportContacts',
      tags,
      summary: 'All contacts of a channel as CSV',
      description:
        "RFC 4180, UTF-8 with a byte order mark: phone, name, and a column for each attribute. A cell that a spreadsheet would run as a formula has a ' before it, which an import takes off again.",
      querystring: ContactChannel,
      response: {
        200: {
          description: 'The table.',
          content: { 'text/csv': { schema: Type.Unsafe<Readable>({ type: 'string' }) } }
        },
        ...problems(...guarded, 404, 422, 429, 502)
      }
    },
    handler: async (request, reply) => {
      const { csv, channel } = await app.contactTable.export(request.caller, request.query.channel)
      reply.header('content-type', 'text/csv; charset=utf-8; header=present')
      reply.header('content-disposition', `attachment; filename="contacts-${channel}.csv"`)
      return reply.send(csv)
    }
  })

  app.post('/contacts.csv', {
    bodyLimit: 8 * 1024 * 1024,
    config: { scope: 'contacts:write', upload: true },
    schema: {
      operationId: 'importContacts',
      tags,
      summary: 'Make or change a contact for each row of a table',
      description:
        'CSV separated by commas, semicolons or tabs (RFC 4180), or an .xlsx workbook, with a header row: a column phone, perhaps a column name; the others are attributes. UTF-8, or UTF-16 with its mark; any other encoding is named in the type: text/csv; charset=windows-1252. An empty cell changes nothing. At most 10,000 rows. Every row is checked before any is taken: a fault names its row and column.',
      querystring: BookChannel,
      headers: Type.Object(idempotencyHeader),
      response: {
        200: json(ContactImport, 'All rows are taken.', made),
        ...problems(...guarded, 404, 409, 413, 415, 422)
      }
    },
    handler: (request, reply) => {
      const table = tableOf(request)
      const known = { ...request.query, sha256: createHash('sha256').update(table).digest('hex') }
      const charset = charsetOf(request)
      const asked = [request.caller, request.query.channel, table, charset] as const
      const act = async () => {
        const object = await app.contactTable.import(...asked)
        return { object, location: '/contacts', status: 200 as const }
      }
      return answerOnce(request, reply, act, known, { again: () => app.contactTable.requireRights(...asked) })
    }
  })
}
