import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { errorTable } from '../errors.ts'
import type { App } from './fastify.ts'

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!)
const code = (text: string): string => escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>')

/** The page that every problem's `type` links to, made from the table that makes the problems. */
export function errorsPage(): string {
  const sections = Object.entries(errorTable).map(
    ([name, row]) =>
      `<section id="${name}"><h2><a href="#${name}">${name}</a> <small>${row.status}</small></h2><p><b>${code(row.title)}.</b> ${code(row.when)}</p>` +
      `<p>${code(row.advice)}</p><p class="facts">outcome: ${row.outcome.replaceAll('_', ' ')} · ${row.retryable ? 'may be tried again as it is' : 'not worth repeating as it is'}</p></section>`
  )
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Switchboard: errors</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}h1{font-size:1.6rem}h2{font-size:1.1rem;margin:2rem 0 .3rem}
h2 a{color:inherit;text-decoration:none;font-family:ui-monospace,monospace}small{background:#eef1f4;border-radius:4px;padding:.1rem .4rem;font-weight:400}p{margin:.3rem 0}.facts{color:#57606a;font-size:.9rem}
code{background:#eef1f4;border-radius:4px;padding:.05rem .3rem}section:target{background:#fff8e1;outline:.6rem solid #fff8e1}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e4e7ea}small,code{background:#2a2f35}.facts{color:#9aa4ad}section:target{background:#2d2a1c;outline-color:#2d2a1c}}</style>
<h1>What the error codes mean</h1><p>Every error answer is <code>application/problem+json</code> (RFC 9457). Its <code>code</code> is one of these; its <code>outcome</code> says whether anything can have reached the recipient.</p>
${sections.join('\n')}</html>`
}

const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

/**
 * The document, the errors page and Swagger UI. The UI is a server of its own, made when somebody first opens it, so
 * that a service nobody looks at does not carry it.
 * @param file openapi.yaml
 */
export function docs(app: App, file: URL, withUi: boolean): void {
  const hide = { schema: { hide: true } }
  /** The checked-in document byte for byte; with PUBLIC_URL, under that address. */
  const yaml = (): string => {
    const text = readFileSync(file, 'utf8')
    return app.publicUrl ? text.replace(/^servers:\n {2}- url: \/$/m, `servers:\n  - url: ${app.publicUrl}`) : text
  }
  app.get('/openapi.yaml', hide, async (_, reply) => reply.type('application/yaml; charset=utf-8').send(yaml()))
  app.get('/openapi.json', hide, async (_, reply) => {
    const { parse } = await import('yaml')
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(parse(yaml())))
  })
  app.get('/errors', hide, async (_, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', policy).send(errorsPage())
  )
  if (!withUi) return

  let ui: Promise<FastifyInstance> | undefined
  app.addHook('onClose', async () => (await ui)?.close())
  const open = async (): Promise<FastifyInstance> => {
    const [{ makeDocsUi }, { parse }] = await Promise.all([import('./docs-ui.ts'), import('yaml')])
    return makeDocsUi(parse(yaml()))
  }
  app.get('/', hide, async (_, reply) => reply.redirect('/docs/'))
  app.get('/docs', hide, async (_, reply) => reply.redirect('/docs/'))
  app.get('/docs/*', hide, async (request, reply) => {
    ui ??= open()
    const inner = await ui
    reply.hijack()
    inner.routing(request.raw, reply.raw)
  })
}
