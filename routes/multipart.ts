import type { Multipart, MultipartFile } from '@fastify/multipart'
import { invalid } from '../src/errors.ts'

export type Parts = AsyncIterableIterator<Multipart>

/** What the parser throws at a body that breaks off or has no boundary carries no status: it is the caller's fault. */
export function unreadable(error: Error & { statusCode?: number }): never {
  throw error.statusCode === undefined ? invalid('/', 'is not a whole multipart body') : error
}

/** The bytes of the file, which must be the last part: nothing that stands behind it is left unread. */
export async function* bytesOf(file: MultipartFile, parts: Parts): AsyncIterable<Uint8Array> {
  let behind: IteratorResult<Multipart, unknown>
  try {
    yield* file.file
    behind = await parts.next()
  } catch (error) {
    unreadable(error as Error)
  }
  if (!behind.done) throw invalid(`/${behind.value.fieldname}`, 'must not stand behind the file')
}
