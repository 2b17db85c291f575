import { isUtf8 } from 'node:buffer'
import { createHash, randomUUID } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** A file that we hold on disk, complete and counted. Nothing in it has been believed yet: see `media/sniff.ts`. */
export interface SpooledFile {
  /** Absolute or relative as `directory` was; the last part is random and owes nothing to the caller. */
  path: string
  /** Bytes written. */
  size: number
  /** SHA-256 of the bytes, lower-case hex. */
  sha256: string
  /** The content type that came with the bytes, as it was written, parameters included. */
  declaredType?: string
  /** The name that came with the bytes, cleaned (`cleanFilename`). For display and upload, never for a path. */
  filename?: string
  /** Deletes the file; may be called again. */
  remove(): Promise<void>
}

export interface SpoolOptions {
  /** An existing directory, ours alone. */
  directory: string
  /** Most bytes to take. */
  maxBytes: number
  filename?: string | undefined
  declaredType?: string | undefined
}

/** The source had more than `maxBytes` bytes. */
export class TooLargeError extends Error {
  readonly code = 'too_large'
  readonly maxBytes: number
  constructor(maxBytes: number) {
    super(`the file is larger than ${maxBytes} bytes`)
    this.name = 'TooLargeError'
    this.maxBytes = maxBytes
  }
}

/** Whether an error says that our disk is full or cannot be written, or that no descriptor is left: nobody's file is wrong. */
export const isDiskFault = (error: unknown): error is NodeJS.ErrnoException =>
  /^(ENOSPC|EDQUOT|EROFS|EIO|EMFILE|ENFILE|EACCES|EPERM|ENOENT)$/.test((error as NodeJS.ErrnoException).code ?? '')

/**
 * Writes a stream to a new file (random name, mode 0600), counting and hashing on the way; the source waits for the
 * disk. On any failure the file is gone before the promise rejects.
 * @throws {TooLargeError} at the first byte over `maxBytes`, the source is then destroyed
 * @throws whatever the source or the file system throws
 */
export async function spool(source: AsyncIterable<Uint8Array>, options: SpoolOptions): Promise<SpooledFile> {
  const path = join(options.directory, randomUUID())
  const remove = () => rm(path, { force: true })
  const hash = createHash('sha256')
  let size = 0
  // wx: never an existing file, never through a planted link
  const file = await open(path, 'wx', 0o600)
  try {
    try {
      for await (const chunk of source) {
        size += chunk.byteLength
        if (size > options.maxBytes) throw new TooLargeError(options.maxBytes)
        hash.update(chunk)
        await file.writeFile(chunk)
      }
      // a multipart parser with a limit of its own ends the stream early and says so only here
      if ((source as { truncated?: unknown }).truncated === true) throw new TooLargeError(options.maxBytes)
    } finally {
      await file.close()
    }
  } catch (error) {
    await remove()
    throw error
  }
  const spooled: SpooledFile = { path, size, sha256: hash.digest('hex'), remove }
  const filename = cleanFilename(options.filename)
  const declaredType = options.declaredType?.trim().slice(0, 255)
  if (filename !== undefined) spooled.filename = filename
  if (declaredType) spooled.declaredType = declaredType
  return spooled
}

const MAX_NAME = 100
const MAX_EXTENSION = 16

/**
 * A file name fit to show and to pass on: the last path part, normalised (NFC), without control, format and
 * bidirectional-override characters, lone surrogates, leading dots and characters that break headers or Windows;
 * at most 100 UTF-16 units with the extension kept. `undefined` when nothing is left.
 */
export function cleanFilename(name: string | undefined): string | undefined {
  if (name === undefined) return undefined
  const last = name.toWellFormed().normalize('NFC').split(/[/\\]/).at(-1) ?? ''
  const clean = withoutDots(
    last
      // the joiners U+200C and U+200D belong to Persian and to emoji; the rest of Cf only hides or reorders
      .replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\ufffd]/gu, '')
      .replace(/[<>:"|?*]/g, '_')
      .replace(/\s+/g, ' ')
  )
  if (clean === '') return undefined
  if (clean.length <= MAX_NAME) return clean
  const dot = clean.lastIndexOf('.')
  const extension = dot > 0 && clean.length - dot <= MAX_EXTENSION ? clean.slice(dot) : ''
  return shorten(clean.slice(0, clean.length - extension.length), MAX_NAME - extension.length) + extension
}

/** Takes dots and spaces off both ends: a pattern would try each of them anew, seconds for a name of 60 KB (T46). */
function withoutDots(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && '. '.includes(text[from]!)) from++
  while (to > from && '. '.includes(text[to - 1]!)) to--
  return text.slice(from, to)
}

/** Cuts to at most `length` UTF-16 units without halving a surrogate pair. */
function shorten(text: string, length: number): string {
  const cut = text.slice(0, length)
  return cut.isWellFormed() ? cut : cut.slice(0, -1)
}

/**
 * The file name that an answer offers, not yet cleaned: Content-Disposition (RFC 6266, `filename*` before `filename`),
 * else the last segment of the URL's path.
 */
export function offeredName(disposition: string | undefined, url: URL): string | undefined {
  const [, charset, encoded] = /;\s*filename\*\s*=\s*([\w-]+)'[\w-]*'([^\s;]+)/i.exec(disposition ?? '') ?? []
  const extended = charset?.toLowerCase() === 'utf-8' ? decoded(encoded) : undefined
  if (extended !== undefined) return extended
  const [, quoted, token] = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(disposition ?? '') ?? []
  const plain = quoted?.replace(/\\(["\\])/g, '$1') ?? token
  if (plain !== undefined) {
    // undici hands header bytes over as Latin-1; many servers send raw UTF-8
    const bytes = Buffer.from(plain, 'latin1')
    return isUtf8(bytes) ? bytes.toString() : plain
  }
  return decoded(url.pathname.split('/').at(-1))
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch {
    return undefined
  }
}
