import type { CompiledQuery } from 'kysely'
import { all, type Store, type Unit } from '../store/store.ts'
import { readChannelsFile } from './file.ts'
import type { createHearing } from './hearing.ts'
import type { KnownChannel } from './known.ts'
import type { MissingChannels } from './missing.ts'
import type { SettingsCheck } from './settings.ts'

interface FileApplierParts {
  store: Store
  check: SettingsCheck
  hearing: ReturnType<typeof createHearing>
  missing: MissingChannels
  clearDefault: (except: string) => CompiledQuery
  /** Runs a unit that changes channels. */
  write: <T>(unit: () => Unit<T>) => Promise<T>
  current: () => Promise<ReadonlyMap<string, KnownChannel>>
}

/** Makes the store's file-managed channels those of a file; answers with the names of those that it does not hold any more. */
export function createFileApplier({
  store,
  check,
  hearing,
  missing,
  clearDefault,
  write,
  current
}: FileApplierParts): (path: string) => Promise<string[]> {
  const { build } = store
  return async path => {
    const { declared, faults } = await readChannelsFile(path, check)
    if (faults.length > 0)
      throw new Error(`CHANNELS_FILE is not right:\n${faults.map(fault => `  - ${fault}`).join('\n')}`)
    const ids = declared.map(channel => channel.id)
    const now = store.clock()
    const before = await current()
    return write(function* () {
      const lost = yield* all(
        build
          .deleteFrom('channels')
          .where('managed_by', '=', 'file')
          .$if(ids.length > 0, query => query.where('id', 'not in', ids))
          .returningAll()
      )
      for (const row of lost) {
        const { provider, connection_id, settings } = row
        yield* missing.keep(row, hearing.sourceOf(provider, connection_id, check.unpack(provider, settings)))
      }
      yield* hearing.forget()
      if (declared.some(channel => channel.default)) yield clearDefault('')
      for (const channel of declared) {
        const former = before.get(channel.id)
        if (former) yield* hearing.follow(former, { ...channel, settings: channel.settings ?? {} })
        const source = hearing.sourceOf(channel.provider, channel.connectionId, channel.settings ?? {})
        const since = yield* missing.back(channel.id, source)
        const values = {
          provider: channel.provider,
          connection_id: channel.connectionId,
          settings: check.pack(channel.provider, channel.settings ?? {}),
          is_default: channel.default ? 1 : 0,
          managed_by: 'file' as const,
          updated_at: now
        }
        yield build
          .insertInto('channels')
          .values({ id: channel.id, ...values, paused: 0, created_at: since ?? now })
          .onConflict(conflict => conflict.column('id').doUpdateSet(values))
          .compile()
        if (since !== undefined) yield* missing.reread(channel.id)
      }
      return lost.map(({ id }) => id)
    })
  }
}
