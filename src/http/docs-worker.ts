import { parentPort, workerData } from 'node:worker_threads'
import { parse } from 'yaml'
import { forPage, makeDocsUi } from './docs-ui.ts'
import { type Document, makeDocument } from './documents.ts'

// Runs once, in a thread of its own: to read the document takes longer than any request may hold the others up (P49).

/** What the thread is given. */
export interface DocsOrder {
  /** openapi.yaml, as it is served */
  yaml: string
  ui: boolean
}

const { yaml, ui } = workerData as DocsOrder
const document = parse(yaml)
const made: Record<string, Document> = {
  '/openapi.json': await makeDocument('application/json; charset=utf-8', JSON.stringify(document))
}
if (ui) {
  const shown = forPage(document)
  made['/docs/json'] = await makeDocument('application/json; charset=utf-8', JSON.stringify(shown))
  for (const [path, page] of await makeDocsUi(shown as never)) made[path] = page
}
parentPort!.postMessage(made)
