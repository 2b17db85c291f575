import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import { type Document, makeDocument } from '../http/documents.ts'

const here = (name: string): URL => new URL(`./static/${name}`, import.meta.url)
/** The page's own files, and htmx from its package. */
const sources: readonly (readonly [name: string, type: string, file: () => URL])[] = [
  ['console.css', 'text/css; charset=utf-8', () => here('console.css')],
  ['console.js', 'text/javascript; charset=utf-8', () => here('console.js')],
  ['htmx.js', 'text/javascript; charset=utf-8', () => new URL(import.meta.resolve('htmx.org/dist/htmx.min.js'))]
]

/** Serves them to everybody: they hold nothing but form. */
export function files(inner: FastifyInstance): void {
  for (const [name, type, file] of sources) {
    let made: Promise<Document> | undefined
    inner.get(`/console/static/${name}`, async (request, reply) => {
      made ??= readFile(file()).then(bytes => makeDocument(type, bytes))
      const { body, etag } = await made
      reply.headers({ 'cache-control': 'no-cache', etag })
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return reply.type(type).send(body)
    })
  }
}
