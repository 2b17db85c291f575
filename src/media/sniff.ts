import { open } from 'node:fs/promises'
import type { SpooledFile } from '../upstream/spool.ts'
import { type MediaFacts, type Tracks, tracksOf, webpSize } from './facts.ts'
import { essence } from './kinds.ts'

/** The type that the bytes have and the declaration does not contradict, or why there is none, for the caller. */
export type Sniffed = ({ mimeType: string } & MediaFacts) | { rejected: string }

/** Other names of one type, theirs → ours. Left side lower case, as senders and the file-type library write them. */
const ALIASES: Readonly<Record<string, string>> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/x-png': 'image/png',
  'image/apng': 'image/png', // an APNG is a PNG to whoever does not animate it
  'audio/m4a': 'audio/mp4',
  'audio/x-m4a': 'audio/mp4',
  'audio/mp3': 'audio/mpeg',
  'audio/x-mp3': 'audio/mpeg',
  'audio/x-mpeg': 'audio/mpeg',
  'audio/x-aac': 'audio/aac',
  'audio/aacp': 'audio/aac',
  'audio/x-hx-aac-adts': 'audio/aac',
  'audio/wave': 'audio/wav',
  'audio/x-wav': 'audio/wav',
  'audio/vnd.wave': 'audio/wav',
  'video/x-m4v': 'video/mp4',
  'video/3gp': 'video/3gpp',
  'application/x-pdf': 'application/pdf',
  'application/vnd.msword': 'application/msword',
  'application/csv': 'text/csv',
  'application/x-csv': 'text/csv',
  'text/x-csv': 'text/csv',
  'text/comma-separated-values': 'text/csv'
}

/**
 * Containers whose bytes do not settle the type: sniffed → declared types that may speak for them. A 3GP, or an MP4 that
 * does not list its tracks, may be of sound alone; old Office files share the compound-file signature.
 */
const SETTLED_BY_DECLARATION: Readonly<Record<string, readonly string[]>> = {
  'video/mp4': ['audio/mp4'],
  'video/3gpp': ['audio/3gpp'],
  'application/x-cfb': ['application/msword', 'application/vnd.ms-excel', 'application/vnd.ms-powerpoint']
}

/** What a name says about a compound file that came without a type. */
const CFB_EXTENSIONS: Readonly<Record<string, string>> = {
  doc: 'application/msword',
  xls: 'application/vnd.ms-excel',
  ppt: 'application/vnd.ms-powerpoint'
}

/** Declared types that a browser would run or render as a page. Refused whatever the bytes are. */
const ACTIVE =
  /^(text\/(html|xml|css)|application\/(xhtml\+xml|xml)|image\/svg(\+xml)?|(text|application)\/(x-)?(java|ecma)script)$/

/** Text that begins as a page, a picture or a script does, whatever it is called. */
const MARKUP = /^\s*(<!--|<!doctype\s+(html|svg)|<(html|head|body|script|svg|iframe)[\s>/]|<\?xml|<\?php|#!)/i

/** Signatures with which an honest text may begin ("BMW;", "MZ-1", "ID3;"). The real thing is never all text. */
const WEAK_IN_TEXT = ['image/bmp', 'application/x-msdownload', 'audio/mpeg']

const HEAD = 4096

/**
 * Tells a file's type from its bytes (threat T43). The declared type must agree; aliases do. Without one (missing or
 * application/octet-stream) the bytes decide. A declared type without a signature of its own (text/plain, text/csv)
 * holds if the whole file is UTF-8 text. An MP4 without pictures is audio/mp4. Ogg that is not Opus comes out as
 * application/ogg, which WhatsApp does not take. Never throws on what the bytes are, only on disk errors.
 */
export async function sniff(file: SpooledFile): Promise<Sniffed> {
  if (file.size === 0) return { rejected: 'the file is empty' }
  const stated = canonical(file.declaredType ?? '')
  const declared = stated === 'application/octet-stream' || stated === 'binary/octet-stream' ? '' : stated
  if (ACTIVE.test(declared)) return { rejected: `${declared} is markup or script, which is not sent as media` }
  const head = await readHead(file.path)
  const magic = await detect(file.path, head)
  const texty = declared === '' || isTextType(declared) || isCsvFromWindows(file, declared)
  if (magic === undefined || (texty && WEAK_IN_TEXT.includes(magic) && (await isUtf8Text(file.path)))) {
    return textual(file, head, declared, texty)
  }
  const container = canonical(magic)
  const tracks = container === 'video/mp4' || container === 'audio/mp4' ? await tracksOf(file.path) : undefined
  const sniffed = withoutPictures(tracks) ? 'audio/mp4' : container
  const mimeType = agree(declared, magic, sniffed, file.filename, tracks)
  if (mimeType === undefined) {
    const as = declared === '' ? 'without a type that settles it' : `declared as ${declared}`
    return { rejected: `the file is ${sniffed} but came ${as}; send it with its own type` }
  }
  return { mimeType, ...factsOf(magic, head, tracks) }
}

/**
 * The type of a file that a link gave, whose host says of it what it likes (docs/api.md 7): where its word and the bytes
 * differ, the bytes decide alone.
 */
export async function sniffFetched(file: SpooledFile): Promise<Sniffed> {
  const believed = await sniff(file)
  if (!('rejected' in believed) || file.declaredType === undefined) return believed
  const { declaredType: _, ...bytes } = file
  return sniff(bytes)
}

const withoutPictures = (tracks: Tracks | undefined): boolean =>
  tracks !== undefined && tracks.video.length === 0 && tracks.sound.length > 0

function factsOf(magic: string, head: Buffer, tracks: Tracks | undefined): MediaFacts {
  const animated = isAnimated(magic, head)
  const codec = tracks?.video[0]
  return {
    ...(animated !== undefined && { animated }),
    ...(magic === 'image/webp' && webpSize(head)),
    ...(codec && { codec })
  }
}

/** An Open XML file is a zip, and its sender may know it by its older kind. */
const OPEN_XML = 'application/vnd.openxmlformats-officedocument.'
const OPEN_XML_TOO = [
  'application/msword',
  'application/vnd.ms-excel',
  'application/vnd.ms-powerpoint',
  'application/zip',
  'application/x-zip',
  'application/x-zip-compressed'
]

function agree(
  declared: string,
  magic: string,
  sniffed: string,
  filename: string | undefined,
  tracks: Tracks | undefined
): string | undefined {
  if (sniffed.startsWith(OPEN_XML) && OPEN_XML_TOO.includes(declared)) return sniffed
  // The name of the container, said of one that has sound alone.
  if (sniffed === 'audio/mp4' && declared === 'video/mp4' && withoutPictures(tracks)) return sniffed
  const settled = tracks ? [] : (SETTLED_BY_DECLARATION[sniffed] ?? [])
  if (declared !== '' && settled.includes(declared)) return declared
  if (sniffed === 'application/x-cfb') {
    return declared === '' ? CFB_EXTENSIONS[extensionOf(filename)] : undefined
  }
  if (isOgg(sniffed)) {
    if (declared !== '' && !isOgg(declared)) return undefined
    return magic.includes('opus') ? 'audio/ogg' : 'application/ogg'
  }
  return declared === '' || declared === sniffed ? sniffed : undefined
}

/** A file without a signature: it can only be text. */
async function textual(file: SpooledFile, head: Buffer, declared: string, texty: boolean): Promise<Sniffed> {
  if (!texty) {
    const markup = MARKUP.test(head.toString('latin1')) ? 'is markup or script' : 'has no such signature'
    return { rejected: `the file came declared as ${declared} but ${markup}; send it with its own type` }
  }
  if (!(await isUtf8Text(file.path))) {
    const rejected = declared === '' ? 'the file has no known type' : `the file is not ${declared} in UTF-8`
    return { rejected: `${rejected}; send one of the accepted types, text as UTF-8` }
  }
  if (MARKUP.test(head.toString().replace(/^\ufeff/, ''))) {
    return { rejected: 'the file is markup or script, which is not sent as media' }
  }
  if (declared !== '' && isTextType(declared)) return { mimeType: declared }
  return { mimeType: extensionOf(file.filename) === 'csv' ? 'text/csv' : 'text/plain' }
}

function canonical(mimeType: string): string {
  const type = essence(mimeType)
  return ALIASES[type] ?? type
}

function isOgg(type: string): boolean {
  return type === 'audio/ogg' || type === 'application/ogg' || type === 'audio/opus'
}

function isTextType(type: string): boolean {
  return type.startsWith('text/') || type === 'application/json'
}

/** Browsers on a Windows with Excel declare a .csv as an Excel file. */
function isCsvFromWindows(file: SpooledFile, declared: string): boolean {
  return declared === 'application/vnd.ms-excel' && extensionOf(file.filename) === 'csv'
}

function extensionOf(filename: string | undefined): string {
  return /\.([a-z0-9]+)$/i.exec(filename ?? '')?.[1]?.toLowerCase() ?? ''
}

/** WebP: the animation bit of an extended header. PNG: file-type tells an APNG apart. Else not known. */
function isAnimated(magic: string, head: Buffer): boolean | undefined {
  if (magic === 'image/webp') return head.toString('latin1', 12, 16) === 'VP8X' && ((head[20] ?? 0) & 0x02) !== 0
  if (magic === 'image/png') return false
  return magic === 'image/apng' ? true : undefined
}

/**
 * The library's verdict, parameters kept. The library is loaded at the first file, for most processes never see one.
 * It looks behind an ID3 tag and a byte order mark and reports what it finds there, but no player or viewer does.
 */
async function detect(path: string, head: Buffer): Promise<string | undefined> {
  const { fileTypeFromFile } = await import('file-type')
  let mime: string | undefined
  try {
    mime = (await fileTypeFromFile(path, LIBRARY))?.mime.toLowerCase()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error
    // a malformed container: no verdict
  }
  if (head.toString('latin1', 0, 3) === 'ID3') return mime?.startsWith('audio/') ? mime : 'audio/mpeg'
  const marked = head.toString('latin1', 0, 3) === '\xef\xbb\xbf'
  return marked && mime !== undefined && /^(image|audio|video)\//.test(mime) ? undefined : mime
}

/** At most 1 MiB held at a time; an MP3 may begin with a few stray bytes, as the library advises. */
const LIBRARY = { maxBufferSize: 1024 * 1024, mpegOffsetTolerance: 10 }

async function readHead(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Whether all of it is UTF-8 without control characters other than tab, line ends and form feed. */
async function isUtf8Text(path: string): Promise<boolean> {
  const file = await open(path)
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    for await (const chunk of file.createReadStream({ autoClose: false })) {
      if (/[\0-\x08\x0b\x0e-\x1f\x7f]/.test(decoder.decode(chunk as Buffer, { stream: true }))) return false
    }
    decoder.decode()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return false
    throw error
  } finally {
    await file.close()
  }
}
