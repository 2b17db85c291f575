import { readFile } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { errorTable, ServiceError } from '../errors.ts'
import type { DocsOrder } from './docs-worker.ts'
import { type Document, makeDocument, sendDocument } from './documents.ts'
import type { App } from './fastify.ts'

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!)
const code = (text: string): string => escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>')

/** The look of all pages that are no Swagger UI. */
const page = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Switchboard: ${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}h1{font-size:1.6rem}h2{font-size:1.1rem;margin:2rem 0 .3rem}
h2 a{color:inherit;text-decoration:none;font-family:ui-monospace,monospace}small{background:#eef1f4;border-radius:4px;padding:.1rem .4rem;font-weight:400}p{margin:.3rem 0}.facts{color:#57606a;font-size:.9rem}
code{background:#eef1f4;border-radius:4px;padding:.05rem .3rem}table{border-collapse:collapse;margin:1rem 0}td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #d8dde2;vertical-align:top}section:target{background:#fff8e1;outline:.6rem solid #fff8e1}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e4e7ea}small,code{background:#2a2f35}.facts{color:#9aa4ad}td,th{border-color:#2a2f35}section:target{background:#2d2a1c;outline-color:#2d2a1c}}</style>
${body}</html>`

/** The page that every problem's `type` links to, made from the table that makes the problems. */
export function errorsPage(): string {
  const sections = Object.entries(errorTable).map(
    ([name, row]) =>
      `<section id="${name}"><h2><a href="#${name}">${name}</a> <small>${row.status}</small></h2><p><b>${code(row.title)}.</b> ${code(row.when)}</p>` +
      `<p>${code(row.advice)}</p><p class="facts">outcome: ${row.outcome.replaceAll('_', ' ')} · ${row.retryable ? 'may be tried again as it is' : 'not worth repeating as it is'}</p></section>`
  )
  const intro = `<h1>What the error codes mean</h1><p>Every error answer is <code>application/problem+json</code> (RFC 9457). Its <code>code</code> is one of these; its <code>outcome</code> says whether anything can have reached the recipient.</p>`
  return page('errors', `${intro}\n${sections.join('\n')}`)
}

/** The numbers of the sandbox that always meet one fate. */
export interface Recipients {
  /** Whose fate is the answer to the send. */
  atOnce: readonly { number: string; name: string; description: string; processed: boolean }[]
  /** Whose messages are accepted, and what is told of them then. */
  afterwards: readonly { number: string; name: string; description: string }[]
}
export type SandboxRecipients = () => Promise<Recipients>

const nobody: Recipients = { atOnce: [], afterwards: [] }

/** The page of the numbers that always meet one fate, made from the tables by which the sandbox plays them. */
async function recipientsPage(recipients: SandboxRecipients = async () => nobody): Promise<string> {
  const { atOnce, afterwards } = await recipients()
  const row = (name: string, ...cells: string[]): string =>
    `<tr id="${escapeHtml(name)}">${cells.map(cell => `<td>${cell}</td>`).join('')}</tr>`
  const answers = atOnce.map(({ number, name, description, processed }) =>
    row(name, `<code>${number}</code>`, code(description), processed ? 'yes' : 'no')
  )
  const fates = afterwards.map(({ number, name, description }) =>
    row(name, `<code>${number}</code>`, `<code>${escapeHtml(name)}</code>`, code(description))
  )
  const intro = `<h1>Recipients of the sandbox</h1><p>Nobody is behind the sandbox: a test key always goes there, and so does everything while no account is configured. Every number is taken there as a provider would, delivered and read, but for these, each of which always meets the same fate.</p>`
  return page(
    'the sandbox',
    `${intro}<h2>What is told after the message was accepted</h2><table><tr><th>to</th><th>Name</th><th>What happens</th></tr>${fates.join('')}</table>` +
      `<h2>What the send is answered</h2><table><tr><th>to</th><th>What happens</th><th>Was it taken?</th></tr>${answers.join('')}</table>`
  )
}

const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

/** Makes a thing when it is first asked for, and once; what failed is made again. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make().catch(error => {
      made = undefined
      throw error
    })
    return made
  }
}

/** What takes long to make, made in a thread of its own. */
function inThread(order: DocsOrder): { pages: Promise<Record<string, Document>>; stop: () => Promise<unknown> } {
  const worker = new Worker(new URL('./docs-worker.ts', import.meta.url), { workerData: order, execArgv: [] })
  const pages = new Promise<Record<string, Document>>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject)
    worker.once('exit', code => reject(new Error(`the documents were not made: the thread ended with ${code}`)))
  })
  return { pages, stop: () => worker.terminate() }
}

/**
 * The document, the errors page and Swagger UI: each made when somebody first asks for it, so that a service nobody looks
 * at does not carry them, and then kept.
 * @param file openapi.yaml
 */
export function docs(app: App, file: URL, withUi: boolean, recipients?: SandboxRecipients): void {
  const hide = { schema: { hide: true } }
  /** The checked-in document byte for byte; with PUBLIC_URL, under that address. */
  const yaml = async (): Promise<string> => {
    const text = await readFile(file, 'utf8')
    return app.publicUrl ? text.replace(/^servers:\n(?: *- .*\n)+/m, `servers:\n - url: ${app.publicUrl}\n`) : text
  }
  let thread: ReturnType<typeof inThread> | undefined
  app.addHook('onClose', async () => thread?.stop())
  const asText = once(async () => makeDocument('application/yaml; charset=utf-8', await yaml()))
  const errors = once(() => makeDocument('text/html; charset=utf-8', errorsPage(), policy))
  const sandbox = once(async () => makeDocument('text/html; charset=utf-8', await recipientsPage(recipients), policy))
  const made = once(async () => {
    thread = inThread({ yaml: await yaml(), ui: withUi })
    return thread.pages
  })
  app.get('/openapi.yaml', hide, async (request, reply) => sendDocument(request, reply, await asText()))
  app.get('/openapi.json', hide, async (request, reply) =>
    sendDocument(request, reply, (await made())['/openapi.json']!)
  )
  app.get('/errors', hide, async (request, reply) => sendDocument(request, reply, await errors()))
  app.get('/sandbox', hide, async (request, reply) => sendDocument(request, reply, await sandbox()))
  if (!withUi) return

  app.get('/', hide, async (_, reply) => reply.redirect('/docs/'))
  app.get('/docs', hide, async (_, reply) => reply.redirect('/docs/'))
  app.get<{ Params: { '*': string } }>('/docs/*', hide, async (request, reply) => {
    const name = request.params['*']
    const found = name === 'yaml' ? await asText() : (await made())[`/docs/${name}`]
    if (!found) throw new ServiceError('not_found', `There is no page ${name.slice(0, 100)} under /docs.`)
    return sendDocument(request, reply, found)
  })
}
