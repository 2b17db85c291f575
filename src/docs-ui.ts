import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify, { type FastifyInstance } from 'fastify'

/** Swagger UI under /docs for a finished document, as a server that is never listened on: requests are handed to it. */
export async function makeDocsUi(document: Record<string, unknown>): Promise<FastifyInstance> {
  const ui = Fastify({ routerOptions: { ignoreTrailingSlash: true } })
  await ui.register(swagger, { mode: 'static', specification: { document: document as never } })
  await ui.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    theme: { title: 'Switchboard API' },
    uiConfig: {
      deepLinking: true,
      docExpansion: 'list',
      persistAuthorization: true,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      defaultModelsExpandDepth: 0,
      defaultModelExpandDepth: 3,
      filter: true
    }
  })
  await ui.ready()
  return ui
}
