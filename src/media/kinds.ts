/**
 * What WhatsApp takes, per kind of media message. Source: docs/upstream.md 4.5 (Meta's own error text for the types, its
 * media page for the sizes). others send through Meta, so its limits are assumed of them too.
 */
export type MediaKind = 'image' | 'video' | 'audio' | 'document' | 'sticker'

export interface KindRule {
  /** MIME types, lower case, without parameters. */
  readonly types: readonly string[]
  /** Largest file, bytes. Meta writes MB without saying which; the larger reading refuses nothing that it takes. */
  readonly maxBytes: number
  /** Largest file when it is animated, where that differs. */
  readonly maxBytesAnimated?: number
}

const KiB = 1024
const MiB = 1024 * KiB
const OPEN_XML = 'application/vnd.openxmlformats-officedocument.'

export const MEDIA_KINDS: Readonly<Record<MediaKind, KindRule>> = {
  image: { types: ['image/jpeg', 'image/png'], maxBytes: 5 * MiB },
  video: { types: ['video/mp4', 'video/3gpp'], maxBytes: 16 * MiB },
  audio: {
    types: ['audio/aac', 'audio/mp4', 'audio/mpeg', 'audio/amr', 'audio/ogg', 'audio/opus'],
    maxBytes: 16 * MiB
  },
  document: {
    types: [
      'application/pdf',
      'text/plain',
      'text/csv', // goes up as text/plain: see uploadType
      'application/msword',
      'application/vnd.ms-excel',
      'application/vnd.ms-powerpoint',
      `${OPEN_XML}wordprocessingml.document`,
      `${OPEN_XML}spreadsheetml.sheet`,
      `${OPEN_XML}presentationml.presentation`
    ],
    maxBytes: 100 * MiB
  },
  sticker: { types: ['image/webp'], maxBytes: 100 * KiB, maxBytesAnimated: 500 * KiB }
}

const KINDS = Object.keys(MEDIA_KINDS) as MediaKind[]

/** More than any kind takes: the cap for a download or an upload whose kind is not known yet. Bytes. */
export const LARGEST_MEDIA = Math.max(...KINDS.map(kind => MEDIA_KINDS[kind].maxBytes))

/** A MIME type as the tables have it: lower case, no parameters, no space around. */
export function essence(mimeType: string): string {
  return (mimeType.split(';')[0] ?? '').trim().toLowerCase()
}

/** The kinds of message that take this type; empty when WhatsApp takes it in none. */
export function kindsOf(mimeType: string): MediaKind[] {
  const type = essence(mimeType)
  return KINDS.filter(kind => MEDIA_KINDS[kind].types.includes(type))
}

/** The type to name when uploading: Meta refuses text/csv but takes it as text/plain under its .csv name. */
export function uploadType(mimeType: string): string {
  const type = essence(mimeType)
  return type === 'text/csv' ? 'text/plain' : type
}

export interface MediaFault {
  rule: 'empty' | 'type' | 'size'
  /** What is wrong and what would do, for the caller. */
  detail: string
}

/** Types that are refused often and can be mended. */
const HINTS: Readonly<Record<string, string>> = {
  'application/ogg': ' (an Ogg audio must be Opus)',
  'image/webp': ' (WebP is for stickers only)',
  'video/quicktime': ' (convert it to MP4)',
  'audio/wav': ' (convert it to Ogg Opus, AAC or MP3)',
  'image/heic': ' (convert it to JPEG)'
}

/**
 * Checks a file against its kind, or against every kind that takes its type when the kind is not known yet.
 * `mimeType` should be the sniffed one; `size` is in bytes. `null` when it may be sent.
 */
export function checkMedia(media: {
  kind?: MediaKind | undefined
  mimeType: string
  size: number
  animated?: boolean | undefined
}): MediaFault | null {
  const { kind, size } = media
  const type = essence(media.mimeType)
  if (size === 0) return { rule: 'empty', detail: 'the file is empty' }
  const fitting = kindsOf(type).filter(each => kind === undefined || each === kind)
  if (fitting.length === 0) {
    const what = kind === undefined ? 'media' : `${kind} message`
    const taken = (kind === undefined ? KINDS : [kind]).flatMap(each => MEDIA_KINDS[each].types).join(', ')
    return { rule: 'type', detail: `${type} cannot be sent as ${what}${HINTS[type] ?? ''}; accepted: ${taken}` }
  }
  const limits = fitting.map(each => {
    const { maxBytes, maxBytesAnimated } = MEDIA_KINDS[each]
    return media.animated === true ? (maxBytesAnimated ?? maxBytes) : maxBytes
  })
  const most = Math.max(...limits)
  if (size <= most) return null
  const name = `${media.animated === true && kind === 'sticker' ? 'animated ' : ''}${kind ?? fitting.join(' or ')}`
  return { rule: 'size', detail: `the file has ${size} bytes; ${name} may have ${most}` }
}
