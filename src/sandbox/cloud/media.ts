import type { Act, Call } from '../call.ts'
import { fbtrace, MEDIA_ID, mediaId } from '../ids.ts'
import { wrong } from './graph.ts'
import { bareType, checkFile } from './media-types.ts'
import { missing, objectId } from './objects.ts'

const PART_NAMES = ['file', 'type', 'messaging_product']

/** Row 32: the file's own content type decides, with or without the field beside it (docs/upstream.md 4.5). */
export function uploadMedia(call: Call): Act {
  const phoneNumberId = objectId(call)
  const parts = call.body.kind === 'multipart' ? call.body.parts : []
  const stray = parts.find(
    ({ name }, at) => !PART_NAMES.includes(name) || parts.findIndex(one => one.name === name) < at
  )
  if (stray !== undefined) throw wrong(100, `Unexpected part "${stray.name}"`)
  const part = (name: string) => {
    const found = parts.find(one => one.name === name)
    if (found === undefined) throw wrong(100, `The parameter ${name} is required.`)
    return found
  }
  if (part('messaging_product').value !== 'whatsapp') throw wrong(100, "Param messaging_product must be 'whatsapp'")
  const file = part('file')
  if (!file.filename) throw wrong(100, 'Param file must be a file')
  checkFile(file.contentType, file.size)
  const type = parts.find(({ name }) => name === 'type')?.value ?? file.contentType
  if (bareType(type) !== bareType(file.contentType)) {
    throw wrong(100, `Param type '${type}' is not the type of the file, '${file.contentType}'`)
  }
  return () => {
    const id = mediaId()
    // the type with its parameters, as Meta shows it again
    call.state.media.set(id, { id, phoneNumberId, mimeType: type, sha256: file.sha256, size: file.size })
    call.entry.messageId = id
    return { status: 200, body: { id } }
  }
}

/** Row 33, once the id is known to be a file's: its descriptor, good for five minutes (docs/upstream.md 4.6). */
export function getMedia(call: Call, id: string): Act {
  const medium = find(call, id)
  const expires = Math.floor(Date.now() / 1000) + 300
  return () => ({
    status: 200,
    body: {
      messaging_product: 'whatsapp',
      url: `https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=${id}&ext=${expires}&hash=${fbtrace()}`,
      mime_type: medium.mimeType,
      sha256: medium.sha256,
      file_size: medium.size,
      id
    }
  })
}

/** Row 34. */
export function deleteMedia(call: Call): Act {
  const id = objectId(call)
  find(call, id)
  return () => {
    call.state.media.delete(id)
    return { status: 200, body: { success: true } }
  }
}

function find(call: Call, id: string) {
  const medium = MEDIA_ID.test(id) ? call.state.media.get(id) : undefined
  const { phone_number_id: owner } = call.query
  if (medium === undefined || (owner !== undefined && owner !== medium.phoneNumberId)) throw missing(call, id)
  return medium
}
