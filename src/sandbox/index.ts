import { addControl } from './control.ts'
import { magicRecipients } from './faults.ts'
import { createFaults, type Faults } from './forcing.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { buildServer } from './server.ts'
import { standIns } from './stand-ins.ts'
import { createState } from './state.ts'
import { createHooks, type DefaultHook, type Hook } from './webhooks/hooks.ts'
import { createPlayer, type Player } from './webhooks/player.ts'
import { type ScenarioOf, scenarioOfNumber, scenarios } from './webhooks/scenarios.ts'
import { realWait, type Wait } from './wire.ts'

export { wordsOf } from './effects.ts'
export type { MagicRecipient } from './faults.ts'
export type { ForcedFault } from './forcing.ts'
export type { Ledger, LedgerEntry } from './ledger.ts'
export { standIns } from './stand-ins.ts'
export type { Happening, Taken } from './webhooks/happening.ts'
export type { DefaultHook } from './webhooks/hooks.ts'
export type { Scenario } from './webhooks/scenarios.ts'
export type { Wait } from './wire.ts'
export { magicRecipients, scenarios }

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
  /** what a slow answer waits by; default: real time */
  wait?: Wait
  /** false: nothing is recorded, for benchmarks; a number: how many entries are kept (default 100,000) */
  ledger?: boolean | number
  /** where webhooks go that nobody registered an address for; default: nowhere */
  defaultHook?: DefaultHook
  /** the unit of time in which statuses and replies follow a send; default 250 ms, 0: at once */
  tempoMs?: number
  /** the scenario that a message meets, by its name; default: the one of its recipient's number */
  scenarioOf?: ScenarioOf
  /** how long a webhook that was not answered 200 waits for its second try; default 1 s, and doubles */
  webhookRetryMs?: number
  /** signs Meta's webhooks, as the app's secret does */
  appSecret?: string
}

export interface Sandbox {
  /** e.g. `http://127.0.0.1:40123`, to be used as Maton's base URL */
  url: string
  ledger: Ledger
  /** the same as `POST /_sandbox/faults` */
  force: Faults['force']
  /** has something happen that follows no send; the same as `POST /_sandbox/happenings` */
  happen: Player['happen']
  /** every address that webhooks are registered for */
  hooks(): ReadonlyMap<string, Hook[]>
  /** resolves when no webhook is on its way any more */
  told(): Promise<void>
  /** prompt, even while calls hang */
  close(): Promise<void>
}

/** The numbers that always meet one fate: in the answer to the send, or in what is told afterwards. */
export const recipients = { atOnce: magicRecipients, afterwards: scenarios }

/** What the sandbox's Meta app signs its webhooks with. */
export const SANDBOX_APP_SECRET = 'sandbox-app-secret'

const KEPT = 100_000

/** Starts the stand-in for Maton and every provider; each one has a world of its own. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { host = '127.0.0.1', port = 0, ledger: keep = true } = options
  const ledger = createLedger(keep === true ? KEPT : Number(keep))
  const faults = createFaults()
  const state = createState()
  const hooks = createHooks(options.defaultHook)
  const player = createPlayer({
    hooks,
    tellers: new Map(
      [...standIns].flatMap(([name, { webhooks }]) =>
        webhooks ? [[name, { wording: webhooks.wording(state), hooks: webhooks.hooks }] as const] : []
      )
    ),
    tempoMs: options.tempoMs ?? 250,
    scenarioOf: options.scenarioOf ?? scenarioOfNumber,
    retryMs: options.webhookRetryMs ?? 1000,
    appSecret: options.appSecret ?? SANDBOX_APP_SECRET
  })
  const app = await buildServer({
    state,
    hooks,
    player,
    ledger,
    faults,
    apiKey: options.apiKey,
    ratePerSecond: options.ratePerSecond ?? 0,
    latencyMs: options.latencyMs ?? 0,
    wait: options.wait ?? realWait
  })
  addControl(app, ledger, faults)
  const url = await app.listen({ host, port })
  return {
    url,
    ledger,
    force: faults.force,
    happen: player.happen,
    hooks: () => hooks.at,
    told: player.idle,
    async close() {
      await player.close()
      await app.close()
    }
  }
}
