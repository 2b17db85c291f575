import type { Socket } from 'node:net'
import { addControl } from './control.ts'
import { createFaults, type Faults } from './forcing.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { buildServer } from './server.ts'
import { createState } from './state.ts'

export type { MagicRecipient } from './faults.ts'
export { magicRecipients } from './faults.ts'
export type { ForcedFault } from './forcing.ts'
export type { Ledger, LedgerEntry } from './ledger.ts'

export interface SandboxOptions {
  /** default 127.0.0.1 */
  host?: string
  /** default 0: any free one */
  port?: number
  /** if given, every other bearer is a 401; else any non-empty one passes */
  apiKey?: string
  /** Maton's limit over a sliding second, answered 429 without a body; default 0, no limit */
  ratePerSecond?: number
  /** added to every answer; default 0 */
  latencyMs?: number
  /** false: nothing is recorded, for benchmarks; a number: how many entries are kept (default 100,000) */
  ledger?: boolean | number
}

export interface Sandbox {
  /** e.g. `http://127.0.0.1:40123`, to be used as Maton's base URL */
  url: string
  ledger: Ledger
  /** the same as `POST /_sandbox/faults` */
  force: Faults['force']
  /** prompt, even while calls hang */
  close(): Promise<void>
}

const KEPT = 100_000

/** Starts the stand-in for Maton, WATI and Meta; each one has a world of its own. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { host = '127.0.0.1', port = 0, ledger: keep = true } = options
  const ledger = createLedger(keep === true ? KEPT : Number(keep))
  const faults = createFaults()
  const app = await buildServer({
    state: createState(),
    ledger,
    faults,
    apiKey: options.apiKey,
    ratePerSecond: options.ratePerSecond ?? 0,
    latencyMs: options.latencyMs ?? 0
  })
  addControl(app, ledger, faults)
  const sockets = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const url = await app.listen({ host, port })
  return {
    url,
    ledger,
    force: faults.force,
    async close() {
      // hanging calls would be waited for
      for (const socket of sockets) socket.destroy()
      await app.close()
    }
  }
}
