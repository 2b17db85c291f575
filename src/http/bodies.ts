import { isUtf8 } from 'node:buffer'
import multipart from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.ts'
import type { App } from './fastify.ts'
import { continueAfterAuth, watchUnreadBodies } from './unread-bodies.ts'

const unreadable = (message: string) =>
  new ServiceError('invalid_request', `The body ${message}.`, { errors: [{ path: '/', message }] })

/** NUL and unpaired surrogates can stand in JSON only as escapes; PostgreSQL refuses the first, UTF-8 the second. */
function refuseBadText(value: unknown, path: string): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed())
      throw new ServiceError('invalid_request', `${path} holds NUL or an unpaired surrogate.`, {
        errors: [{ path, message: 'must not hold NUL or an unpaired surrogate' }]
      })
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      refuseBadText(name, `${path}/…`)
      refuseBadText(member, `${path}/${name}`)
    }
  }
}

/** The query's text, by the same rule as a body's; the parser would take broken escapes for plain characters. */
function refuseBadQuery(url: string): void {
  const at = url.indexOf('?')
  if (at < 0 || !url.includes('%', at)) return
  const fault = (message: string) =>
    new ServiceError('invalid_request', `The query string ${message}.`, { errors: [{ path: 'query', message }] })
  let text: string
  try {
    text = decodeURIComponent(url.slice(at + 1))
  } catch {
    throw fault('must be UTF-8 in percent-encoding')
  }
  if (text.includes('\0')) throw fault('must not hold NUL')
}

/** Whether a request may come without a body: its route has none, or one that may be null. */
function takesNone({ routeOptions, server }: FastifyRequest): boolean {
  const body = routeOptions.schema?.body as { $ref?: string; type?: string | string[] } | undefined
  if (body === undefined) return true
  const named = body.$ref === undefined ? body : (server.getSchema(body.$ref.replace(/#$/, '')) as typeof body)
  return [named?.type ?? []].flat().includes('null')
}

/** Objects and lists of one body: the largest broadcast has some 40,000; each costs memory however short its text is (P49). */
const mostContainers = 100_000

/** Whether a JSON text holds more objects and lists than any request has. Stops at the first that is too many. */
export function holdsTooMuch(json: Buffer): boolean {
  // each takes two bytes at least
  if (json.length < 2 * mostContainers) return false
  let count = 0
  let inText = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (inText) {
      if (byte === 0x5c) i++
      else if (byte === 0x22) inText = false
    } else if (byte === 0x22) inText = true
    else if ((byte === 0x7b || byte === 0x5b) && ++count > mostContainers) return true
  }
  return false
}

/** What bodies are taken, and how long they may take. */
export function bodies(app: App): void {
  app.removeContentTypeParser(['text/plain', 'application/json'])
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    // Many clients name a type for everything, an act without a body included.
    if (body.length === 0) return takesNone(request) ? done(null, null) : done(unreadable('must be JSON, and is empty'))
    // Node would replace broken bytes in silence, and the message would say something else than the caller meant.
    if (!isUtf8(body)) return done(unreadable('must be UTF-8'))
    if (holdsTooMuch(body)) return done(unreadable(`holds more than ${mostContainers} objects and lists`))
    const text = body.toString()
    parse(request, text, (error, value) => {
      if (error) return done(error)
      try {
        // A depth that no request of ours has: answered here, before any recursion meets it.
        if (text.includes('\\u')) refuseBadText(value, '')
      } catch (fault) {
        return done(fault instanceof ServiceError ? fault : unreadable('is nested too deeply'))
      }
      done(null, value)
    })
  })
  app.register(multipart, {
    limits: { files: 1, parts: 20, fields: 20, fieldSize: 64 * 1024, headerPairs: 50, fileSize: 101 * 1024 * 1024 },
    throwFileSizeLimit: true
  })

  app.addHook('preParsing', (request, _, payload, done) => {
    const encoding = request.headers['content-encoding']
    const packed = encoding !== undefined && encoding !== 'identity'
    // A body of GET or HEAD is never read.
    if (packed && !request.routeOptions.config.raw && request.method !== 'GET' && request.method !== 'HEAD')
      done(new ServiceError('unsupported_media_type', 'Compressed bodies are not taken.'))
    else done(null, payload)
  })
  app.addHook('preValidation', (request, _, done) => {
    try {
      if (!request.routeOptions.config.raw) refuseBadQuery(request.url)
      done()
    } catch (error) {
      done(error as Error)
    }
  })
  watchUnreadBodies(app)
  continueAfterAuth(app)
}
