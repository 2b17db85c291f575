import type { FastifyRequest } from 'fastify'
import { ServiceError, sandboxOnly } from '../errors.ts'
import { readAddress } from '../ip.ts'
import { type Caller, requireScope } from '../keys/caller.ts'
import { createAuthThrottle } from './auth-throttle.ts'
import type { App } from './fastify.ts'
import { limits } from './limits.ts'

/** The key of a request: only the Authorization header counts, so that no key lands in a log of URLs. */
function bearer(request: FastifyRequest): string {
  const header = request.headers.authorization
  if (header === undefined) {
    throw new ServiceError('unauthenticated', 'Send a key: Authorization: Bearer sk_…', {
      headers: { 'www-authenticate': 'Bearer' }
    })
  }
  const match = /^Bearer +([\x21-\x7e]{1,8192})$/i.exec(header)
  if (!match)
    throw new ServiceError('unauthenticated', 'The Authorization header must be: Bearer sk_…', {
      headers: { 'www-authenticate': 'Bearer error="invalid_request"' }
    })
  return match[1]!
}

/** Rights by which something is sent, or changed at a provider. */
const outward: ReadonlySet<string> = new Set([
  ...['messages:send', 'broadcasts:write', 'media:write', 'templates:write', 'contacts:write', 'channels:write'],
  'native'
])
const reachesPeople = ({ method, routeOptions: { config } }: FastifyRequest): boolean =>
  method !== 'GET' && method !== 'HEAD' && outward.has(config.scope ?? '') && !config.stops

/** Who asks, and whether the key has the route's scope: before the body is read, so that strangers cost nothing. */
export function auth(app: App, sandboxMode: boolean): void {
  app.decorateRequest('caller')
  const throttle = createAuthThrottle({
    tell: network => app.log.warn({ network }, 'too many wrong keys from one address')
  })
  const authenticate = async (request: FastifyRequest): Promise<Caller> => {
    const secret = bearer(request)
    const address = readAddress(request.ip)
    try {
      const caller = await app.callers.authenticate(secret, address)
      return address === undefined ? caller : { ...caller, address }
    } catch (error) {
      // Looked at first all the same: a right key is never refused for what others at its address try (T3).
      const wrong = error instanceof ServiceError && error.code === 'unauthenticated'
      const retryAfterSeconds = wrong ? throttle.failed(address ?? 'nobody') : undefined
      if (retryAfterSeconds === undefined) throw error
      throw new ServiceError('rate_limited', 'Too many wrong keys from this address.', { retryAfterSeconds })
    }
  }
  app.decorateRequest('authenticateAgain', async function (this: FastifyRequest) {
    const caller = await app.callers.authenticate(bearer(this), readAddress(this.ip))
    const { scope } = this.routeOptions.config
    if (scope !== undefined && scope !== 'any') requireScope(caller, scope)
    return caller
  })
  const take = limits(app)
  app.addHook('onRequest', async (request, reply) => {
    const { scope } = request.routeOptions.config
    if (scope === undefined) return
    // Whatever a key is needed for is nothing that a cache on the way may keep.
    reply.header('cache-control', 'no-store')
    request.caller = await authenticate(request)
    // Before its rights are looked at and its body is read; a caller without limits does not even wait for nothing.
    const taken = request.caller.limits && take(request)
    if (taken) await taken
    if (scope !== 'any') requireScope(request.caller, scope)
    if (sandboxMode && request.caller.mode === 'live' && reachesPeople(request)) throw sandboxOnly()
  })
}
