import type { MessageRow } from '../store/schema.ts'
import { keepOptions, optionsOf } from './row.ts'
import { begunSince } from './timeline.ts'

/** A row to claim in place of a refused one, with a sentence for its timeline. */
export interface Next {
  row: MessageRow
  detail: string
}

/** A refused row with something in its place that is to be sent, and a sentence about it. */
export const instead = (refused: MessageRow, changes: Partial<MessageRow>, detail: string): Next => {
  const warnings = [...(refused.warnings === null ? [] : (JSON.parse(refused.warnings) as string[])), detail]
  const row: MessageRow = { ...refused, state: 'claimed', final: 0, failed_at: null, lease_until: null, ...changes }
  return { row: { ...row, warnings: JSON.stringify(warnings) }, detail }
}

/** What the timeline and the warnings say of it. */
export const fallsBack = 'The 24-hour window was closed: the fallback template goes instead.'

/** The row with its fallback template in place of what a closed window kept out; undefined: it has none. */
export function fallbackOf(refused: MessageRow): Next | undefined {
  // A template answers nobody: what it was to reply to goes with the text.
  const { fallback, replyTo: _, ...rest } = optionsOf(refused)
  if (!fallback) return undefined
  const before = { type: refused.type, content: refused.content }
  const changes = { type: 'template', content: JSON.stringify(fallback.template) }
  return instead(refused, { ...changes, options: keepOptions({ ...rest, before }) }, fallsBack)
}

/** The row as it was before its fallback, which waits or has failed before it left; undefined: it has none, or that has left. */
export function unfallen(row: MessageRow): MessageRow | undefined {
  const { before, ...rest } = optionsOf(row)
  if (!before || !['queued', 'claimed', 'failed'].includes(row.state) || begunSince(row, fallsBack)) return undefined
  const warnings = (JSON.parse(row.warnings ?? '[]') as string[]).slice(0, -1)
  const left = warnings.length > 0 ? JSON.stringify(warnings) : null
  return { ...row, ...before, options: keepOptions(rest), warnings: left }
}
