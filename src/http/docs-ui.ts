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

/** An operation fits the eye: what goes wrong is a line with a link to its page, and the body is as tall as an example. */
const theme = [
  '.swagger-ui .topbar{display:none}',
  '.swagger-ui .info{margin:24px 0}',
  '.swagger-ui .response:not([data-code^="2"]) .response-col_description>:not(.response-col_description__inner){display:none}',
  '.swagger-ui .response:not([data-code^="2"]) td{padding:4px 0}',
  '.swagger-ui .response:not([data-code^="2"]) .markdown p{margin:0}',
  '.swagger-ui .responses-table .response .highlight-code pre{max-height:120px}',
  '.swagger-ui .response .response-col_links,.swagger-ui .responses-table .col_header.response-col_links{display:none}',
  '.swagger-ui .response .headers-wrapper{display:none}',
  '.swagger-ui .body-param__text{min-height:150px!important;height:150px}'
].join(' ')

/** In the browser: OpenAPI has no way to say that a parameter holds a path, so its slashes would go out encoded. */
function nativePath<R extends { url: string }>(request: R): R {
  request.url = request.url.replace(/(\/native\/)([^?]*)/, (_, start, path) => start + path.replaceAll('%2F', '/'))
  return request
}

interface Page {
  specActions: {
    updateJsonSpec: (document: object) => unknown
    updateResolvedSubtree: (path: string[], value: unknown) => unknown
  }
  specSelectors: { specJson: () => { getIn: (path: string[]) => { toJS: () => unknown } | undefined } }
}

/** Of React, what the page's own component takes. */
interface React {
  createElement: (type: unknown, props: object | null, ...children: unknown[]) => unknown
  useEffect: (effect: () => unknown, on: unknown[]) => void
  useRef: () => { current: object | undefined }
  useState: (first: boolean) => [boolean, (value: boolean) => void]
}
declare const IntersectionObserver: new (
  seen: (entries: { isIntersecting: boolean }[]) => void,
  options: object
) => { observe: (element: object) => void; disconnect: () => void }
interface ListedOperation {
  get: (name: 'path' | 'method') => string
  getIn: (path: string[]) => string
}
interface TagProps {
  tag: string
  tagObj: { get: (name: 'operations') => { toArray: () => ListedOperation[] } }
  layoutSelectors: { isShown: (key: string[]) => boolean }
  layoutActions: { show: (key: string[], shown: boolean) => void }
}

/**
 * In the browser: the list is there before anybody waits for it. Swagger UI would read JSON as YAML, go through the whole
 * document for the ways to authorize, which point nowhere, and make every operation ready to be opened; here the operations
 * of a tag are lines of text until they come near the window, one of them is opened, or an address names it.
 */
function quickly() {
  const operationTag =
    (Original: unknown, { React: react }: { React: React }) =>
    (props: TagProps) => {
      const { tag, tagObj, layoutSelectors, layoutActions } = props
      const h = react.createElement
      const [near, setNear] = react.useState(false)
      const content = react.useRef()
      const operations = tagObj.get('operations').toArray()
      const keyOf = (operation: ListedOperation) => ['operations', tag, operation.getIn(['operation', 'operationId'])]
      react.useEffect(() => {
        if (near || !content.current) return
        const observer = new IntersectionObserver(
          entries => {
            if (entries.some(({ isIntersecting }) => isIntersecting)) setNear(true)
          },
          { rootMargin: '300px' }
        )
        observer.observe(content.current)
        return () => observer.disconnect()
      }, [near])
      if (near || operations.some(operation => layoutSelectors.isShown(keyOf(operation)))) return h(Original, props)
      const lines = operations.map(operation => {
        const key = keyOf(operation)
        const method = operation.get('method')
        const open = () => {
          setNear(true)
          layoutActions.show(key, true)
        }
        const path = h('span', { className: 'opblock-summary-path' }, operation.get('path'))
        const summary = h(
          'div',
          { className: 'opblock-summary-description' },
          operation.getIn(['operation', 'summary'])
        )
        const words = h('div', { className: 'opblock-summary-path-description-wrapper' }, path, summary)
        const name = h('span', { className: 'opblock-summary-method' }, method.toUpperCase())
        const control = h(
          'button',
          { className: 'opblock-summary-control', 'aria-expanded': false, onClick: open },
          name,
          words
        )
        return h(
          'div',
          { key: key[2], id: key.join('-'), className: `opblock opblock-${method}` },
          h('div', { className: `opblock-summary opblock-summary-${method}` }, control)
        )
      })
      return h(Original, props, h('div', { className: 'operation-tag-content', ref: content }, lines))
    }
  return {
    wrapComponents: { OperationTag: operationTag },
    statePlugins: {
      spec: {
        wrapActions: {
          parseToJson: (_original: unknown, page: Page) => (text: string) =>
            page.specActions.updateJsonSpec(JSON.parse(text)),
          requestResolvedSubtree: (original: (path: string[]) => unknown, page: Page) => (path: string[]) => {
            if (path.join('/') !== 'components/securitySchemes') return original(path)
            return page.specActions.updateResolvedSubtree(path, page.specSelectors.specJson().getIn(path)?.toJS())
          }
        }
      }
    }
  }
}

interface Described {
  openapi: string
  components: object
  servers: { url: string }[]
  paths: Record<string, Record<string, DescribedOperation>>
  webhooks?: Record<string, object>
}
interface DescribedOperation {
  operationId?: string
  requestBody?: { content: Record<string, { schema: FormSchema }> }
  callbacks?: object
}
interface FormSchema {
  required?: string[]
  properties?: Record<string, { examples?: unknown[] }>
}

/** A schema in the words of OpenAPI 3.0, which say the same of ours. */
function inOldWords(node: unknown): void {
  if (typeof node !== 'object' || node === null) return
  const schema = node as Record<string, unknown>
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter(type => type !== 'null')
    if (types.length < schema.type.length) schema.nullable = true
    if (types.length === 1) schema.type = types[0]
    else delete schema.type
  }
  if (Object.hasOwn(schema, 'const')) {
    schema.enum = [schema.const]
    delete schema.const
  }
  if (Array.isArray(schema.examples)) {
    schema.example = schema.examples[0]
    delete schema.examples
  }
  delete schema.unevaluatedProperties
  for (const inner of Object.values(schema)) inOldWords(inner)
}

/** What OpenAPI 3.0 has for webhooks: the callbacks of the operation that asks for them. */
function asCallbacks({ paths, webhooks = {} }: Described): void {
  const operations = Object.values(paths).flatMap(Object.values) as DescribedOperation[]
  const named = (id: string) => operations.find(({ operationId }) => operationId === id)
  const asks = named('createSubscription') ?? named('listEvents')
  if (!asks) return
  const callbacks = Object.entries(webhooks).map(([type, item]) => [type, { '{$request.body#/url}': item }])
  asks.callbacks = Object.fromEntries(callbacks)
}

/**
 * The document as the page takes it: as OpenAPI 3.0, of which it reads what is looked at, where of 3.1 it reads all of it for
 * each operation that is opened; tried on the server that shows it, and with nothing in the fields of a form that may
 * be left out, where the page would invent a time or a pace.
 */
export function forPage(document: Described): Described {
  const copy = structuredClone(document)
  if (copy.servers.length > 1) copy.servers = [{ url: '/' }]
  const bodies = Object.values(copy.paths)
    .flatMap(Object.values)
    .flatMap(({ requestBody }) => requestBody ?? [])
  for (const { content } of bodies) {
    const { required = [], properties = {} } = content['multipart/form-data']?.schema ?? {}
    for (const [name, field] of Object.entries(properties) as [string, { examples?: unknown[] }][])
      if (!required.includes(name)) field.examples ??= ['']
  }
  asCallbacks(copy)
  inOldWords({ paths: copy.paths, components: copy.components })
  const { webhooks: _, ...rest } = copy
  return { ...rest, openapi: '3.0.3' }
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
      css: [{ filename: 'theme.css', content: theme }]
    },
    uiConfig: {
      deepLinking: true,
      docExpansion: 'list',
      // A key stays in the page that it was pasted into: a browser would keep a live one for whoever comes next.
      persistAuthorization: false,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      defaultModelsExpandDepth: 0,
      defaultModelExpandDepth: 3,
      filter: true,
      requestInterceptor: nativePath as never,
      plugins: [quickly] as never
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
