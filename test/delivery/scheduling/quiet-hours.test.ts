import t, { type Test } from 'tap'
import { createRateLimiter } from '../../../src/delivery/scheduling/rate-limiter.ts'
import { createScheduler, type SchedulerParts } from '../../../src/delivery/scheduling/scheduler.ts'
import { queueQueries } from '../../../src/messages/queue.ts'
import { migrate } from '../../../src/store/migrations.ts'
import { openSqlite } from '../../../src/store/sqlite.ts'
import { message } from '../../conformance/store-rows.ts'
import { folder, log } from '../../store/embedded.ts'
import { until } from '../../until.ts'

// A window that closes while a broadcast runs: who waits for it is put off, and nobody else waits with them.

const hour = 3600_000
const queue = 'live/1/billing/support/brd_1'
const row = { broadcast_id: 'brd_1', lane: 1, queue, expires_at: Date.now() + hour, run_at: Date.now() - hour }

/** So many messages that are due, and a scheduler that gives them to somebody. */
async function lineOf(t: Test, count: number, parts: Pick<SchedulerParts, 'opensAt'> & Partial<SchedulerParts>) {
  const store = openSqlite(await folder(t))
  await migrate(store)
  const delivered: string[] = []
  await store.write(function* () {
    const at = { created_at: 1, started_at: 1, finished_at: null, start_at: null }
    const counts = { total: count, duplicates: 0, skipped: 0, suppressed: 0, rate_per_second: null }
    const of = { service: 'billing', key_id: 'key_1', mode: 'live', channel_id: 'support', name: 'n' } as const
    const terms = { template: '{}', status: 'running', sending_window: '{}' } as const
    yield store.build
      .insertInto('broadcasts')
      .values({ id: 'brd_1', ...of, ...terms, ...counts, ...at })
      .compile()
    for (let i = 0; i < count; i++)
      yield store.build
        .insertInto('messages')
        .values(message({ ...row, contact: String(i) }))
        .compile()
  })
  const scheduler = createScheduler({
    ...{ store, log, rateLimiter: createRateLimiter(store, 0), queue: queueQueries(store), leaseMs: 30_000 },
    limitsOf: () => [],
    chunkOf: () => 20,
    ...parts
  })
  t.teardown(async () => {
    await scheduler.stop()
    await store.close()
  })
  const waiting = () =>
    store.read(
      store.build
        .selectFrom('messages')
        .select(['contact', 'run_at', 'expires_at'])
        .where('state', '=', 'queued')
        .compile()
    )
  const start = () =>
    scheduler.start({
      freeSlots: () => 20,
      deliver: rows => void delivered.push(...rows.map(({ contact }) => contact!))
    })
  return { scheduler, start, delivered, waiting }
}
const even = (person: string) => Number(person) % 2 === 0

t.test('who is outside is put off to the opening, and who is inside goes at once', async t => {
  const opening = Date.now() + 9 * hour
  let asked = 0
  const opensAt = (_window: string, person: string, now: number) => {
    asked++
    return even(person) ? opening : now
  }
  const { start, delivered, waiting } = await lineOf(t, 1200, { opensAt })
  start()
  await until(
    () => delivered.length,
    count => count === 600
  )
  t.notOk(delivered.some(even), 'nobody whose window is closed')
  const rows = await waiting()
  t.equal(rows.length, 600)
  t.ok(
    rows.every(({ run_at }) => run_at === opening),
    'each waits for its opening'
  )
  t.ok(
    rows.every(({ expires_at }) => expires_at! >= opening + 24 * hour),
    'and does not expire before'
  )
  t.ok(asked < 6000, `asked ${asked} times for 1200`)
})

t.test('a window that closes in the middle keeps the rest; POSITIVE CONTROL: without it all would go', async t => {
  const opening = Date.now() + 9 * hour
  const run = async (closes: boolean) => {
    let gone: string[] = []
    const { start, delivered, waiting } = await lineOf(t, 300, {
      // The clock is handed in: it has struck once a hundred have gone.
      opensAt: (_window, _person, now) => (closes && gone.length >= 100 ? opening : now)
    })
    gone = delivered
    start()
    await until(
      async () => (await waiting()).filter(({ run_at }) => run_at !== opening).length,
      left => left === 0
    )
    // What was claimed is on its way.
    await until(
      () => delivered.length,
      count => count >= (closes ? 100 : 300)
    )
    return delivered.length
  }
  t.equal(await run(true), 100)
  t.equal(await run(false), 300)
})

t.test('while places are not known yet nothing goes, and then it does', async t => {
  let known = false
  const { scheduler, start, delivered } = await lineOf(t, 5, {
    opensAt: (_window, _person, now) => (known ? now : undefined)
  })
  start()
  const call = scheduler.acquire({ mode: 'live', lane: 0, service: 'x', limits: [], keys: [], timeoutMs: 5000 })
  await t.resolves(call, 'others are not held up by that')
  t.strictSame(delivered, [])
  known = true
  await until(
    () => delivered.length,
    count => count === 5
  )
})
