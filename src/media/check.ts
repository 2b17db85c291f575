import type { MediaType } from '../../schemas/content.ts'
import { ServiceError } from '../errors.ts'
import type { MediaRow } from '../store/schema.ts'
import type { SpooledFile } from '../upstream/spool.ts'
import { type MediaFacts, remarksOn } from './facts.ts'
import { checkMedia } from './kinds.ts'
import type { Sniffed } from './sniff.ts'

// What may be sent, in the words of a refusal.

/**
 * What the bytes of a file really are.
 * @param look how its type is found: `sniff` or `sniffFetched`
 * @param kind what it is to be sent as, where that is known
 * @throws ServiceError media_rejected
 */
export async function judge(
  file: SpooledFile,
  look: (file: SpooledFile) => Promise<Sniffed>,
  kind?: MediaType
): Promise<{ mimeType: string; facts: MediaFacts }> {
  const found = await look(file)
  if ('rejected' in found) throw new ServiceError('media_rejected', `The file is not taken: ${found.rejected}.`)
  const { mimeType, ...facts } = found
  const { animated } = facts
  const fault = checkMedia({
    ...(kind && { kind }),
    mimeType,
    size: file.size,
    ...(animated !== undefined && { animated })
  })
  if (fault) throw new ServiceError('media_rejected', `The file is not taken: ${fault.detail}.`)
  return { mimeType, facts }
}

/** What is known of a kept or uploaded file, for a send of `kind`: its remarks. Throws ServiceError media_rejected. */
export function checkRow(row: MediaRow, kind: MediaType, path: string): string[] {
  const facts = row.facts === null ? {} : (JSON.parse(row.facts) as MediaFacts)
  // Where nobody has looked whether it moves, it may.
  const fault = checkMedia({ kind, mimeType: row.mime_type, size: row.size, animated: facts.animated ?? true })
  if (fault)
    throw new ServiceError('media_rejected', `${path} cannot be sent as ${kind}: ${fault.detail}.`, {
      errors: [{ path, message: fault.detail }]
    })
  return remarksOn(kind, facts)
}
