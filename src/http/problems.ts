import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { BroadcastParams } from '../../schemas/broadcasts.ts'
import { ConnectionId } from '../../schemas/channels.ts'
import { ChannelId, InstantInput } from '../../schemas/common.ts'
import { messageTypes } from '../../schemas/content.ts'
import { MediaParams } from '../../schemas/media.ts'
import { MessageParams } from '../../schemas/messages.ts'
import type { FieldFault } from '../../schemas/problem.ts'
import { ServiceError, toProblem } from '../errors.ts'
import { StoreUnavailable } from '../store/store.ts'
import type { App } from './fastify.ts'
import { basePath } from './telemetry.ts'

type AjvFault = { instancePath: string; keyword: string; params: Record<string, unknown>; message?: string }
const places: Record<string, string> = { body: '', querystring: 'query', params: 'path', headers: 'header' }

/** Ajv's faults in words that name the field and the rule. */
function faultsOf(error: FastifyError): FieldFault[] {
  const place = places[error.validationContext ?? 'body'] ?? ''
  const seen = new Set<string>()
  return (error.validation as AjvFault[]).flatMap(({ instancePath, keyword, params, message }) => {
    if (keyword === 'more') return []
    const member = (params.missingProperty ??
      params.additionalProperty ??
      (keyword === 'discriminator' ? params.tag : undefined)) as string | undefined
    const pointer = member?.replaceAll('~', '~0').replaceAll('/', '~1')
    const path = `${place}${instancePath}${pointer === undefined ? '' : `/${pointer}`}` || '/'
    const fault = { path, message: wording(keyword, params, message) }
    const key = `${fault.path} ${fault.message}`
    if (seen.has(key)) return []
    seen.add(key)
    return [fault]
  })
}

/** The forms that callers meet most, in words; the rest is told as the pattern that it is. */
const forms = new Map(
  (
    [
      [{ pattern: '\\S' }, 'must not be blank'],
      [ChannelId, 'must be a channel id: lower-case letters, digits, - and _'],
      [InstantInput, 'must be an instant as in 2026-11-20T09:30:00Z'],
      [ConnectionId, "must be Maton's id of a connection: letters, digits, - and _"],
      [BroadcastParams.properties.id, 'must be the id of a broadcast, brd_ and 32 hexadecimal digits'],
      [MessageParams.properties.id, 'must be the id of a message, msg_ and 32 hexadecimal digits'],
      [MediaParams.properties.id, 'must be the id of a file, med_ and 32 hexadecimal digits']
    ] as const
  ).map(([schema, words]) => [(schema as { pattern?: string }).pattern, words])
)

function wording(keyword: string, params: Record<string, unknown>, message = 'is not valid'): string {
  if (keyword === 'additionalProperties') return 'is not a field of this request'
  if (keyword === 'required') return 'is required'
  if (keyword === 'enum') return `must be one of ${(params.allowedValues as unknown[]).join(', ')}`
  if (keyword === 'discriminator') return `must be one of ${messageTypes.join(', ')}`
  if (keyword === 'pattern') return forms.get(params.pattern as string) ?? `must have the form ${params.pattern}`
  if (keyword === 'oneOf') return 'must have exactly one of its alternatives (for a file: mediaId or link)'
  return message
}

/** Fastify's own errors, by code; the rest by status. */
const byCode: Record<string, (error: FastifyError) => ServiceError> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => new ServiceError('payload_too_large', 'The body is larger than this route takes.'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new ServiceError('unsupported_media_type', 'This route takes application/json (files: multipart/form-data).'),
  FST_ERR_CTP_EMPTY_JSON_BODY: () =>
    new ServiceError('invalid_request', 'The body is empty; it must be JSON.', {
      errors: [{ path: '/', message: 'must be JSON' }]
    }),
  // Its own words repeat the path.
  FST_ERR_BAD_URL: () =>
    new ServiceError('invalid_request', 'The path is not in percent-encoding.', {
      errors: [{ path: 'path', message: 'must be UTF-8 in percent-encoding' }]
    }),
  FST_REQ_FILE_TOO_LARGE: () => new ServiceError('payload_too_large', 'The file is larger than this route takes.')
}

/** Whatever was thrown, as an error of ours. What we do not know becomes `internal` without a word of its text. */
export function toServiceError(error: unknown, request: FastifyRequest): ServiceError {
  if (error instanceof ServiceError) return error
  if (error instanceof StoreUnavailable) {
    request.log.error({ requestId: request.id, err: { message: error.message } }, 'the store is not writable')
    return new ServiceError('overloaded', 'The store cannot be written just now. Nothing was sent.', {
      retryAfterSeconds: 2
    })
  }
  const fault = error as FastifyError
  if (fault.validation) {
    const errors = faultsOf(fault)
    const more = (fault.validation as AjvFault[]).find(({ keyword }) => keyword === 'more')
    const told = errors
      .map(each => `${each.path} ${each.message}`)
      .join('; ')
      .slice(0, 1000)
    return new ServiceError('invalid_request', more ? `${told}; and ${more.message}` : told, { errors })
  }
  const known = fault.code && byCode[fault.code]
  if (known) return known(fault)
  const status = fault.statusCode ?? 500
  if (status === 413) return new ServiceError('payload_too_large', 'The request is larger than this route takes.')
  if (status === 415)
    return new ServiceError('unsupported_media_type', 'This route takes application/json (files: multipart/form-data).')
  if (status === 503) return new ServiceError('overloaded', 'The server is closing.', { retryAfterSeconds: 1 })
  if (status >= 400 && status < 500) {
    // Malformed JSON, `__proto__`, bad percent-encoding, a broken multipart body: their texts name only the rule.
    return new ServiceError('invalid_request', `The request cannot be read: ${fault.message}`.slice(0, 300), {
      errors: [{ path: '/', message: fault.message.slice(0, 200) }]
    })
  }
  request.log.error({ requestId: request.id, err: error }, 'an error that nobody expected')
  return new ServiceError('internal', 'Switchboard failed. The requestId finds it in the log.')
}

/**
 * A path as it may be told and logged: without its query, which may hold a number, and without what follows /webhooks/,
 * which is a secret, wherever a proxy may have put that in front of the wrong path.
 */
export function shownPath(url: string): string {
  const path = url.split('?')[0] ?? '/'
  if (path.startsWith('/channels/')) return path
  // As the router reads it, an escaped letter is the letter.
  const plain = path.replace(/%([0-7][0-9a-f])/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
  const at = plain.search(/\/webhooks\//i)
  return at < 0 ? path : `${plain.slice(0, at)}/webhooks/{channel}/{token}`
}

const isWrite = (method: string): boolean => method !== 'GET' && method !== 'HEAD'

function answer(error: unknown, request: FastifyRequest, reply: FastifyReply, typeBase: string): void {
  const service = toServiceError(error, request)
  const problem = toProblem(service, {
    path: basePath(request.server.publicUrl) + shownPath(request.url),
    requestId: request.id,
    isWrite: isWrite(request.method),
    typeBase
  })
  // What a body that broke off before its first byte had announced of itself.
  for (const name of ['content-length', 'content-encoding', 'content-disposition']) reply.removeHeader(name)
  if (problem.retryAfterSeconds !== undefined) reply.header('retry-after', String(problem.retryAfterSeconds))
  reply
    .code(problem.status)
    .headers(service.facts.headers ?? {})
    .header('content-type', 'application/problem+json; charset=utf-8')
    // Bytes: an error must not be able to fail in a serializer.
    .send(JSON.stringify(problem))
}

/** Every error answer is a problem (RFC 9457), the router's own included. */
export function problems(app: App): void {
  const typeBase = app.publicUrl
  app.setErrorHandler((error, request, reply) => answer(error, request, reply, typeBase))
  // Before the body is read: nobody was let in.
  app.addHook('onRequest', (request, _, done) => {
    if (!request.is404) return done()
    done(new ServiceError('not_found', `There is nothing at ${shownPath(request.url)}.`))
  })
  app.setNotFoundHandler(async () => undefined)
}

const unread: Record<string, [status: number, words: string, message: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'came too slowly'],
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'has headers of more than 16 KiB']
}

/** For Fastify's clientErrorHandler: what is not HTTP as far as its body, so that no request of ours exists. */
export function clientError(error: { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [status, words, message] = unread[error.code ?? ''] ?? [400, 'Bad Request', 'is not HTTP/1.1']
  const refused = new ServiceError('invalid_request', `The request ${message}.`, { errors: [{ path: '/', message }] })
  const problem = toProblem(refused, { path: '/', requestId: '', isWrite: false, typeBase: '' })
  const body = JSON.stringify({ ...problem, requestId: undefined, status })
  const head = `HTTP/1.1 ${status} ${words}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nContent-Type: application/problem+json; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n`
  if (socket.writable) socket.write(head + body)
  socket.destroy()
}

/** For Fastify's frameworkErrors: faults before any route is known, such as bad percent-encoding. No hook runs for them. */
export const frameworkError =
  (typeBase: string) =>
  (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff')
    answer(error, request, reply, typeBase)
  }
