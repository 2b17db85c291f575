import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { newId } from '../ids.ts'
import { batchSize } from '../messages/transitions/broadcast.ts'
import type { Ready } from './recipients.ts'

/** Checked recipients on disk, as the statement that stores them takes them: read twice, a table would be checked twice. */
export interface Batches {
  add: (recipients: readonly Ready[]) => Promise<void>
  /** Yields each batch as JSON, [id, contact, content, reference, refusal, run_at] for each recipient, in the order in which they were added. */
  all: () => AsyncGenerator<string>
  remove: () => Promise<void>
}

/** Bytes that are gathered before they are written; outside of the heap, which would grow by what lives that long. */
const gather = 256 * 1024
/** Characters that are put there at a time: long rows are not to be in memory twice. */
const most = 32 * 1024

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
    add: async recipients => {
      let text = ''
      for (const { to, content, reference, refusal = null, runAt = null } of recipients) {
        text += count % batchSize === 0 ? '[' : ','
        text += JSON.stringify([newId('msg'), to, content, reference, refusal, runAt])
        const whole = ++count % batchSize === 0
        if (!whole && text.length < most) continue
        await put(whole ? `${text}]` : text)
        text = ''
        if (whole) ends.push(written + filled)
      }
      await put(text)
    },
    all: async function* () {
      if (count % batchSize !== 0) {
        await put(']')
        ends.push(written + filled)
      }
      await flush()
      let from = 0
      // One for all: each would be kept until the heap is collected.
      const bytes = Buffer.allocUnsafeSlow(Math.max(0, ...ends.map((end, i) => end - (ends[i - 1] ?? 0))))
      for (const end of ends) {
        const { bytesRead } = await file.read(bytes, 0, end - from, from)
        from = end
        yield bytes.toString('utf8', 0, bytesRead)
      }
    },
    remove: async () => {
      await file.close()
      await rm(path, { force: true })
    }
  }
}
