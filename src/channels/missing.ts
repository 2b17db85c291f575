import { sql } from 'kysely'
import { blockKey, blockQueries } from '../messages/blocks.ts'
import type { ChannelRow } from '../store/schema.ts'
import { noSuchChannel, type WebhookRegistrationRow } from '../store/schema-inbound.ts'
import { all, first, type Store, type Unit } from '../store/store.ts'

// A channel that goes missing in the channels file may be back with the next reading: a slip of somebody's hand must not cost its
// messages, its webhooks, or the address that its provider calls.

const waits = (id: string): string => `The channel ${id} is missing in the channels file: its messages wait.`

export interface MissingChannels {
  /** Inside the unit that takes a channel away. */
  keep: (row: ChannelRow, source: string) => Unit<void>
  /**
   * Inside the unit that makes a channel, before it does: what was kept of the one of that name.
   * @returns the beginning of that channel, where this is the same one
   */
  back: (id: string, source: string | undefined) => Unit<number | undefined>
  /** Inside a unit, once the channel is there again: what came for it meanwhile is read. */
  reread: (id: string) => Unit<void>
  has: (id: string) => Promise<boolean>
  /** Names of the channels for which messages wait. */
  awaited: () => Promise<string[]>
}

export function createMissingChannels(store: Store): MissingChannels {
  const { build } = store
  const blocks = blockQueries(store)
  const of = (id: string) => build.selectFrom('missing_channels').selectAll().where('id', '=', id)
  return {
    keep: function* ({ id, created_at }, source) {
      const rows = yield* all(build.selectFrom('webhook_registrations').selectAll().where('channel_id', '=', id))
      const known = { source, created_at, registrations: JSON.stringify(rows), missing_since: store.clock() }
      yield build
        .insertInto('missing_channels')
        .values({ id, ...known })
        // A replica of the release before takes no row away when the channel is back.
        .onConflict(conflict => conflict.column('id').doUpdateSet(known))
        .compile()
      yield blocks.stopUnlessStopped({ key: blockKey.channel(id), detail: waits(id), at: store.clock() })
    },
    back: function* (id, source) {
      const row = yield* first(of(id))
      if (!row) return undefined
      yield build.deleteFrom('missing_channels').where('id', '=', id).compile()
      yield blocks.liftOf({ key: blockKey.channel(id), detail: waits(id) })
      if (row.source !== source) return undefined
      for (const registration of JSON.parse(row.registrations) as WebhookRegistrationRow[])
        yield build
          .insertInto('webhook_registrations')
          // Whether it still holds is asked anew; and what was told meanwhile was not heard.
          .values({
            ...registration,
            ...(registration.registered === 1 && { at_provider: 'unknown', checked_at: 0 }),
            ...(registration.registered_at !== null && { registered_at: store.clock() }),
            silent_since: null
          })
          .onConflict(conflict => conflict.doNothing())
          .compile()
      return row.created_at
    },
    reread: function* (id) {
      yield build
        .updateTable('webhooks')
        .set({ state: 'waiting', position: 0, reason: null })
        .where('channel_id', '=', id)
        .where('state', '=', 'set_aside')
        .where('reason', '=', noSuchChannel)
        .compile()
    },
    has: async id => (await store.read(of(id).compile())).length > 0,
    awaited: async () => {
      const rows = await store.read(
        build
          .selectFrom('missing_channels as m')
          .select('m.id')
          .where(eb =>
            eb.exists(
              eb
                .selectFrom('messages')
                .select('messages.id')
                .whereRef('messages.channel_id', '=', 'm.id')
                .where(sql<boolean>`messages.state = 'queued'`)
            )
          )
          .orderBy('m.id')
          .compile()
      )
      return rows.map(({ id }) => id)
    }
  }
}
