import type { FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.ts'
import type { App } from '../fastify.ts'
import { requireScope } from '../keys/caller.ts'

/** The key of a request: only the Authorization header counts, so that no key lands in a log of URLs. */
function bearer(request: FastifyRequest): string {
  const header = request.headers.authorization
  if (header === undefined) {
    throw new ServiceError('unauthenticated', 'Send a key: Authorization: Bearer sk_…', {
      headers: { 'www-authenticate': 'Bearer' }
    })
  }
  const match = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(header)
  if (!match)
    throw new ServiceError('unauthenticated', 'The Authorization header must be: Bearer sk_…', {
      headers: { 'www-authenticate': 'Bearer error="invalid_request"' }
    })
  return match[1]!
}

/** Who asks, and whether the key has the route's scope: before the body is read, so that strangers cost nothing. */
export function auth(app: App): void {
  app.decorateRequest('caller')
  app.addHook('onRequest', async request => {
    const { scope } = request.routeOptions.config
    if (scope === undefined) return
    request.caller = await app.keyring.authenticate(bearer(request), request.ip)
    if (scope !== 'any') requireScope(request.caller, scope)
  })
}
