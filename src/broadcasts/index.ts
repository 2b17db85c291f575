import type { Logger } from 'pino'
import type { Channels } from '../channels/channels.ts'
import type { BacklogLimit } from '../delivery/intake/backlog-limit.ts'
import type { Preparation } from '../delivery/intake/prepare.ts'
import type { Limiter } from '../limits/limiter.ts'
import { blockQueries } from '../messages/blocks.ts'
import type { Suppressed } from '../messages/suppressed.ts'
import type { QuietHours } from '../quiet-hours/index.ts'
import type { Store } from '../store/store.ts'
import { type Broadcasts, createBroadcasts } from './broadcasts.ts'
import { createBroadcastChecker } from './check.ts'
import { createBroadcastIntake } from './intake.ts'
import { type BroadcastLifecycle, createBroadcastLifecycle } from './lifecycle.ts'
import { createProgress } from './progress.ts'
import { broadcastQueries } from './queries.ts'

export interface AssemblyParts {
  store: Store
  channels: Channels
  preparation: Preparation
  suppressed: Suppressed
  quietHours: QuietHours
  /** What stands before /errors#code in a stored error. */
  typeBase: string
  /** For tables while they are read; an existing folder of ours alone. */
  directory: string
  log: Logger
  backlogLimit?: BacklogLimit
  /** Books recipients against the quota of whoever orders them. */
  limiter?: Pick<Limiter, 'book'>
  /** Told when messages fall due. */
  wake: (mode: string, dueAt: number) => void
}

/** Broadcasts, and what begins, ends and clears them up. */
export function assembleBroadcasts(parts: AssemblyParts): { broadcasts: Broadcasts; lifecycle: BroadcastLifecycle } {
  const { store, log, wake } = parts
  const queries = broadcastQueries(store)
  const blocks = blockQueries(store)
  const progress = createProgress(store, queries, parts.quietHours)
  const lifecycle = createBroadcastLifecycle(store, queries, blocks, log, progress.forget)
  const intake = createBroadcastIntake({
    ...parts,
    queries,
    blocks,
    discard: lifecycle.discard,
    withdraw: lifecycle.withdraw
  })
  const look = () => void lifecycle.look()
  const stop = () => {
    // A stream of events has no end of its own that a shutdown could wait for.
    progress.stop()
    return lifecycle.stop()
  }
  return {
    broadcasts: createBroadcasts({
      store,
      queries,
      blocks,
      suppressed: parts.suppressed,
      intake,
      check: createBroadcastChecker(parts),
      progress,
      wake,
      look
    }),
    lifecycle: { ...lifecycle, stop }
  }
}
