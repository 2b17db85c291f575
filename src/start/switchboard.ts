import type { App } from '../http/fastify.ts'
import type { ConnectionWatch } from './connections.ts'
import type { Reload } from './reload.ts'

/** The whole server, put together and not listening yet. */
export interface Switchboard {
  app: App
  /** The listener that only providers call, where WEBHOOK_PORT is set. */
  webhookApp?: App
  /** The listener that only Prometheus calls, where METRICS_PORT is set. */
  metricsApp?: App
  /** No account: everything goes to the sandbox. */
  sandboxMode: boolean
  /** No other process can be on this store. */
  alone: boolean
  /** The store's. */
  clock: () => number
  /** Has something done when nothing is under way any more, before the store closes. */
  atEnd: (work: () => Promise<void>) => void
  /** Looks whether the channels' connections are there, once it is started. */
  connectionWatch: ConnectionWatch
  /** What SIGHUP reads again. */
  reload: Reload
  /** Takes another key of the account at Maton, if Maton does. Throws a sentence; then the one before goes on. */
  replaceMatonKey: (apiKey: string) => Promise<void>
  /** Settles what an earlier process left and begins to deliver what waits. */
  start: () => Promise<void>
  /** Readiness off, from now on. */
  drain: () => void
  /** Finishes what is in flight and closes everything, the app first. */
  close: () => Promise<void>
}
