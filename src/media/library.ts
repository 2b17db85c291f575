import { mkdirSync, rmSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MediaType } from '../../schemas/content.ts'
import type { Media } from '../../schemas/media.ts'
import type { OutboundFile } from '../adapters/adapter.ts'
import { CallFailed, type DispatchChannel, type ProviderClient } from '../dispatch/provider-client.ts'
import { ServiceError } from '../errors.ts'
import { newId } from '../ids.ts'
import { type Caller, sees } from '../keys/caller.ts'
import type { MediaRow } from '../store/schema.ts'
import { prepare, type Store, StoreUnavailable } from '../store/store.ts'
import { type Egress, EgressError } from '../upstream/egress.ts'
import { isDiskFault, type SpooledFile, spool, TooLargeError } from '../upstream/spool.ts'
import { judge } from './check.ts'
import { remarksOn } from './facts.ts'
import { LARGEST_MEDIA, MEDIA_KINDS } from './kinds.ts'
import { fittingName, linkName } from './names.ts'
import { type ByteRange, rangeOf, type Wanted } from './range.ts'
import { type RemoteMedia, toRemoteMedia } from './remote.ts'
import { samples } from './samples.ts'
import { createSharedFiles } from './shared.ts'
import { sniff, sniffFetched } from './sniff.ts'

/** A file that a send needs as bytes. */
export interface FileNeed {
  kind: MediaType
  link?: string
  media?: MediaRow
  /** What it is to be called; its ending is made to fit the bytes. */
  filename?: string
}

/** The bytes of a file. Where they are kept here a part of them can be had, which `range` then tells of. */
export interface Content {
  media: Media
  bytes: AsyncIterable<Uint8Array>
  kept: boolean
  range?: ByteRange
}

export interface MediaLibrary {
  /** Spools an upload to local disk. The caller removes it. Throws ServiceError payload_too_large. */
  receive: (source: AsyncIterable<Uint8Array>, said: { filename?: string; type?: string }) => Promise<SpooledFile>
  /** Sniffs and checks a file, then gives it to the provider, or keeps it where the provider has no upload. */
  upload: (caller: Caller, channel: DispatchChannel, file: SpooledFile) => Promise<Media>
  get: (caller: Caller, id: string) => Promise<Media>
  /** The bytes, where we hold them; else ServiceError `unsupported`. */
  content: (caller: Caller, id: string, wanted?: Wanted) => Promise<Content>
  remove: (
    caller: Caller,
    id: string,
    bind: (channelId: string) => Promise<DispatchChannel | undefined>
  ) => Promise<void>
  /** The row behind a mediaId for a send of `service`; undefined if it is not there for it, or expired. */
  find: (owner: { service: string; mode: 'live' | 'test' }, id: string) => Promise<MediaRow | undefined>
  /** Brings a file to local disk. Throws ServiceError media_rejected; `dispose` deletes it. */
  obtain: (
    need: FileNeed,
    sandboxed: boolean
  ) => Promise<{ file: OutboundFile; warnings: string[]; dispose: () => Promise<void> }>
}

/** Kept bytes lie in rows of this size, so that neither database holds a whole file in memory. */
const chunkSize = 256 * 1024
/** How long kept bytes wait to be sent: as long as WhatsApp keeps an upload. */
const keptSeconds = 30 * 24 * 3600

export interface MediaLibraryParts {
  store: Store
  providerClient: ProviderClient
  egress: () => Promise<Egress>
  /** Files of conversations, which the provider keeps. */
  remote: RemoteMedia
  /** A folder of ours alone; what lies there from an earlier run is deleted. */
  directory: string
}

const toMedia = (row: MediaRow): Media => ({
  id: row.id,
  channel: row.channel_id,
  mode: row.mode,
  mimeType: row.mime_type,
  size: row.size,
  sha256: row.sha256,
  filename: row.filename,
  createdAt: new Date(row.created_at).toISOString(),
  expiresAt: new Date(row.expires_at).toISOString()
})

export function createMediaLibrary({
  store,
  providerClient,
  egress,
  remote,
  directory
}: MediaLibraryParts): MediaLibrary {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const { build } = store
  const byId = prepare<{ id: string }, MediaRow>(p => build.selectFrom('media').selectAll().where('id', '=', p.id))
  const chunk = prepare<{ id: string; seq: number }, { bytes: Uint8Array }>(p =>
    build.selectFrom('media_chunks').select('bytes').where('media_id', '=', p.id).where('seq', '=', p.seq)
  )
  const addChunk = prepare<{ media_id: string; seq: number; bytes: Uint8Array }, unknown>(p =>
    build.insertInto('media_chunks').values({ media_id: p.media_id, seq: p.seq, bytes: p.bytes })
  )

  const shared = createSharedFiles(store)
  const add = (row: MediaRow): Promise<void> =>
    store.write(function* () {
      yield build.insertInto('media').values(row).compile()
    })

  const load = async (caller: Caller, id: string): Promise<MediaRow> => {
    const [row] = await store.read(byId({ id }))
    const allowed = row && sees(caller, row) && (!caller.channels || caller.channels.has(row.channel_id))
    if (!allowed || row.expires_at <= store.clock()) throw new ServiceError('not_found', `There is no file ${id}.`)
    return row
  }
  async function* bytesOf(row: MediaRow, from = 0, to = row.size - 1): AsyncIterable<Uint8Array> {
    for (let seq = Math.floor(from / chunkSize); seq * chunkSize <= to; seq++) {
      const [part] = await store.read(chunk({ id: row.id, seq }))
      if (!part) throw new Error(`the bytes of ${row.id} are not complete`)
      const begin = seq * chunkSize
      yield part.bytes.subarray(Math.max(from - begin, 0), to + 1 - begin)
    }
  }
  const keep = async (id: string, file: SpooledFile): Promise<void> => {
    const handle = await open(file.path)
    try {
      for (let seq = 0; seq * chunkSize < file.size; seq++) {
        const buffer = Buffer.alloc(Math.min(chunkSize, file.size - seq * chunkSize))
        await handle.read(buffer, 0, buffer.length, seq * chunkSize)
        await store.write(function* () {
          yield addChunk({ media_id: id, seq, bytes: buffer })
        })
      }
    } finally {
      await handle.close()
    }
  }
  const take = async (
    source: AsyncIterable<Uint8Array>,
    maxBytes: number,
    said: { filename?: string; type?: string }
  ): Promise<SpooledFile> => {
    try {
      return await spool(source, { directory, maxBytes, filename: said.filename, declaredType: said.type })
    } catch (error) {
      if (error instanceof TooLargeError)
        throw new ServiceError('payload_too_large', `The file is larger than ${maxBytes} bytes.`)
      if (isDiskFault(error)) throw new StoreUnavailable(`a file could not be kept: ${error.code}`)
      throw error
    }
  }
  const fetch = async (link: string, kind: MediaType): Promise<SpooledFile> => {
    try {
      return await (await egress()).download(link, {
        maxBytes: MEDIA_KINDS[kind].maxBytesAnimated ?? MEDIA_KINDS[kind].maxBytes,
        directory
      })
    } catch (error) {
      if (error instanceof EgressError)
        throw new ServiceError('media_rejected', `The link cannot be fetched: ${error.detail}.`)
      throw error
    }
  }

  return {
    receive: (source, said) => take(source, LARGEST_MEDIA, said),

    upload: async (caller, channel, file) => {
      const { mimeType, facts } = await judge(file, sniff)
      const id = newId('med')
      const shown = file.filename === undefined ? null : fittingName(file.filename, mimeType)
      const filename = shown ?? fittingName(id, mimeType)
      const now = store.clock()
      const row: MediaRow = {
        id,
        service: caller.service,
        mode: caller.mode,
        channel_id: channel.id,
        mime_type: mimeType,
        size: file.size,
        sha256: file.sha256,
        filename: shown,
        provider_media_id: null,
        facts: JSON.stringify(facts),
        created_at: now,
        expires_at: now + keptSeconds * 1000
      }
      const uploads = providerClient.adapter(channel.provider).operations.uploadMedia !== undefined
      const like = uploads ? await shared.find(caller, channel, { sha256: file.sha256, mimeType }) : undefined
      if (like) {
        const again = { ...row, provider_media_id: like.provider_media_id, expires_at: like.expires_at }
        if (await shared.join(again, like.id)) return toMedia(again)
      }
      const given = uploads
        ? await providerClient
            .call('uploadMedia', channel, { file: { path: file.path, size: file.size, mimeType, filename } })
            .catch(error => {
              throw error instanceof CallFailed ? error.toServiceError() : error
            })
        : undefined
      if (!given) await keep(id, file)
      const made = given
        ? { ...row, provider_media_id: given.output.providerMediaId, expires_at: now + given.output.lifeSeconds * 1000 }
        : row
      await add(made)
      return toMedia(made)
    },

    get: async (caller, id) => {
      const far = await remote.find(caller, id)
      return far ? toRemoteMedia(far) : toMedia(await load(caller, id))
    },

    content: async (caller, id, wanted) => {
      const far = await remote.find(caller, id)
      if (far) {
        const { bytes, mimeType, size } = await remote.open(far)
        return { media: { ...toRemoteMedia(far), mimeType, size }, bytes, kept: false }
      }
      const row = await load(caller, id)
      if (row.provider_media_id !== null) {
        throw new ServiceError(
          'unsupported',
          `The bytes of ${id} lie with ${row.channel_id}'s provider, on a host that cannot be reached through Maton; GET /media/${id} tells what is known of it.`
        )
      }
      const range = wanted && rangeOf(wanted, row)
      const bytes = range ? bytesOf(row, range.from, range.to) : bytesOf(row)
      return { media: toMedia(row), bytes, kept: true, ...(range && { range }) }
    },

    remove: async (caller, id, bind) => {
      if (await remote.find(caller, id))
        throw new ServiceError('unsupported', `The file ${id} is part of a conversation that the provider keeps.`)
      const row = await load(caller, id)
      const channel = await bind(row.channel_id)
      // Ours first: nobody can come to share a file that is about to go.
      const left = await shared.leave(row)
      if (left === 'gone') throw new ServiceError('not_found', `There is no file ${id}.`)
      if (left === 'shared' || row.provider_media_id === null || !channel) return
      await providerClient
        .call('deleteMedia', channel, { providerMediaId: row.provider_media_id })
        .catch(async (error: unknown) => {
          // Gone there already is what was wanted; anything else can be tried again.
          if (error instanceof CallFailed && error.verdict.code === 'not_found') return
          await add(row)
          throw error instanceof CallFailed ? error.toServiceError() : error
        })
    },

    find: async (owner, id) => {
      const [row] = await store.read(byId({ id }))
      return row && row.service === owner.service && row.mode === owner.mode && row.expires_at > store.clock()
        ? row
        : undefined
    },

    obtain: async (need, sandboxed) => {
      if (need.link && sandboxed) {
        const sample = samples[need.kind]
        const path = join(directory, newId('med'))
        const bytes = Buffer.from(sample.base64, 'base64')
        await writeFile(path, bytes, { mode: 0o600 })
        return {
          file: {
            path,
            size: bytes.length,
            mimeType: sample.mimeType,
            filename: fittingName(need.filename ?? linkName(need.link, sample.filename), sample.mimeType)
          },
          warnings: [`In the sandbox links are not fetched: a sample ${need.kind} was sent in place of the link.`],
          dispose: async () => rmSync(path, { force: true })
        }
      }
      const file = need.media
        ? await take(bytesOf(need.media), LARGEST_MEDIA, {
            filename: need.media.filename ?? undefined,
            type: need.media.mime_type
          })
        : await fetch(need.link!, need.kind)
      try {
        const { mimeType, facts } = await judge(file, need.media ? sniff : sniffFetched, need.kind)
        const filename = fittingName(need.filename ?? file.filename ?? samples[need.kind].filename, mimeType)
        // Of a kept file they were told when the message was prepared.
        const warnings = need.media ? [] : remarksOn(need.kind, facts)
        return { file: { path: file.path, size: file.size, mimeType, filename }, warnings, dispose: file.remove }
      } catch (error) {
        await file.remove()
        throw error
      }
    }
  }
}
