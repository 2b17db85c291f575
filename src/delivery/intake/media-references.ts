import type { ContentByType, MediaType } from '../../../schemas/content.ts'
import type { ResolvedMedia } from '../../adapters/adapter.ts'
import type { DispatchChannel } from '../../dispatch/provider-client.ts'
import { invalid, ServiceError } from '../../errors.ts'
import { checkRow } from '../../media/check.ts'
import type { FileNeed, MediaLibrary } from '../../media/library.ts'
import { namesOf } from '../../media/names.ts'
import type { Draft } from '../../messages/row.ts'
import type { MediaRow } from '../../store/schema.ts'

/** A media object as callers write it. */
interface Said {
  mediaId?: string
  link?: string
  filename?: string
}

/** The files that a header names, looked up before the pure part begins. */
export interface HeaderFiles {
  warnings: string[]
  /** The object as the provider takes it: by link, or by the provider's id. Throws ServiceError `unsupported`. */
  resolve: (media: Said, kind: MediaType) => ResolvedMedia
}

/** Turns the media objects of a message into the provider's. Throws a 400 for a file that is not there for it, and media_rejected. */
export interface MediaReferences {
  inHeader: (header: object | undefined, draft: Draft, channel: DispatchChannel, path: string) => Promise<HeaderFiles>
  /** A message's own media; `asFile`: the provider takes bytes alone, which `file` says how to bring. */
  own: (
    draft: Draft<MediaType>,
    channel: DispatchChannel,
    asFile: boolean
  ) => Promise<{ content: ResolvedMedia; file?: FileNeed; warnings: string[] }>
}

export function createMediaReferences(library: MediaLibrary): MediaReferences {
  /** A kept file that may be sent as `kind`, and what is to be said of that. */
  const fileOf = async (
    id: string,
    kind: MediaType,
    draft: Draft,
    channel: DispatchChannel,
    path: string
  ): Promise<{ row: MediaRow; warnings: string[] }> => {
    const row = await library.find({ service: draft.service, mode: channel.mode }, id)
    if (!row) throw invalid(path, `names no file, or one that has expired: ${id}`)
    if (row.channel_id !== channel.id)
      throw invalid(path, `names a file that was uploaded for the channel ${row.channel_id}, not ${channel.id}`)
    return { row, warnings: checkRow(row, kind, path) }
  }

  return {
    inHeader: async (header, draft, channel, path) => {
      const rows = new Map<string, MediaRow>()
      const warnings: string[] = []
      for (const [kind, media] of Object.entries(header ?? {})) {
        const { mediaId } = media as Said
        if (!mediaId) continue
        const file = await fileOf(mediaId, kind as MediaType, draft, channel, `${path}/${kind}/mediaId`)
        rows.set(mediaId, file.row)
        warnings.push(...file.warnings)
      }
      const resolve: HeaderFiles['resolve'] = (media, kind) => {
        const row = media.mediaId === undefined ? undefined : rows.get(media.mediaId)
        if (row && row.provider_media_id === null) {
          throw new ServiceError(
            'unsupported',
            `Channel ${channel.id} (${channel.provider}) takes a header's file only by link: give link in place of mediaId.`
          )
        }
        const source = row ? { providerMediaId: row.provider_media_id! } : { link: media.link! }
        return { source, ...namesOf(kind, media, row) }
      }
      return { warnings, resolve }
    },

    own: async (draft, channel, asFile) => {
      const { mediaId, link, filename: given, ...said } = draft.content as ContentByType['document']
      const kind = draft.type
      const found = mediaId === undefined ? undefined : await fileOf(mediaId, kind, draft, channel, `/${kind}/mediaId`)
      const { row, warnings = [] } = found ?? {}
      const names = namesOf(kind, { filename: given, ...(link !== undefined && { link }) }, row)
      if (!asFile) {
        const source = row ? { providerMediaId: row.provider_media_id! } : { link: link! }
        return { content: { source, ...said, ...names }, warnings }
      }
      const { filename } = names
      const file = { kind, ...(link && { link }), ...(row && { media: row }), ...(filename && { filename }) }
      return {
        content: { source: { file: { path: '', size: 0, mimeType: '', filename: '' } }, ...said },
        file,
        warnings
      }
    }
  }
}
