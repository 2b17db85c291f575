import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { document as openapi } from './document.ts'

interface Response {
  content?: Record<string, { schema: object }>
  headers?: Record<string, unknown>
}
interface Document {
  paths: Record<string, Record<string, { operationId?: string; responses: Record<string, Response> }>>
  components: { schemas: Record<string, object> }
}

const document = openapi as Document
const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { person: true } })
;(formats as unknown as (ajv: Ajv2020) => void)(ajv)
ajv.addSchema({ $id: 'document', components: document.components })
const known = new Map<object, ValidateFunction>()
const compiled = new Map<string, ValidateFunction>()

/** A schema of the document, with its references pointing into it. */
function validator(schema: object): ValidateFunction {
  let found = known.get(schema)
  if (!found) {
    // Hundreds of answers have the same words.
    const words = JSON.stringify(schema).replaceAll('"#/components', '"document#/components')
    found = compiled.get(words) ?? ajv.compile(JSON.parse(words))
    compiled.set(words, found)
    known.set(schema, found)
  }
  return found
}

const templates = Object.keys(document.paths).map(path => ({
  path,
  pattern: new RegExp(`^${path.replace('{path}', '.+').replace(/\{[^}]+\}/g, '[^/]+')}$`)
}))

export interface Seen {
  method: string
  path: string
  status: number
  contentType: string
  text: string
}

/**
 * What is wrong with an answer by the document; empty when nothing is. Answers of paths that the document does not know
 * (404, 405 and the pages) must be problems or are not its business.
 */
export function breaches({ method, path, status, contentType, text }: Seen): string[] {
  const bare = path.split('?')[0]!
  const at = document.paths[bare] ?? document.paths[templates.find(({ pattern }) => pattern.test(bare))?.path ?? '']
  const operation = at?.[method.toLowerCase()]
  if (!operation) return []
  const response = operation.responses[String(status)] ?? operation.responses.default
  if (!response) return [`${method} ${bare} answered ${status}, which the document does not have`]
  if (!response.content)
    return text === '' ? [] : [`${method} ${bare} ${status} has a body that the document does not have`]
  const type = contentType.split(';')[0]!
  const media = response.content[type] ?? response.content['application/octet-stream'] ?? response.content['*/*']
  if (!media) return [`${method} ${bare} ${status} came as ${type}`]
  if (!type.endsWith('json')) return []
  const check = validator(media.schema)
  return check(JSON.parse(text))
    ? []
    : [`${method} ${bare} ${status}: ${ajv.errorsText(check.errors)} in ${text.slice(0, 300)}`]
}
