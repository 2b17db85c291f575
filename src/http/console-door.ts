import type { FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.ts'
import type { App } from './fastify.ts'
import { basePath } from './telemetry.ts'

/** A request for the operator's page, with what only this server knows of it. */
export interface ConsoleRequest {
  method: 'GET' | 'POST'
  /** Path and query. */
  url: string
  headers: Record<string, string | string[] | undefined>
  body: Buffer | undefined
  /** Who asks, as TRUST_PROXY says. */
  address: string
  requestId: string
  /** Whether it came by TLS, as far as is known. */
  secure: boolean
  /** Where the outside reaches us, e.g. https://switchboard.example. */
  origin: string
  /** The path in front of ours there, usually empty. */
  base: string
}
export interface ConsoleAnswer {
  status: number
  headers: Record<string, string | string[] | number | undefined>
  body: Buffer
}
export type Console = (request: ConsoleRequest) => Promise<ConsoleAnswer>

/** A form; a list of recipients has its own limit. */
const formBytes = 64 * 1024
const tableBytes = 8 * 1024 * 1024

function asked(app: App, request: FastifyRequest): ConsoleRequest {
  const secure = request.protocol === 'https' || app.publicUrl.startsWith('https:')
  return {
    method: request.method as 'GET' | 'POST',
    url: request.url,
    headers: request.headers,
    body: request.body as Buffer | undefined,
    address: request.ip,
    requestId: request.id,
    secure,
    origin: app.publicUrl === '' ? `${request.protocol}://${request.host}` : new URL(app.publicUrl).origin,
    base: basePath(app.publicUrl)
  }
}

/** The operator's page under /console: nothing of it is loaded until somebody opens it. */
export function consoleDoor(app: App, open: () => Promise<Console>): void {
  let opened: Promise<Console> | undefined
  const load = (): Promise<Console> => {
    opened ??= open().catch(error => {
      opened = undefined
      throw error
    })
    return opened
  }
  app.register(async scope => {
    // Forms are read by the page itself.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
    for (const [url, bodyLimit] of [
      ['/console', formBytes],
      ['/console/*', formBytes],
      ['/console/broadcasts/new', tableBytes]
    ] as const) {
      scope.route({
        method: ['GET', 'POST'],
        url,
        bodyLimit,
        schema: { hide: true },
        // A stranger's table is not even read: whoever has no cookie signs in first.
        onRequest: async request => {
          const large = Number(request.headers['content-length'] ?? 0) > formBytes
          if (request.method === 'POST' && large && !request.headers.cookie?.includes('switchboard'))
            throw new ServiceError('unauthenticated', 'Sign in at /console first.')
        },
        handler: async (request, reply) => {
          const answer = await (await load())(asked(app, request))
          const {
            'content-length': _,
            connection: __,
            date: ___,
            'transfer-encoding': ____,
            ...headers
          } = answer.headers
          return reply.code(answer.status).headers(headers).send(answer.body)
        }
      })
    }
  })
}
