import { Readable } from 'node:stream'
import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { strict } from '../schemas/kit.ts'
import { Media, MediaParams } from '../schemas/media.ts'
import { invalid } from '../src/errors.ts'
import type { RoutePlugin } from '../src/http/fastify.ts'
import { guarded, idempotencyHeader, json, made, noBody, problems } from './answers.ts'
import { explainOrder, type Upload, uploadOf } from './multipart.ts'
import { answerOnce } from './once.ts'

const tags = ['Media']

/** The file part of an upload, and the channel that stands before it. */
async function upload(request: FastifyRequest): Promise<Upload & { channel: string | undefined }> {
  if (!request.isMultipart()) throw invalid('header/Content-Type', 'must be multipart/form-data')
  const form = await uploadOf(request)
  const { channel, ...others } = form.fields
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw invalid(`/${unknown}`, 'is not a field of this request')
  if (channel !== undefined && (typeof channel !== 'string' || !/^[a-z0-9][a-z0-9_-]{0,62}$/.test(channel)))
    throw invalid('/channel', 'is not a channel id')
  return { ...form, channel }
}

/** RFC 6266 with a name that cannot break out of the header. */
const disposition = (filename: string | null): string =>
  filename === null
    ? 'attachment'
    : `attachment; filename*=UTF-8''${encodeURIComponent(filename).replace(/['()*]/g, c => `%${c.charCodeAt(0).toString(16)}`)}`

const octets = { 'application/octet-stream': { schema: Type.Unsafe<Readable>({ type: 'string', format: 'binary' }) } }
const wholeHeaders = {
  'Accept-Ranges': Type.Optional(Type.String({ description: 'bytes, where ranges can be asked for.' })),
  ETag: Type.Optional(Type.String({ description: 'For If-Range.' }))
}
const partHeaders = { ...wholeHeaders, 'Content-Range': Type.String({ examples: ['bytes 0-1023/146515'] }) }

export const media: RoutePlugin = app => {
  app.post('/media', {
    bodyLimit: 101 * 1024 * 1024,
    config: { scope: 'media:write', upload: true },
    schema: {
      operationId: 'uploadMedia',
      tags,
      summary: 'Upload a file to send',
      consumes: ['multipart/form-data'],
      headers: Type.Object(idempotencyHeader),
      querystring: strict({}),
      description:
        'A form is read as it comes, so the field channel stands before the part file. The type is read from the bytes, not believed. Given to the provider where it keeps files, else kept here until it expires.',
      response: {
        201: json(Media, 'The file, by the id that messages name it by.', made),
        ...problems(...guarded, 404, 409, 413, 415, 422, 429, 502, 504)
      }
    },
    handler: async (request, reply) => {
      const { file, bytes, channel } = await upload(request)
      const bound = await app.channels.resolve(request.caller, channel).catch(explainOrder)
      const received = await app.media.receive(bytes, { filename: file.filename, type: file.mimetype })
      const act = async () => {
        const stored = await app.media.upload(request.caller, bound, received)
        return { object: stored, location: `/media/${stored.id}` }
      }
      const known = { channel: bound.id, sha256: received.sha256, filename: received.filename ?? null }
      return answerOnce(request, reply, act, known).finally(received.remove)
    }
  })

  app.get('/media/:id', {
    config: { scope: 'media:read' },
    schema: {
      operationId: 'getMedia',
      tags,
      summary: 'What is known of a file',
      params: MediaParams,
      querystring: strict({}),
      response: { 200: json(Media, 'The file.'), ...problems(...guarded, 404) }
    },
    handler: request => app.media.get(request.caller, request.params.id)
  })

  app.get('/media/:id/content', {
    config: { scope: 'media:read' },
    schema: {
      operationId: 'getMediaContent',
      tags,
      summary: 'The bytes of a file, where they are held here or can be fetched',
      description:
        'Where the bytes are held here (Accept-Ranges: bytes) one range of them can be asked for. Several ranges, or one that lies outside, are answered by all of it.',
      params: MediaParams,
      querystring: strict({}),
      headers: Type.Object({
        Range: Type.Optional(Type.String({ examples: ['bytes=0-1023'], description: 'One range of bytes.' })),
        'If-Range': Type.Optional(
          Type.String({ description: 'The ETag of the first answer: of anything else all of it is sent.' })
        )
      }),
      response: {
        200: { description: 'The bytes.', headers: wholeHeaders, content: octets },
        206: { description: 'The bytes of the range.', headers: partHeaders, content: octets },
        ...problems(...guarded, 404, 422, 429, 502)
      }
    },
    handler: async (request, reply) => {
      const { range: asked, 'if-range': onlyOf } = request.raw.headers
      const wanted = asked === undefined ? undefined : { range: asked, onlyOf: onlyOf as string | undefined }
      const { media: file, bytes, kept, range } = await app.media.content(request.caller, request.params.id, wanted)
      if (range) reply.code(206).header('content-range', `bytes ${range.from}-${range.to}/${file.size}`)
      const size = range ? range.to - range.from + 1 : file.size
      reply.headers({
        'content-type': file.mimeType,
        ...(size !== null && { 'content-length': size }),
        ...(kept && { 'accept-ranges': 'bytes', etag: `"${file.sha256}"` }),
        'content-disposition': disposition(file.filename)
      })
      return reply.send(bytes instanceof Readable ? bytes : Readable.from(bytes, { objectMode: false }))
    }
  })

  app.delete('/media/:id', {
    config: { scope: 'media:write' },
    schema: {
      operationId: 'deleteMedia',
      tags,
      summary: 'Delete a file, at the provider too',
      params: MediaParams,
      querystring: strict({}),
      response: { 204: noBody('Deleted.'), ...problems(...guarded, 404, 413, 415, 422, 429, 502, 504) }
    },
    handler: async (request, reply) => {
      await app.media.remove(request.caller, request.params.id, id => app.channels.bind(id, request.caller.mode))
      return reply.code(204).send()
    }
  })
}
