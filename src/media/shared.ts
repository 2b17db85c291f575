import type { DispatchChannel } from '../dispatch/provider-client.ts'
import type { Caller } from '../keys/caller.ts'
import type { MediaRow } from '../store/schema.ts'
import { all, change, first, type Store } from '../store/store.ts'

/** Files at a provider that several rows of ours may stand for. */
export interface SharedFiles {
  /** A row whose file at the provider has the very same bytes, is this service's own and lives long enough to be used again. */
  find: (
    caller: Caller,
    channel: DispatchChannel,
    file: { sha256: string; mimeType: string }
  ) => Promise<MediaRow | undefined>
  /** Keeps a row that shares the file of another; false where that one has been deleted meanwhile. */
  join: (row: MediaRow, other: string) => Promise<boolean>
  /** Deletes a row with what is kept of it. `last`: no other stands for the provider's file. */
  leave: (row: MediaRow) => Promise<'gone' | 'shared' | 'last'>
}

/** What is used again lives at least as long as a message waits by itself. */
const longEnoughMs = 24 * 3600_000

/** How a provider may say that it knows no such file. More than that is meant by them, which costs one more upload. */
const refusals = ['media_rejected', 'message_rejected']

/** Nothing is held in memory: replicas share files too. */
export function createSharedFiles({ build, dialect, read, write, now }: Store): SharedFiles {
  const locking = dialect === 'postgres'
  return {
    find: async (caller, channel, file) => {
      const [row] = await read(
        build
          .selectFrom('media')
          .selectAll('media')
          // Its settings may name another number since: files belong to a number.
          .innerJoin('channels', join =>
            join.onRef('channels.id', '=', 'media.channel_id').onRef('channels.updated_at', '<', 'media.created_at')
          )
          .where('channel_id', '=', channel.id)
          .where('sha256', '=', file.sha256)
          .where('mime_type', '=', file.mimeType)
          .where('service', '=', caller.service)
          .where('media.mode', '=', caller.mode)
          .where('provider_media_id', 'is not', null)
          .where(eb => eb(eb('expires_at', '-', longEnoughMs), '>', now))
          // The provider may have lost it: whoever is told to upload again must not be given the same once more.
          .where(eb =>
            eb.not(
              eb.exists(
                eb
                  .selectFrom('messages')
                  .select('messages.id')
                  .whereRef('messages.channel_id', '=', 'media.channel_id')
                  .whereRef('messages.mode', '=', 'media.mode')
                  .whereRef('messages.failed_at', '>=', 'media.created_at')
                  .where(or => or.or(refusals.map(code => or('messages.error', 'like', `%"code":"${code}"%`))))
              )
            )
          )
          .orderBy('expires_at', 'desc')
          .limit(1)
          .compile()
      )
      return row
    },

    join: (row, other) =>
      write(function* () {
        const query = build.selectFrom('media').select('id').where('id', '=', other)
        if (!(yield* first(query.$if(locking, each => each.forUpdate())))) return false
        yield build.insertInto('media').values(row).compile()
        return true
      }),

    leave: row =>
      write(function* () {
        const users =
          row.provider_media_id === null
            ? []
            : yield* all(
                build
                  .selectFrom('media')
                  .select('id')
                  .where('channel_id', '=', row.channel_id)
                  .where('sha256', '=', row.sha256)
                  .where('provider_media_id', '=', row.provider_media_id)
                  // All of them are held: two that leave at once must not each take the other for one that stays.
                  .orderBy('id')
                  .$if(locking, each => each.forUpdate())
              )
        yield build.deleteFrom('media_chunks').where('media_id', '=', row.id).compile()
        if ((yield* change(build.deleteFrom('media').where('id', '=', row.id))) === 0) return 'gone'
        return users.some(({ id }) => id !== row.id) ? 'shared' : 'last'
      })
  }
}
