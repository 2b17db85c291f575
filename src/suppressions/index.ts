import type { Channels } from '../channels/channels.ts'
import { createSuppressed, type Suppressed } from '../messages/suppressed.ts'
import type { Store } from '../store/store.ts'
import { createEntries, type Entries } from './entries.ts'
import { createHeardWills, type HeardWills } from './heard.ts'
import { createSuppressions, type Suppressions } from './suppressions.ts'
import { createSuppressionTable, type SuppressionTable } from './table.ts'

export interface SuppressionRooms {
  /** What stops a message. */
  suppressed: Suppressed
  entries: Entries
  /** What follows from what people say. */
  ofInbound: HeardWills
  /** What the routes call. */
  ofRoutes: { suppressions: Suppressions; suppressionTable: SuppressionTable }
}

export interface AssemblyParts {
  store: Store
  channels: Channels
  /** Keys the hashes of erased people. */
  pepper: string
}

/** Who must not be messaged: what callers keep, and what people say. */
export function assembleSuppressions({ store, channels, pepper }: AssemblyParts): SuppressionRooms {
  const suppressed = createSuppressed(store, pepper)
  const entries = createEntries(store, suppressed)
  const suppressions = createSuppressions({ store, channels, entries })
  const suppressionTable = createSuppressionTable({ store, entries, suppressions })
  const ofInbound = createHeardWills(store, entries)
  return { suppressed, entries, ofInbound, ofRoutes: { suppressions, suppressionTable } }
}
