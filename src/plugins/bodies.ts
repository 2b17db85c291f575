import { isUtf8 } from 'node:buffer'
import type { Socket } from 'node:net'
import multipart from '@fastify/multipart'
import { ServiceError } from '../errors.ts'
import type { App } from '../fastify.ts'

/** How long a body may take in all, or an upload stand still (RELIABILITY.md 7.1). */
const slowMs = 10_000

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

/** What bodies are taken, and how long they may take. */
export function bodies(app: App): void {
  app.removeContentTypeParser(['text/plain', 'application/json'])
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(unreadable('must be JSON, and is empty'))
    // Node would replace broken bytes in silence, and the message would say something else than the caller meant.
    if (!isUtf8(body)) return done(unreadable('must be UTF-8'))
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

  app.addHook('onRequest', (request, _, done) => {
    const encoding = request.headers['content-encoding']
    const packed = encoding !== undefined && encoding !== 'identity'
    done(packed ? new ServiceError('unsupported_media_type', 'Compressed bodies are not taken.') : undefined)
  })
  watchSlowBodies(app)
}

/** One sweep a second over the requests whose body is still coming: a timer each would cost every fast request. */
function watchSlowBodies(app: App): void {
  const pending = new Map<Socket, { since: number; bytes: number; upload: boolean }>()
  app.addHook('onRequest', (request, _, done) => {
    const { socket, complete } = request.raw
    const upload = request.routeOptions.config.upload === true
    if (!complete) pending.set(socket, { since: performance.now(), bytes: socket.bytesRead, upload })
    done()
  })
  app.addHook('onResponse', (request, _, done) => {
    pending.delete(request.raw.socket)
    done()
  })
  const sweep = setInterval(() => {
    const now = performance.now()
    for (const [socket, entry] of pending) {
      if (socket.destroyed) pending.delete(socket)
      else if (entry.upload && socket.bytesRead > entry.bytes)
        Object.assign(entry, { since: now, bytes: socket.bytesRead })
      else if (now - entry.since > slowMs) {
        pending.delete(socket)
        socket.destroy()
      }
    }
  }, 1000)
  sweep.unref()
  app.addHook('preHandler', (request, _, done) => {
    // An upload is read by its handler; any other body is complete by now, and its handler may wait as long as it likes.
    if (request.routeOptions.config.upload !== true) pending.delete(request.raw.socket)
    done()
  })
  app.addHook('onClose', async () => clearInterval(sweep))
}
