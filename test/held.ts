import type { Test } from 'tap'
import { type Sandbox, startSandbox } from '../src/sandbox/index.ts'
import { matonKey } from './helper.ts'
import { until } from './until.ts'

/** A sandbox whose slow answers come one by one as the test lets them go, however long that takes on a busy machine. */
export async function heldSandbox(t: Test): Promise<{ sandbox: Sandbox; letGo: () => Promise<void> }> {
  const held: (() => void)[] = []
  const wait = (): Promise<void> => new Promise(resolve => held.push(resolve))
  const sandbox = await startSandbox({ apiKey: matonKey, tempoMs: 0, wait })
  t.teardown(() => sandbox.close())
  const letGo = async (): Promise<void> => {
    await until(
      () => held.length,
      count => count > 0
    )
    held.shift()!()
  }
  return { sandbox, letGo }
}

/** Waits until the clock has gone on for so long, and tells for how long it did. */
export async function passed(ms: number): Promise<number> {
  const since = performance.now()
  return until(
    () => performance.now() - since,
    gone => gone >= ms
  )
}

/** A deadline that is not what a test is about: it ends what hangs. */
export const patient = { UPSTREAM_TIMEOUT_MS: '60000' }
