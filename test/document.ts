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

/** openapi.yaml as an object; each reader names the part of it that it needs. */
export const document: unknown = read()
