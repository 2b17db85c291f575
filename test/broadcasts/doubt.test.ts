import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import t, { type Test } from 'tap'
import { createBroadcastIntake } from '../../src/broadcasts/intake.ts'
import { createBroadcastLifecycle } from '../../src/broadcasts/lifecycle.ts'
import { broadcastQueries } from '../../src/broadcasts/queries.ts'
import type { Claim } from '../../src/delivery/intake/idempotency.ts'
import type { Caller } from '../../src/keys/caller.ts'
import { blockQueries } from '../../src/messages/blocks.ts'
import { createSuppressed } from '../../src/messages/suppressed.ts'
import { batchSize } from '../../src/messages/transitions/broadcast.ts'
import { createQuietHours } from '../../src/quiet-hours/index.ts'
import { openStore } from '../../src/store/index.ts'
import { type Store, StoreUnavailable } from '../../src/store/store.ts'
import { failure } from '../conformance/store-rows.ts'
import { until } from '../until.ts'
import { order } from './order.ts'

// The store fails at the very commit that makes a broadcast, and nobody can say whether it was kept.

const log = pino({ level: 'silent' })
const caller: Caller = { keyId: 'key_1', service: 'billing', mode: 'live', scopes: new Set() }
const channel = { id: 'cloud', provider: 'whatsapp-cloud', mode: 'live', settings: {}, connectionId: 'c' }
const channels = { resolve: async () => channel } as never
const preparation = {
  frame: async () => ({ language: 'en_US', fill: () => ({}) }),
  encodeNow: () => ({ request: {}, warnings: [] })
} as never

/** Whether this is the commit that makes a broadcast of so many. */
const makes = (sql: string, parameters: readonly unknown[]): boolean =>
  (sql.startsWith('insert into "broadcasts"') && parameters.includes('running')) ||
  (sql.startsWith('update "broadcasts"') && parameters.includes('running'))

interface Rig {
  store: Store
  /** One broadcast of so many; rejects as the route would answer. */
  create: (count: number, claim?: Claim) => Promise<unknown>
  spool: string
  stop: () => Promise<void>
}
/** How a commit is told as failed: it was kept all the same, or lost; or kept, and the last that the store did. */
type Verdict = 'kept' | 'lost' | 'kept and down'

/** @param fails whether the n-th making commit is told as failed, and whether it is kept all the same */
async function rig(t: Test, fails: (n: number) => Verdict | undefined): Promise<Rig> {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-doubt-'))
  const spool = join(directory, 'spool')
  mkdirSync(spool)
  const store = await openStore({ directory }, log)
  t.teardown(async () => {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  })
  let n = 0
  let down = false
  const faulty: Store = {
    ...store,
    write: async unit => {
      if (down) throw new StoreUnavailable('down')
      let verdict: Verdict | undefined
      const value = await store
        .write(function* () {
          verdict = undefined
          const steps = unit()
          let step = steps.next()
          while (!step.done) {
            const making = makes(step.value.sql, step.value.parameters)
            if (making) verdict = fails(n++)
            if (verdict === 'lost') throw new StoreUnavailable('lost')
            const result = yield step.value
            // It was there already.
            if (making && result.changes === 0) verdict = undefined
            step = steps.next(result)
          }
          return step.value
        })
        .catch(error => {
          throw error instanceof Error && error.message === 'lost' ? new StoreUnavailable('lost') : error
        })
      if (verdict === 'kept and down') down = true
      if (verdict === 'kept' || down) throw new StoreUnavailable('kept, and told as failed')
      return value
    }
  }
  const queries = broadcastQueries(store)
  const blocks = blockQueries(store)
  const watch = createBroadcastLifecycle(store, queries, blocks, log, () => {})
  const { discard, withdraw } = watch
  const parts = { queries, blocks, channels, preparation, directory: spool, log, wake: () => {}, discard, withdraw }
  const stops = { quietHours: createQuietHours(log), suppressed: createSuppressed(store, 'p'.repeat(32)), typeBase: '' }
  const intake = createBroadcastIntake({ ...parts, ...stops, store: faulty, doubtMs: 1000 })
  const create = (count: number, claim?: Claim) => {
    const { recipients, ...form } = order(count)
    return intake(caller, form, { recipients }, { claim })
  }
  return { store, create, spool, stop: watch.stop }
}
const found = async (store: Store) => {
  const rows = await store.read(store.build.selectFrom('broadcasts').selectAll().compile())
  const messages = await store.read(store.build.selectFrom('messages').select('id').compile())
  return { statuses: rows.map(({ status }) => status), messages: messages.length }
}

for (const [size, count] of [
  ['one commit', 3],
  ['many', batchSize + 1]
] as const) {
  t.test(`stored in ${size}: kept and told as failed, it is found to be there, once`, async t => {
    const { store, create, spool } = await rig(t, n => (n === 0 ? 'kept' : undefined))
    t.match(await create(count), { id: /^brd_/ })
    t.strictSame(await found(store), { statuses: ['running'], messages: count })
    await until(
      () => readdirSync(spool),
      left => left.length === 0
    )
    t.strictSame(await store.read(blockQueries(store).all({})), [])
  })

  t.test(`stored in ${size}: lost, it is made again, once`, async t => {
    const { store, create } = await rig(t, n => (n < 2 ? 'lost' : undefined))
    t.match(await create(count), { id: /^brd_/ })
    t.strictSame(await found(store), { statuses: ['running'], messages: count })
  })

  t.test(`stored in ${size}: never certain, its caller is told so and it is canceled or gone`, async t => {
    const kept = await rig(t, () => 'kept')
    // The first is kept, and whoever looks again is not told a second time.
    await t.resolves(kept.create(count))
    const lost = await rig(t, () => 'lost')
    await t.rejects(lost.create(count), StoreUnavailable)
    await until(
      () => found(lost.store),
      ({ statuses, messages }) => statuses.every(status => status === 'canceled') && messages === 0
    )
    await lost.stop()
    await until(
      () => readdirSync(lost.spool),
      left => left.length === 0
    )
  })
}

for (const [size, count] of [
  ['one commit', 3],
  ['many', batchSize + 1]
] as const)
  t.test(`stored in ${size}: never certain, its key finds what came of it, and nobody takes it back`, async t => {
    const id = 'brd_01jabcdefghjkmnpqrstvwxyz0'
    const claim: Claim = { id, settle: function* () {} }
    const unknown = { code: 'overloaded', facts: { outcome: 'unknown' }, message: /same Idempotency-Key/ }
    const kept = await rig(t, () => 'kept and down')
    t.match(await failure(kept.create(count, claim)), unknown)
    await kept.stop()
    t.strictSame(await found(kept.store), { statuses: ['running'], messages: count })
    const lost = await rig(t, () => 'lost')
    t.match(await failure(lost.create(count, claim)), unknown)
    await until(
      () => found(lost.store),
      ({ statuses, messages }) => statuses.length === 0 && messages === 0
    )
    await lost.stop()
  })

t.test('one that is complete although its caller was told that it is not is canceled', async t => {
  const { store, create, stop } = await rig(t, () => undefined)
  const { id } = (await create(3)) as { id: string }
  const watch = createBroadcastLifecycle(store, broadcastQueries(store), blockQueries(store), log, () => {})
  watch.withdraw(id)
  await until(
    () => found(store),
    ({ statuses }) => statuses[0] === 'canceled'
  )
  await watch.look()
  const states = await store.read(store.build.selectFrom('messages').select('state').compile())
  t.ok(states.every(({ state }) => state === 'canceled'))
  await watch.stop()
  await stop()
})
