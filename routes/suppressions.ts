import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { Type } from '@sinclair/typebox'
import { ref, strict } from '../schemas/kit.ts'
import {
  CreateSuppression,
  Suppression,
  SuppressionFilter,
  SuppressionImport,
  SuppressionPage,
  SuppressionTableFilter,
  SuppressionTarget
} from '../schemas/suppressions.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, idempotencyHeader, json, made, noBody, problems } from './answers.ts'
import { answerOnce } from './once.ts'
import { charsetOf, tableOf, tableTypes } from './tables.ts'

const tags = ['Suppressions']

export const suppressions: RoutePlugin = app => {
  // Of this file's routes alone.
  app.addContentTypeParser(tableTypes, { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  app.get('/suppressions', {
    config: { scope: 'suppressions:read' },
    schema: {
      operationId: 'listSuppressions',
      tags,
      summary: 'Who must not be messaged, newest first',
      description: 'With a channel: those of it, and those of every channel.',
      querystring: SuppressionFilter,
      response: { 200: json(SuppressionPage, 'One page.'), ...problems(...guarded) }
    },
    handler: request => app.suppressions.list(request.caller, request.query)
  })

  app.post('/suppressions', {
    config: { scope: 'suppressions:write', stops: true },
    schema: {
      operationId: 'createSuppression',
      tags,
      summary: 'Keep somebody from being messaged',
      description:
        'From the answer on, a message to this person, under any number or id that is known of the person, is a 409 `recipient_suppressed`; one that waits ends as failed with that code, and broadcasts leave the person out.',
      headers: Type.Object(idempotencyHeader),
      querystring: strict({}),
      body: ref(CreateSuppression),
      response: {
        201: json(Suppression, 'It holds, now or as it stood there.', made),
        ...problems(...guarded, 404, 409, 413, 415, 422)
      }
    },
    handler: (request, reply) =>
      answerOnce(request, reply, async () => {
        const object = await app.suppressions.add(request.caller, request.body)
        return { object, location: '/suppressions' }
      })
  })

  app.delete('/suppressions', {
    config: { scope: 'suppressions:write' },
    schema: {
      operationId: 'deleteSuppressions',
      tags,
      summary: 'Let somebody be messaged again',
      description:
        'Under whatever number or id it was kept, and by whomever; without a channel or category, all of the person.',
      querystring: SuppressionTarget,
      response: { 204: noBody('They are gone.'), ...problems(...guarded, 404, 413, 415) }
    },
    handler: async (request, reply) => {
      await app.suppressions.remove(request.caller, request.query)
      return reply.code(204).send()
    }
  })

  app.get('/suppressions.csv', {
    config: { scope: 'suppressions:read' },
    schema: {
      operationId: 'exportSuppressions',
      tags,
      summary: 'Who must not be messaged, as CSV',
      description: 'As an import takes it: phone, channel, category, reason; and source, createdAt.',
      querystring: SuppressionTableFilter,
      response: {
        200: {
          description: 'The table.',
          content: { 'text/csv': { schema: Type.Unsafe<Readable>({ type: 'string' }) } }
        },
        ...problems(...guarded)
      }
    },
    handler: async (request, reply) => {
      const csv = app.suppressionTable.export(request.caller, request.query)
      reply.header('content-type', 'text/csv; charset=utf-8; header=present')
      reply.header('content-disposition', 'attachment; filename="suppressions.csv"')
      return reply.send(csv)
    }
  })

  app.post('/suppressions.csv', {
    bodyLimit: 8 * 1024 * 1024,
    config: { scope: 'suppressions:write', stops: true, upload: true },
    schema: {
      operationId: 'importSuppressions',
      tags,
      summary: 'Keep everybody of a table from being messaged',
      description:
        'A table as contacts are imported from, of at most 10,000 rows: a column phone (a number or a user id), perhaps channel, category and reason. An empty channel or category is that of the query, else every channel and all.',
      querystring: SuppressionTableFilter,
      headers: Type.Object(idempotencyHeader),
      response: {
        200: json(SuppressionImport, 'All rows are taken.', made),
        ...problems(...guarded, 404, 409, 413, 415, 422)
      }
    },
    handler: (request, reply) => {
      const table = tableOf(request)
      const known = { ...request.query, sha256: createHash('sha256').update(table).digest('hex') }
      const asked = [request.caller, request.query, table, charsetOf(request)] as const
      const act = async () => {
        const object = await app.suppressionTable.import(...asked)
        return { object, location: '/suppressions', status: 200 as const }
      }
      return answerOnce(request, reply, act, known, { again: () => app.suppressionTable.requireRights(...asked) })
    }
  })
}
