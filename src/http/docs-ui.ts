import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify from 'fastify'
import { type Document, makeDocument } from './documents.ts'

/**
 * The library's own policy also upgrades http to https, which leaves a blank page wherever Switchboard is reached by
 * plain http under a name of its own. Swagger UI writes inline styles.
 */
const policy =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'self'; object-src 'none'; frame-ancestors 'self'"

/** In the browser: OpenAPI has no way to say that a parameter holds a path, so its slashes would go out encoded. */
function nativePath<R extends { url: string }>(request: R): R {
  request.url = request.url.replace(/(\/native\/)([^?]*)/, (_, start, path) => start + path.replaceAll('%2F', '/'))
  return request
}

/**
 * Swagger UI under /docs for a finished document: each of its pages by its path. The library makes them as a server, which
 * is asked for each page once and never listens.
 */
export async function makeDocsUi(document: Record<string, unknown>): Promise<Map<string, Document>> {
  const ui = Fastify()
  await ui.register(swagger, { mode: 'static', specification: { document: document as never } })
  await ui.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    transformStaticCSP: () => policy,
    theme: {
      title: 'Switchboard API',
      css: [{ filename: 'theme.css', content: '.swagger-ui .topbar{display:none} .swagger-ui .info{margin:24px 0}' }]
    },
    uiConfig: {
      deepLinking: true,
      docExpansion: 'list',
      persistAuthorization: true,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      defaultModelsExpandDepth: 0,
      defaultModelExpandDepth: 3,
      filter: true,
      requestInterceptor: nativePath as never
    }
  })
  const pages = new Map<string, Document>()
  const add = async (path: string): Promise<string> => {
    const { headers, rawPayload } = await ui.inject(path)
    const said = headers['content-security-policy'] as string | undefined
    pages.set(path, await makeDocument(String(headers['content-type']), rawPayload, said))
    return rawPayload.toString()
  }
  const page = await add('/docs/')
  for (const [name] of page.matchAll(/static\/[\w./-]{1,100}/g)) await add(`/docs/${name}`)
  await ui.close()
  return pages
}
