import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { addTo, type Placed, takeFrom } from '../unordered.ts'
import type { App } from './fastify.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Its body, while that is still coming. */
    coming: Coming | undefined
  }
}

/** How long a body may take in all, or an upload of somebody who was let in stand still (docs/reliability.md 7.1). */
const slowMs = 10_000
/** So much of a body that was refused is read and thrown away, for its connection's sake; then the connection is closed. */
const mostUnread = { stranger: 16 * 1024 * 1024, letIn: 128 * 1024 * 1024 }

/** A body that has not come yet as a whole. */
interface Coming extends Placed {
  raw: IncomingMessage
  since: number
  /** What the socket had read at `since`. */
  bytes: number
  /** An upload of somebody who was let in: it may take its time as long as it moves. */
  patient: boolean
  /** What the socket had read when the answer was given, after which nobody wants the rest. */
  answeredAt?: number
}

/**
 * Watches the bodies that are still coming: strangers get ten seconds in all, uploads of callers may be slow. What is left
 * of a body after its answer is read and thrown away, so that the next request on the connection is not stuck behind it.
 * One sweep a second: a timer for each request would cost every fast one.
 */
export function watchUnreadBodies(app: App): void {
  const all: Coming[] = []
  const add = (raw: IncomingMessage): Coming => {
    const entry = { raw, index: -1, since: performance.now(), bytes: raw.socket.bytesRead, patient: false }
    addTo(all, entry)
    return entry
  }
  const forget = (request: FastifyRequest): void => {
    takeFrom(all, request.coming!)
    request.coming = undefined
  }
  app.decorateRequest('coming')
  app.addHook('onRequest', (request, _, done) => {
    const { raw } = request
    // What the console asks comes by no socket, and is whole.
    if (!raw.complete && raw.socket instanceof Socket) request.coming = add(raw)
    done()
  })
  // After the key was looked at.
  app.addHook('preParsing', (request, _, payload, done) => {
    if (request.coming && request.routeOptions.config.upload) request.coming.patient = true
    done(null, payload)
  })
  app.addHook('preHandler', (request, _, done) => {
    // An upload is read by its handler; any other body is complete by now, and its handler may wait as long as it likes.
    if (request.coming && request.routeOptions.config.upload !== true && request.raw.complete) forget(request)
    done()
  })
  app.addHook('onError', (_request, reply, error, done) => {
    // Fastify ends the connection of a body that is too large: whoever still writes it then may never read why it was refused.
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') reply.removeHeader('connection')
    done()
  })
  app.addHook('onResponse', (request, _, done) => {
    const { raw, coming } = request
    if (coming && raw.complete) forget(request)
    else if (coming) {
      coming.answeredAt = raw.socket.bytesRead
      // Its reader has stopped, and would hold it up for ever.
      raw.unpipe()
      raw.removeAllListeners('readable').pause()
      // One that flows into nothing is not made to go on by resuming it.
      raw.resume()
    }
    done()
  })
  const tooMuch = ({ answeredAt, patient }: Coming, read: number): boolean =>
    answeredAt !== undefined && read - answeredAt > (patient ? mostUnread.letIn : mostUnread.stranger)
  const sweep = setInterval(() => {
    const now = performance.now()
    for (const entry of [...all]) {
      const { socket, complete } = entry.raw
      const { bytesRead } = socket
      if (socket.destroyed || complete) takeFrom(all, entry)
      else if (!tooMuch(entry, bytesRead) && entry.patient && bytesRead > entry.bytes)
        Object.assign(entry, { since: now, bytes: bytesRead })
      else if (tooMuch(entry, bytesRead) || now - entry.since > slowMs) {
        takeFrom(all, entry)
        socket.destroy()
      }
    }
  }, 1000)
  sweep.unref()
  app.addHook('onClose', async () => clearInterval(sweep))
}

/**
 * `Expect: 100-continue`: the body is asked for only when its sender was let in. Who is refused before is told so, and that
 * the connection ends, since nobody can know then whether the body still comes (RFC 9110 10.1.1).
 */
export function continueAfterAuth(app: App): void {
  const waiting = new WeakSet<IncomingMessage>()
  app.server.on('checkContinue', (raw, answer) => {
    waiting.add(raw)
    app.server.emit('request', raw, answer)
  })
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (waiting.delete(request.raw)) reply.raw.writeContinue()
    done(null, payload)
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    if (waiting.has(request.raw)) reply.header('connection', 'close')
    done(null, payload)
  })
}
