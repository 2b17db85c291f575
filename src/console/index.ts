import multipart, { type MultipartFile, type MultipartValue } from '@fastify/multipart'
import view from '@fastify/view'
import { Eta } from 'eta'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Console, ConsoleRequest } from '../http/console-door.ts'
import type { App } from '../http/fastify.ts'
import { createSeal } from '../keys/seal.ts'
import type { Store } from '../store/store.ts'
import { createActs } from './acting.ts'
import { Refused } from './api.ts'
import { createBroadcasting } from './broadcasting.ts'
import { createEndedSessions } from './ended.ts'
import { createGate, type Operator } from './gate.ts'
import { sendPage } from './pages.ts'
import { createSessions } from './sessions.ts'
import { files } from './static.ts'
import { views } from './views/index.ts'

export interface ConsoleParts {
  store: Store
  pepper: string
  /** The names of the registered providers. */
  providers: readonly string[]
}

declare module 'fastify' {
  interface FastifyInstance {
    tell: (error: unknown, request: FastifyRequest) => void
  }
  interface FastifyRequest {
    /** What the door said of it. */
    asked: ConsoleRequest
    operator?: Operator
  }
}

/** A larger table goes by the API. */
const mostTableBytes = 4 * 1024 * 1024
/** How the door's facts reach the inner server; whatever a browser sends under this name is overwritten. */
const factsHeader = 'x-console-facts'

/** Forms as browsers send them: text by name, and a table as base64 in the field `table`. */
async function takeForms(inner: FastifyInstance): Promise<void> {
  inner.removeAllContentTypeParsers()
  await inner.register(multipart, {
    attachFieldsToBody: true,
    limits: { files: 1, fields: 30, fieldSize: mostTableBytes * 1.5, fileSize: mostTableBytes }
  })
  inner.addHook('preHandler', async request => {
    if (!request.isMultipart()) return
    const parts = Object.values(request.body as Record<string, MultipartValue | MultipartFile>)
    const fields = parts.map(async part =>
      part.type === 'file'
        ? ['table', (await part.toBuffer()).toString('base64')]
        : [part.fieldname, String(part.value)]
    )
    request.body = Object.fromEntries(await Promise.all(fields))
  })
  inner.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(body as string)))
  )
}

/** A request that came to nothing, as a page. */
async function sendFault(error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if (error instanceof Refused) {
    const { problem } = error
    const page = { template: 'problem', title: problem.title, status: problem.status, problem }
    return sendPage(reply, request.asked, page, {}, request.operator)
  }
  const status = (error as { statusCode?: number }).statusCode ?? 500
  if (status >= 500) request.server.tell(error, request)
  const problem = {
    title: status === 404 ? 'There is no such page' : status >= 500 ? 'Switchboard failed' : 'It cannot be read',
    detail: status >= 500 ? 'The log has it under this request id.' : 'Go back, and try it again.',
    ...{ status, code: status === 404 ? 'not_found' : status >= 500 ? 'internal' : 'invalid_request' },
    requestId: request.asked.requestId
  } as never
  const page = { template: 'problem', title: (problem as { title: string }).title, status, problem }
  return sendPage(reply, request.asked, page, {}, request.operator)
}

/** Puts the page together: a server of its own that never listens, and that asks the API as any other client does. */
export async function createConsole(app: App, { store, pepper, providers }: ConsoleParts): Promise<Console> {
  const inner = Fastify({
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 600 },
    bodyLimit: 8 * 1024 * 1024
  })
  const clock = store.clock
  const gate = createGate({
    ...{ app, clock, providers },
    sessions: createSessions({ seal: createSeal(`console ${pepper}`), pepper, clock }),
    ended: createEndedSessions(store)
  })
  inner.decorate('tell', (error, request) =>
    app.log.error({ requestId: request.asked.requestId, err: error }, 'a page of the console failed')
  )
  inner.decorateRequest('asked')
  inner.decorateRequest('operator')
  inner.addHook('onRequest', async request => {
    request.asked = JSON.parse(String(request.headers[factsHeader])) as ConsoleRequest
  })
  await inner.register(view, {
    engine: { eta: new Eta({ views: new URL('./templates', import.meta.url).pathname, cache: true }) },
    root: new URL('./templates', import.meta.url).pathname
  })
  await takeForms(inner)
  inner.setErrorHandler(sendFault)
  inner.setNotFoundHandler((request, reply) => sendFault({ statusCode: 404 }, request, reply))
  files(inner)
  gate.routes(inner)
  await inner.register(async scope => {
    scope.addHook('preHandler', gate.admit)
    for (const { path, template, title, everySeconds, show } of views)
      scope.get(`/console${path}`, async (request, reply) => {
        const visit = gate.visit(request)
        const data = await show(visit)
        const page = { template, title, calls: visit.api.calls, ...(everySeconds && { everySeconds }) }
        return sendPage(reply, request.asked, page, { fields: visit.fields, ...data }, request.operator)
      })
    createBroadcasting(scope, gate)
    createActs(scope, gate)
  })
  await inner.ready()
  return async asked => {
    const { body, headers, ...facts } = asked
    const answer = await inner.inject({
      method: asked.method,
      url: asked.url,
      headers: { ...(headers as Record<string, string>), [factsHeader]: JSON.stringify({ ...facts, headers }) },
      ...(body && { payload: body })
    })
    return { status: answer.statusCode, headers: answer.headers as never, body: answer.rawPayload }
  }
}
