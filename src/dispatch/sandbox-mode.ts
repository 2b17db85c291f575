import { effects, type Operation } from '../adapters/adapter.ts'
import { sandboxOnly } from '../errors.ts'
import type { DispatchChannel } from './provider-client.ts'

// Without an account nobody receives anything, so nothing that is live may look as if somebody had (docs/api.md 14).

/** Throws unless a live call is one that a caller reads by; those show what the sandbox has. */
export function keepLiveFromSandbox(operation: Operation, { mode, service }: DispatchChannel): void {
  if (mode === 'live' && (effects[operation] !== 'read' || service === undefined)) throw sandboxOnly()
}
