import type { AnyAdapter } from '../adapters/adapter.ts'
import type { Store, Unit } from '../store/store.ts'
import type { KnownChannel } from './known.ts'

/** What a change of channels means for what is known of their webhooks. Each inside the unit that changes them. */
export function createHearing(store: Store, adapters: ReadonlyMap<string, AnyAdapter>) {
  const { build } = store
  /** Whose events a channel hears. */
  const sourceOf = (provider: string, connectionId: string, settings: unknown): string =>
    JSON.stringify([connectionId, adapters.get(provider)?.hear?.numberOf?.(settings as never)])

  return {
    sourceOf,
    /** Forgets those of channels that there are no more; one of the same name has another address. */
    forget: function* (): Unit<void> {
      const there = build.selectFrom('channels').select('id')
      for (const table of ['webhook_registrations', 'webhook_lanes'] as const)
        yield build.deleteFrom(table).where('channel_id', 'not in', there).compile()
    },
    /** Where a channel goes over to another number or account, what was registered was the one before's. */
    follow: function* (
      { row: { id, provider, connection_id }, settings: before }: KnownChannel,
      { connectionId = connection_id, settings = before }: { connectionId?: string | undefined; settings?: unknown }
    ): Unit<void> {
      if (sourceOf(provider, connection_id, before) === sourceOf(provider, connectionId, settings)) return
      yield build
        .updateTable('webhook_registrations')
        .set({ at_provider: 'unknown', checked_at: 0 })
        .set({ problem: 'The channel has another connection or number since: register it again.' })
        .where('channel_id', '=', id)
        .where('registered', '=', 1)
        .compile()
    }
  }
}
