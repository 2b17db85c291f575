import { type Call, Refusal } from '../call.ts'
import { graphError, wrong } from './graph.ts'

const KB = 1024
const MB = 1024 * KB

/** What Meta takes, in the order of its own error text, with the size of each kind (docs/upstream.md 4.5). */
const KINDS: Record<string, { types: readonly string[]; largest: number }> = {
  audio: {
    types: ['audio/aac', 'audio/mp4', 'audio/mpeg', 'audio/amr', 'audio/ogg', 'audio/opus'],
    largest: 16 * MB
  },
  document: {
    types: [
      'application/vnd.ms-powerpoint',
      'application/msword',
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
      'application/vnd.openxmlformats-officedocument.presentationml.presentation',
      'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
      'application/pdf',
      'text/plain',
      'application/vnd.ms-excel'
    ],
    largest: 100 * MB
  },
  image: { types: ['image/jpeg', 'image/png'], largest: 5 * MB },
  // animated ones may be this large, static ones 100 KB; the sandbox does not look inside
  sticker: { types: ['image/webp'], largest: 500 * KB },
  video: { types: ['video/mp4', 'video/3gpp'], largest: 16 * MB }
}

/** Whether a message type carries a file. */
export function mediaKind(type: string): boolean {
  return Object.hasOwn(KINDS, type)
}

/** A mime type without its parameters: `audio/ogg; codecs=opus` is ogg. */
export function bareType(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase()
}

/** Refuses a type that no kind takes, or a file that its kind finds too large. */
export function checkFile(contentType: string, size: number): void {
  const type = bareType(contentType)
  const kind = Object.values(KINDS).find(({ types }) => types.includes(type))
  if (kind === undefined) {
    const all = Object.values(KINDS)
      .flatMap(({ types }) => types)
      .join(', ')
    throw wrong(
      100,
      `Param file must be a file with one of the following types: ${all}. ` + `Received file of type '${contentType}'.`
    )
  }
  if (size === 0) throw wrong(100, 'Param file must not be empty')
  if (size > kind.largest) throw wrong(131053, `Media file size too big. Max file size: ${kind.largest}, got ${size}`)
}

/** The media object of a message: exactly one of id and link, and an id of the right kind. */
export function checkMediaObject(call: Call, kind: string, media: Record<string, unknown>): void {
  if ((media.id === undefined) === (media.link === undefined)) {
    throw wrong(131009, `Exactly one of id and link is required in ${kind}`)
  }
  if (media.id === undefined) return
  const medium = call.state.media.get(String(media.id))
  if (medium === undefined) {
    call.entry.refused = `unknown media ${String(media.id)}`
    throw new Refusal(
      graphError(131009, {
        details: `Param ${kind}['id'] is not a valid whatsapp business account media attachment ID`
      })
    )
  }
  const type = bareType(medium.mimeType)
  if (!KINDS[kind]?.types.includes(type)) throw wrong(131053, `A file of type ${type} cannot be sent as ${kind}`)
}
