import { ServiceError } from '../errors.ts'
import type { App } from './fastify.ts'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/**
 * 405 with Allow for every path that exists with other methods. Called before the routes: it listens to them being
 * made, and adds the missing methods when all are there.
 */
export function methodNotAllowed(app: App): () => void {
  const known = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const set = known.get(url) ?? new Set<string>()
    for (const each of [method].flat()) set.add(each)
    known.set(url, set)
  })
  return () => {
    for (const [url, set] of [...known]) {
      const allow = [...set].join(', ')
      const missing = methods.filter(method => !set.has(method))
      if (missing.length === 0) continue
      app.route({
        method: missing,
        url,
        schema: { hide: true },
        // Before the body is looked at: whatever it holds, the method is wrong.
        onRequest: async () => {
          throw new ServiceError('method_not_allowed', `This path takes ${allow}.`, { headers: { allow } })
        },
        handler: async () => undefined
      })
    }
  }
}
