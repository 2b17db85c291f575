import sax from 'sax'
import yauzl, { type Entry, type ZipFile } from 'yauzl'
import { invalid, ServiceError } from '../errors.ts'

// The parts of a workbook, each read as a stream: yauzl unpacks no more than a part says it holds, and sax knows no entities but
// XML's own.

const mb = 1024 * 1024
/** A part may be so many times as large as it is packed, beside a first megabyte: what is more was made to be (docs/reliability.md P49). */
const mostInflated = 150
const mostParts = 2000

export type Attributes = Readonly<Record<string, string>>
/** What is told of a part's XML; names come without their prefix. */
export interface Handlers {
  open?: (name: string, attributes: Attributes) => void
  text?: (text: string) => void
  close?: (name: string) => void
}

/** A name of XML without its prefix. */
export const plain = (name: string): string => name.slice(name.indexOf(':') + 1)
/** The 413 for what unpacks to too much. */
export const tooLarge = () =>
  new ServiceError('payload_too_large', 'The workbook unpacks to more than is taken. Save its sheet as CSV.')

/** A workbook whose parts are found by name. */
export interface Workbook {
  zip: ZipFile
  parts: ReadonlyMap<string, Entry>
  path: string
}

/** Any fault of the archive or of its XML, in the caller's words; a fault of the disk or of ours stays what it is. */
export function damaged(path: string, error: unknown): never {
  const { syscall, code } = error as NodeJS.ErrnoException
  const ours = error instanceof TypeError && code !== 'ERR_ENCODING_INVALID_ENCODED_DATA'
  if (error instanceof ServiceError || syscall !== undefined || ours) throw error
  throw invalid(path, 'is a damaged .xlsx, or one that is protected by a password: save it again, or as CSV')
}

/** Opens an archive, and throws a 400 that says what it is where that is no workbook. */
export async function openWorkbook(source: { file: string } | { bytes: Buffer }, path: string): Promise<Workbook> {
  const options = { lazyEntries: true, autoClose: false } as const
  const zip = await ('file' in source
    ? yauzl.openPromise(source.file, options)
    : yauzl.fromBufferPromise(source.bytes, options)
  ).catch(error => damaged(path, error))
  try {
    if (zip.entryCount > mostParts) throw tooLarge()
    const parts = new Map<string, Entry>()
    for await (const entry of zip.eachEntry()) parts.set(entry.fileName, entry)
    const other = ['xl/workbook.bin', '.xlsb'].some(name => parts.has(name))
    if (other) throw invalid(path, 'is a binary workbook (.xlsb): save it as .xlsx or CSV')
    if (parts.has('content.xml') && parts.has('mimetype'))
      throw invalid(path, 'is an OpenDocument file (.ods): save it as .xlsx or CSV')
    if (!parts.has('_rels/.rels')) throw invalid(path, 'is an archive and no workbook: give the .xlsx or CSV itself')
    return { zip, parts, path }
  } catch (error) {
    zip.close()
    return damaged(path, error)
  }
}

/** Reads a part, and gives a turn after each piece of it. Nothing where it is not there. */
export async function* readPart(book: Workbook, name: string, limit: number, handlers: Handlers): AsyncGenerator<void> {
  const entry = book.parts.get(name)
  if (!entry) return
  const { uncompressedSize, compressedSize } = entry
  if (uncompressedSize > limit || uncompressedSize > mb + mostInflated * compressedSize) throw tooLarge()
  const parser = sax.parser(true, { position: false })
  let broken: Error | undefined
  parser.onerror = error => {
    broken ??= error
  }
  parser.onopentag = ({ name: tag, attributes }) => handlers.open?.(plain(tag), attributes as Attributes)
  parser.ontext = text => handlers.text?.(text)
  parser.oncdata = text => handlers.text?.(text)
  parser.onclosetag = tag => handlers.close?.(plain(tag))
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const stream = await book.zip.openReadStreamPromise(entry)
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      parser.write(decoder.decode(chunk, { stream: true }))
      if (broken) throw broken
      yield
    }
    parser.write(decoder.decode()).close()
    if (broken) throw broken
  } finally {
    stream.destroy()
  }
}

export async function readWhole(book: Workbook, name: string, limit: number, handlers: Handlers): Promise<void> {
  for await (const _ of readPart(book, name, limit, handlers));
}

/** The targets of a part's relations, by id and by the last word of their type. */
export async function relationsOf(book: Workbook, part: string): Promise<Map<string, string>> {
  const folder = part.slice(0, part.lastIndexOf('/') + 1)
  const found = new Map<string, string>()
  await readWhole(book, `${folder}_rels/${part.slice(folder.length)}.rels`, 8 * mb, {
    open: (name, { Id, Type = '', Target = '' }) => {
      if (name !== 'Relationship') return
      const target = new URL(Target, `file:///${folder}`).pathname.slice(1)
      if (Id) found.set(Id, target)
      found.set(Type.slice(Type.lastIndexOf('/') + 1), target)
    }
  })
  return found
}
