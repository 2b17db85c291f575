import type { Logger } from 'pino'
import type { AnyAdapter } from '../adapters/adapter.ts'
import type { Config } from '../config.ts'
import { claimStore } from '../store/identity.ts'
import { openStore } from '../store/index.ts'
import type { Store } from '../store/store.ts'
import { demoChannelsOf } from './demo.ts'

/**
 * Opens the store of the settings, if this start fits it (docs/reliability.md P50).
 * @throws Error with a sentence that names the setting that does not
 */
export async function openOwnStore(
  config: Config,
  { pepper, adapters, log }: { pepper: string; adapters: ReadonlyMap<string, AnyAdapter>; log: Logger }
): Promise<Store> {
  const databaseUrl = config.DATABASE_URL
  const store = await openStore({ ...(databaseUrl && { databaseUrl }), directory: config.DATA_DIR }, log)
  try {
    const claim = {
      pepper,
      sandboxMode: config.MATON_API_KEY === undefined,
      sandboxMeant: config.SANDBOX,
      demoChannels: demoChannelsOf(adapters.values())
    }
    await claimStore(store, claim, log)
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}
