import { isCollection, isPair, isScalar, Document as YamlDocument } from 'yaml'
import type { Document } from './document.ts'

/** A map or list is written in one line as long as its JSON is no longer. */
const longestLine = 104

/** Whether it can stand in one line. */
const isPlain = (node: unknown): boolean =>
  node === null || isScalar(node) || (isCollection(node) && node.flow === true)

/** Parsers differ about what must be quoted within a line: everything is that might have to be. */
function quote(node: unknown): void {
  if (isScalar(node) && typeof node.value === 'string' && !/^[A-Za-z/$][\w #/$.+-]*$/.test(node.value))
    node.type = 'QUOTE_DOUBLE'
}

/** Puts what is short and plain into one line, from the inside out. */
function flatten(node: unknown): void {
  // Older parsers take an instant without quotes for another thing than text.
  if (isScalar(node) && typeof node.value === 'string' && /^\d{4}-\d\d-\d\d/.test(node.value))
    node.type = 'QUOTE_DOUBLE'
  if (isPair(node)) flatten(node.value)
  if (!isCollection(node)) return
  const items: unknown[] = node.items
  for (const item of items) flatten(item)
  const leaves = items.map(item => (isPair(item) ? item.value : item))
  const list = items.every(item => isScalar(item))
  if (!leaves.every(isPlain) || (!list && JSON.stringify(node).length > longestLine)) return
  node.flow = true
  for (const leaf of leaves) quote(leaf)
}

/** The document as YAML in which what is short takes one line: a type, a list of words, a pointer. */
export function toYaml(document: Document): string {
  const tree = new YamlDocument(document, { aliasDuplicateObjects: false })
  flatten(tree.contents)
  return tree.toString({ lineWidth: 120, indent: 1, indentSeq: false, flowCollectionPadding: false })
}
