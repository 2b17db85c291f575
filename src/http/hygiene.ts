import { ServiceError } from '../errors.ts'
import type { App } from './fastify.ts'

/** Whether a request names two hosts: a proxy before us may have believed the other one (RFC 9112 3.2). */
export function namesTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length === 4 && name.toLowerCase() === 'host' && ++hosts > 1) return true
  }
  return false
}

/** Every answer says that its type is not to be guessed; a request that two servers would read differently is refused. */
export function hygiene(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff')
    if (!namesTwoHosts(request.raw.rawHeaders)) return done()
    const fault = { path: 'header/Host', message: 'must be given once' }
    done(new ServiceError('invalid_request', 'The header Host is given twice.', { errors: [fault] }))
  })
}
