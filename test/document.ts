import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parse } from 'yaml'

const kept = new URL('../node_modules/.cache/openapi.json', import.meta.url).pathname

/** The text of openapi.yaml. */
export const documentText = readFileSync(new URL('../openapi.yaml', import.meta.url), 'utf8')

/** Reads openapi.yaml; what was read is kept for the next test file, as reading YAML is half of what it takes to start one. */
function read(): unknown {
  const hash = createHash('sha256').update(documentText).digest('hex')
  try {
    const found = JSON.parse(readFileSync(kept, 'utf8')) as { hash: string; document: unknown }
    if (found.hash === hash) return found.document
  } catch {
    // Nobody has read it yet.
  }
  const document = parse(documentText)
  const mine = `${kept}.${process.pid}`
  mkdirSync(dirname(kept), { recursive: true })
  writeFileSync(mine, JSON.stringify({ hash, document }))
  renameSync(mine, kept)
  return document
}

/** openapi.yaml as it is written, with what is shared in its components. */
export const written: unknown = read()

interface Shared {
  paths: unknown
  components: Record<string, unknown>
}
/** What a path of names leads to within the document. */
const pointed = ($ref: string): unknown =>
  $ref
    .slice(2)
    .split('/')
    .reduce((node, name) => (node as Record<string, unknown>)[name], written)
const inPlace = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(inPlace)
  if (typeof node !== 'object' || node === null) return node
  const { $ref } = node as { $ref?: string }
  if ($ref !== undefined && !$ref.includes('/schemas/')) return inPlace(pointed($ref))
  return Object.fromEntries(Object.entries(node).map(([name, inner]) => [name, inPlace(inner)]))
}

/**
 * openapi.yaml as an object, with shared answers, parameters, headers and examples where they are pointed at; of schemas the
 * pointers stay. Each reader names the part of it that it needs.
 */
export const document: unknown = { ...(written as Shared), paths: inPlace((written as Shared).paths) }
