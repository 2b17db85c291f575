import type { MediaType } from '../../schemas/content.ts'
import type { ResolvedMedia } from '../adapters/adapter.ts'
import type { MediaRow } from '../store/schema.ts'
import { cleanFilename } from '../upstream/spool.ts'
import { essence } from './kinds.ts'

// Names that files are shown under. WhatsApp shows a document's name, and phones open it by its ending.

const openXml = 'application/vnd.openxmlformats-officedocument.'
/** Endings that fit a type, the one to give first. */
const endings: Readonly<Record<string, readonly string[]>> = {
  'application/pdf': ['pdf'],
  'application/msword': ['doc', 'dot'],
  'application/vnd.ms-excel': ['xls', 'xlt', 'xla'],
  'application/vnd.ms-powerpoint': ['ppt', 'pps', 'pot'],
  [`${openXml}wordprocessingml.document`]: ['docx'],
  [`${openXml}spreadsheetml.sheet`]: ['xlsx'],
  [`${openXml}presentationml.presentation`]: ['pptx'],
  'image/jpeg': ['jpg', 'jpeg', 'jpe', 'jfif'],
  'image/png': ['png'],
  'image/webp': ['webp'],
  'image/gif': ['gif'],
  'video/mp4': ['mp4', 'm4v'],
  'video/3gpp': ['3gp', '3gpp'],
  'audio/aac': ['aac'],
  'audio/mp4': ['m4a', 'mp4', 'm4b'],
  'audio/mpeg': ['mp3', 'mpga'],
  'audio/amr': ['amr'],
  'audio/ogg': ['ogg', 'oga', 'opus'],
  'audio/opus': ['opus', 'ogg'],
  'text/csv': ['csv', 'txt', 'tsv'],
  'text/plain': ['txt']
}
/** Endings of what made the file rather than of the file: pages that serve it, and words for "some bytes". */
const makers =
  'php php3 php5 phtml asp aspx ashx asmx jsp jspx do action cgi pl py rb cfm htm html xhtml bin dat tmp download file zip exe'
const known = new Set([...Object.values(endings).flat(), ...makers.split(' ')])

/** The ending that stands at the end of a name, in lower case; '' where there is none. */
const endingOf = (name: string): string => /.\.([a-z0-9]{1,5})$/i.exec(name)?.[1]?.toLowerCase() ?? ''
const withoutEnding = (name: string): string => name.slice(0, name.length - endingOf(name).length - 1)

/**
 * The name with an ending that fits what the file is: one that is known to be another's is replaced, what may be part of
 * the name stays. Text may be called anything that no other type is called. A type without a known ending changes nothing.
 */
export function fittingName(name: string, mimeType: string): string {
  const type = essence(mimeType)
  const fitting = endings[type]
  const ending = endingOf(name)
  if (fitting === undefined || fitting.includes(ending)) return name
  if (type === 'text/plain' && ending !== '' && !known.has(ending)) return name
  if (type === 'text/plain' && endings['text/csv']!.includes(ending)) return name
  const stem = known.has(ending) ? withoutEnding(name) : name
  return cleanFilename(`${stem}.${fitting[0]}`) ?? `file.${fitting[0]}`
}

/**
 * The name that a link ends in, decoded and cleaned, for a file whose bytes are not seen here. The ending of a page that
 * serves it is left off: nobody knows what it serves. `fallback` where the path ends in nothing.
 */
export function linkName(link: string, fallback: string): string {
  const last = URL.parse(link)?.pathname.split('/').at(-1) ?? ''
  let text: string | undefined
  try {
    text = decodeURIComponent(last)
  } catch {
    text = last
  }
  const name = cleanFilename(text)
  if (name === undefined) return fallback
  return makers.split(' ').includes(endingOf(name)) ? withoutEnding(name) : name
}

/**
 * What a file is called: as the caller says, cleaned like the name of an upload, else as it was uploaded, with the ending
 * of what it is as far as that is known; beside that what its link is called.
 */
export function namesOf(
  kind: MediaType,
  { filename, link }: { filename?: string | undefined; link?: string },
  row: MediaRow | undefined
): Pick<ResolvedMedia, 'filename' | 'linkName'> {
  const name = cleanFilename(filename) ?? row?.filename ?? (row && kind === 'document' ? 'document' : undefined)
  if (name !== undefined) return { filename: row ? fittingName(name, row.mime_type) : name }
  return kind === 'document' && link !== undefined ? { linkName: linkName(link, 'document') } : {}
}
