import type { Metrics } from '../metrics.ts'
import { version } from '../version.ts'
import { blockFigures, type ChannelFigureParts, paceFigures, webhookFigures } from './channels.ts'
import type { FigureSource } from './figures.ts'
import { queueFigures, unknownFigures } from './queue.ts'

export interface MonitoringParts extends ChannelFigureParts {
  metrics: Metrics
}

/** The log or the pool of the store, and who we are. */
function processFigures({
  store,
  mode
}: MonitoringParts): FigureSource<
  'switchboard_store_wal_bytes' | 'switchboard_store_connections' | 'switchboard_build_info'
> {
  return {
    name: 'process',
    figures: {
      switchboard_store_wal_bytes: { help: 'Size of SQLite’s log, which is emptied now and then' },
      switchboard_store_connections: { help: 'Connections to PostgreSQL, and who waits for one', labels: ['state'] },
      switchboard_build_info: { help: 'Always 1', labels: ['version', 'node', 'store', 'mode'] }
    },
    look: async tell => {
      const { walBytes, pool } = store.gauges()
      if (walBytes !== undefined) tell('switchboard_store_wal_bytes', walBytes)
      for (const [state, count] of Object.entries(pool ?? {})) tell('switchboard_store_connections', count, { state })
      tell('switchboard_build_info', 1, { version, node: process.version, store: store.dialect, mode })
    }
  }
}

/** Has everything that stands in the store told by /metrics. */
export function addFigures(parts: MonitoringParts): void {
  const { store, metrics } = parts
  const sources = [
    queueFigures(store),
    unknownFigures(store),
    blockFigures(parts),
    paceFigures(parts),
    webhookFigures(parts),
    processFigures(parts)
  ]
  for (const source of sources) metrics.add(source as FigureSource)
}

/** Every unit of work that became durable, for `aroundWrites`. */
export const observedCommits =
  (committed: (ms: number) => void) =>
  async <T>(write: () => Promise<T>): Promise<T> => {
    const begun = performance.now()
    const value = await write()
    committed(performance.now() - begun)
    return value
  }
