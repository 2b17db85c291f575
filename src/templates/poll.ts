import type { Logger } from 'pino'
import type { AnyAdapter } from '../adapters/adapter.ts'
import { createPeriodic, type Periodic } from '../periodic.ts'
import type { Definitions } from './definitions.ts'

/** A walk is a call for each hundred templates of the account's rate. */
const everyMs = 60 * 60_000

/**
 * Asks once an hour for the templates of the channels that have sent any, where no webhook tells of them: an override on
 * Maton's app is not told what Meta says of templates (docs/webhooks.md C1).
 */
export function createTemplatePoll(
  definitions: Pick<Definitions, 'refreshUsed'>,
  adapters: ReadonlyMap<string, AnyAdapter>,
  log: Logger
): Periodic & { run: () => Promise<void> } {
  const run = () =>
    definitions.refreshUsed(({ provider, settings }) => {
      const hear = adapters.get(provider)?.hear
      // with the secret of an app of one's own the app's address is ours
      return hear === undefined || (hear.notCovered !== undefined && !(settings as { appSecret?: string }).appSecret)
    })
  return { ...createPeriodic(run, everyMs, log, 'templates could not be asked for: once more in an hour'), run }
}
