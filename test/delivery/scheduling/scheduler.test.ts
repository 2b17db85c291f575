import { fdatasync } from 'node:fs'
import t, { type Test } from 'tap'
import type { Want } from '../../../src/delivery/scheduling/decisions.ts'
import { had, inTurn, type Served } from '../../../src/delivery/scheduling/fairness.ts'
import { createRateLimiter, earliest } from '../../../src/delivery/scheduling/rate-limiter.ts'
import { createScheduler, type Scheduler } from '../../../src/delivery/scheduling/scheduler.ts'
import { queueQueries } from '../../../src/messages/queue.ts'
import { migrate } from '../../../src/store/migrations.ts'
import { openSqlite } from '../../../src/store/sqlite.ts'
import { folder, log } from '../../store/embedded.ts'

const want: Want = { mode: 'live', lane: 0, service: 'billing', limits: [], keys: [], timeoutMs: 10_000 }

/** Turns over a real store whose disk takes so long to sync, or fails while `broken` says so. */
async function turnsOver(t: Test, ms: number, broken = () => false): Promise<Scheduler> {
  const store = openSqlite(await folder(t), (fd, done) =>
    setTimeout(() => (broken() ? done(new Error('EIO')) : fdatasync(fd, done)), ms)
  )
  await migrate(store)
  const scheduler = createScheduler({
    ...{ store, log, rateLimiter: createRateLimiter(store, 10), queue: queueQueries(store), leaseMs: 30_000 },
    limitsOf: () => [],
    opensAt: (_window, _person, now) => now,
    chunkOf: () => 1
  })
  scheduler.start({ freeSlots: () => 0, deliver: () => {} })
  t.teardown(async () => {
    await scheduler.stop()
    await store.close()
  })
  return scheduler
}

for (const ms of [0, 70, 150])
  t.test(`a permit can still be used when it is here, on a disk that takes ${ms} ms`, async t => {
    const scheduler = await turnsOver(t, ms)
    let inTime = 0
    for (let i = 0; i < 8; i++) {
      const { at, until } = await scheduler.acquire(want)
      t.ok(at <= until)
      if (performance.now() <= until) inTime++
    }
    // The first tell how slow it is.
    t.ok(inTime >= 3, `${inTime} of 8`)
  })

t.test('while the store gives nobody a turn, those who wait are told so and not kept', async t => {
  let broken = false
  const scheduler = await turnsOver(t, 0, () => broken)
  await scheduler.acquire(want)
  broken = true
  await t.rejects(scheduler.acquire(want), { name: 'StoreUnavailable' })
  broken = false
  await scheduler.acquire(want)
})

t.test('a clock that was set back does not stop the account for as long', async t => {
  const store = openSqlite(await folder(t))
  t.teardown(() => store.close())
  await migrate(store)
  const rateLimiter = createRateLimiter(store, 10)
  const limit = rateLimiter.account('live')!
  const open = () =>
    store.write(function* () {
      return yield* rateLimiter.open(limit)
    })
  const before = await open()
  await store.write(() => rateLimiter.book(before, before.now + 3600_000, 0))
  const after = await open()
  t.ok(earliest(after, false) - after.now < 2000)
  t.ok(earliest({ ...before, last: before.now + 3600_000 }, false) - before.now >= 3600_000, 'CONTROL')
})

t.test('turns go round between services, and between the lines of each', t => {
  const served: Served = { last: new Map(), turn: 0, sinceBulk: 0 }
  const line = (service: string, queue: string, lane = 0) => ({ service, queue, lane })
  const lines = [line('a', 'a/1'), line('a', 'a/2'), line('b', 'b/1'), line('b', 'brd', 1)]
  const waiters = [{ lane: 0, service: 'a' }]
  const order = Array.from({ length: 20 }, () => {
    const [next] = inTurn(waiters, lines, served)
    had(served, next!.lane, next!.service, next!.head?.queue)
    served.sinceBulk = next!.lane === 1 ? 0 : served.sinceBulk + 1
    return next!.head?.queue ?? 'call'
  })
  t.strictSame(order.slice(0, 8), ['call', 'b/1', 'a/1', 'b/1', 'a/2', 'b/1', 'call', 'b/1'])
  t.equal(order.filter(name => name === 'brd').length, 2, 'a tenth for bulk')
  t.equal(order.indexOf('brd'), 9)
  t.end()
})
