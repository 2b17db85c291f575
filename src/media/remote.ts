import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { CompiledQuery } from 'kysely'
import type { Media } from '../../schemas/media.ts'
import type { HeardFile } from '../adapters/adapter.ts'
import { ask } from '../dispatch/ask.ts'
import type { DispatchChannel, ProviderClient } from '../dispatch/provider-client.ts'
import { ServiceError } from '../errors.ts'
import { type Caller, hasScope } from '../keys/caller.ts'
import type { RemoteMediaRow } from '../store/schema.ts'
import { prepare, type Store } from '../store/store.ts'
import { remoteMediaMs } from '../store/upkeep.ts'
import { type Egress, EgressError } from '../upstream/egress.ts'
import { cleanFilename } from '../upstream/spool.ts'
import { LARGEST_MEDIA, type MediaKind } from './kinds.ts'
import { samples } from './samples.ts'

/** Files that only a provider has: seen in a conversation, fetched when somebody asks for them. */
export interface RemoteMedia {
  /** The id of such a file, the same each time; it is known for 30 days from then. */
  remember: (channel: DispatchChannel, path: string, filename: string | null) => Promise<string>
  /** Inside a unit, for one that a webhook told of: `query` remembers it under `id`. */
  keep: (
    channel: DispatchChannel,
    file: HeardFile,
    /** When it came, by the provider's clock. */
    at: number
  ) => { id: string; query: CompiledQuery; filename?: string }
  /** Undefined where there is no such file for this caller: it belongs to its channel, whatever the service. */
  find: (caller: Caller, id: string) => Promise<RemoteMediaRow | undefined>
  /** Throws ServiceError: `unsupported` where its provider gives no bytes out, or a setting for it is missing. */
  open: (row: RemoteMediaRow) => Promise<Opened>
}
interface Opened {
  bytes: Readable
  mimeType: string
  size: number | null
}

export interface RemoteMediaParts {
  store: Store
  providerClient: ProviderClient
  bind: (channelId: string, mode: 'live' | 'test') => Promise<DispatchChannel | undefined>
  egress: () => Promise<Egress>
  /** Where fetched files lie until they are read. */
  directory: string
  /** Whether nothing of this channel may leave the machine. */
  sandboxed: (channel: DispatchChannel) => boolean
}

/** For some the provider says how long it keeps them; else they are known for 30 days. */
const expiryOf = (row: RemoteMediaRow): number => row.expires_at ?? row.created_at + remoteMediaMs

export const toRemoteMedia = (row: RemoteMediaRow): Media => ({
  id: row.id,
  channel: row.channel_id,
  mode: row.mode,
  mimeType: row.mime_type,
  size: null,
  sha256: row.sha256,
  filename: row.filename,
  createdAt: new Date(row.created_at).toISOString(),
  expiresAt: new Date(expiryOf(row)).toISOString()
})

/** By the ending of its name, until its bytes come with a type of their own. */
const types: Readonly<Record<string, string>> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  mp4: 'video/mp4',
  '3gp': 'video/3gpp',
  ogg: 'audio/ogg',
  mp3: 'audio/mpeg',
  aac: 'audio/aac',
  amr: 'audio/amr',
  pdf: 'application/pdf',
  txt: 'text/plain'
}
const unknownType = 'application/octet-stream'
/** Types that are safe to say; anything else goes out as plain bytes. */
const sayable =
  /^(image\/(jpeg|png|webp|gif)|video\/[a-z0-9.+-]+|audio\/[a-z0-9.+-]+|application\/[a-z0-9.+-]+|text\/(plain|csv))$/

const typeOf = (declared = ''): string | undefined => {
  const type = declared.split(';')[0]!.trim().toLowerCase()
  return sayable.test(type) ? type : undefined
}

/** Of the stand-in's files there are no bytes: the smallest that are of that kind. */
function sampleOf({ mime_type }: RemoteMediaRow): Opened {
  const kind = mime_type.split('/')[0]!
  const { mimeType, base64 } = samples[Object.hasOwn(samples, kind) ? (kind as MediaKind) : 'document']
  const bytes = Buffer.from(base64, 'base64')
  return { bytes: Readable.from([bytes]), mimeType, size: bytes.length }
}

/** A SHA-256 as hex, from hex or base64: Meta tells it as base64. */
function hexOf(told = ''): string | null {
  if (/^[0-9a-f]{64}$/i.test(told)) return told.toLowerCase()
  const bytes = Buffer.from(told, 'base64')
  return bytes.length === 32 ? bytes.toString('hex') : null
}

const idOf = (channel: DispatchChannel, path: string): string =>
  `med_${createHash('sha256').update(`${channel.mode}\n${channel.id}\n${path}`).digest('hex').slice(0, 32)}`

export function createRemoteMedia({
  store,
  providerClient,
  bind,
  egress,
  directory,
  sandboxed
}: RemoteMediaParts): RemoteMedia {
  const { build } = store
  const byId = prepare<{ id: string }, RemoteMediaRow>(p =>
    build.selectFrom('remote_media').selectAll().where('id', '=', p.id)
  )
  /** With a token of the operator's own, from where the provider says that the file lies. */
  const fetchLocated = async (row: RemoteMediaRow, channel: DispatchChannel): Promise<Opened> => {
    const { mediaToken } = channel.settings as { mediaToken?: string }
    if (mediaToken === undefined)
      throw new ServiceError(
        'unsupported',
        `The bytes of ${row.id} lie with ${channel.provider}, which gives them out for a token of your own only: set the channel setting mediaToken of ${channel.id}.`
      )
    const { url, mimeType } = await ask(providerClient, 'locateMedia', channel, { path: row.path })
    if (sandboxed(channel)) return sampleOf(row)
    const options = { maxBytes: LARGEST_MEDIA, directory, headers: { authorization: `Bearer ${mediaToken}` } }
    const file = await (await egress()).download(url, options).catch(error => {
      if (!(error instanceof EgressError)) throw error
      throw new ServiceError('provider_unavailable', `The file ${row.id} could not be fetched: ${error.detail}.`, {
        outcome: 'not_sent'
      })
    })
    const bytes = createReadStream(file.path)
    // The open file stays readable; whoever stops reading leaves nothing behind.
    for (const event of ['open', 'close']) bytes.once(event, () => void file.remove())
    return { bytes, mimeType: typeOf(file.declaredType ?? mimeType) ?? row.mime_type, size: file.size }
  }
  const gone = (id: string) => new ServiceError('not_found', `There is no file ${id}.`)
  return {
    remember: async (channel, path, filename) => {
      const id = idOf(channel, path)
      const now = store.clock()
      const [known] = await store.read(byId({ id }))
      // Renewed when half of its time is over, so that listing again and again does not write again and again.
      if (known && known.created_at > now - remoteMediaMs / 2) return id
      const row: RemoteMediaRow = {
        id,
        mode: channel.mode,
        channel_id: channel.id,
        path,
        mime_type: types[/\.([a-z0-9]{1,5})$/i.exec(path)?.[1]?.toLowerCase() ?? ''] ?? unknownType,
        filename: filename ?? path.slice(path.lastIndexOf('/') + 1),
        created_at: now,
        expires_at: null,
        sha256: null
      }
      await store.write(function* () {
        yield build
          .insertInto('remote_media')
          .values(row)
          .onConflict(conflict => conflict.column('id').doUpdateSet({ created_at: now }))
          .compile()
      })
      return id
    },

    keep: (channel, { reference, mimeType, filename: told, lifeSeconds, sha256 }, at) => {
      const now = store.clock()
      const expires_at = lifeSeconds === undefined ? null : Math.min(at, now) + lifeSeconds * 1000
      const filename = cleanFilename(told)
      const row: RemoteMediaRow = {
        ...{ id: idOf(channel, reference), mode: channel.mode, channel_id: channel.id, path: reference },
        mime_type:
          typeOf(mimeType) ?? types[/\.([a-z0-9]{1,5})$/i.exec(reference)?.[1]?.toLowerCase() ?? ''] ?? unknownType,
        ...{ filename: filename ?? null, created_at: now, expires_at, sha256: hexOf(sha256) }
      }
      const query = build
        .insertInto('remote_media')
        .values(row)
        .onConflict(conflict => conflict.column('id').doUpdateSet({ created_at: now, expires_at }))
        .compile()
      return { id: row.id, query, ...(filename !== undefined && { filename }) }
    },

    find: async (caller, id) => {
      const [row] = await store.read(byId({ id }))
      const lives = row && expiryOf(row) > store.clock()
      return lives &&
        hasScope(caller, 'inbound:read') &&
        row.mode === caller.mode &&
        (!caller.channels || caller.channels.has(row.channel_id))
        ? row
        : undefined
    },

    open: async row => {
      const channel = await bind(row.channel_id, row.mode)
      if (!channel) throw gone(row.id)
      const { operations } = providerClient.adapter(channel.provider)
      if (operations.locateMedia) return fetchLocated(row, channel)
      if (!operations.getMedia)
        throw new ServiceError(
          'unsupported',
          `The file ${row.id} came through ${channel.provider}, whose files cannot be fetched here; GET /media/${row.id} tells what is known of it.`
        )
      const { headers, body } = await ask(providerClient, 'getMedia', channel, { path: row.path })
      const length = headers['content-length']
      return {
        bytes: body,
        mimeType: typeOf(String(headers['content-type'] ?? '')) ?? row.mime_type,
        size: typeof length === 'string' && /^\d{1,15}$/.test(length) ? Number(length) : null
      }
    }
  }
}
