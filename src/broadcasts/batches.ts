import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { newId } from '../ids.ts'
import { batchSize } from '../messages/transitions/broadcast.ts'
import type { Ready } from './recipients.ts'

/** Checked recipients on disk, as the statement that stores them takes them: read twice, a table would be checked twice. */
export interface Batches {
  add: (recipient: Ready) => Promise<void>
  /** Yields each batch as JSON, [id, contact, content, reference, refusal, run_at] for each recipient, in the order in which they were added. */
  all: () => AsyncGenerator<string>
  remove: () => Promise<void>
}

/** Bytes that are gathered before they are written; outside of the heap, which would grow by what lives that long. */
const gather = 256 * 1024

/** @param directory an existing folder of ours alone */
export async function openBatches(directory: string): Promise<Batches> {
  const path = join(directory, randomUUID())
  // wx: never an existing file, never through a planted link
  const file: FileHandle = await open(path, 'wx+', 0o600)
  const buffer = Buffer.allocUnsafe(gather)
  let filled = 0
  let written = 0
  let count = 0
  /** Where each batch ends. */
  const ends: number[] = []

  const flush = async (): Promise<void> => {
    await file.write(buffer, 0, filled, written)
    written += filled
    filled = 0
  }
  const put = async (text: string): Promise<void> => {
    const size = Buffer.byteLength(text)
    if (filled + size > gather) await flush()
    if (size <= gather) filled += buffer.write(text, filled)
    else {
      await file.write(text, written)
      written += size
    }
  }

  return {
    add: async ({ to, content, reference, refusal = null, runAt = null }) => {
      const text = JSON.stringify([newId('msg'), to, content, reference, refusal, runAt])
      await put(count % batchSize === 0 ? `[${text}` : `,${text}`)
      count++
      if (count % batchSize !== 0) return
      await put(']')
      ends.push(written + filled)
    },
    all: async function* () {
      if (count % batchSize !== 0) {
        await put(']')
        ends.push(written + filled)
      }
      await flush()
      let from = 0
      for (const end of ends) {
        const bytes = Buffer.allocUnsafeSlow(end - from)
        await file.read(bytes, 0, bytes.length, from)
        from = end
        yield bytes.toString()
      }
    },
    remove: async () => {
      await file.close()
      await rm(path, { force: true })
    }
  }
}
