import pino from 'pino'
import type { Limits } from '../../src/limits/account.ts'
import { createLimiter, type Limiter } from '../../src/limits/limiter.ts'
import { type Store, StoreUnavailable } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { caller, failure } from './store-rows.ts'

const log = pino({ level: 'silent' })
const noon = Date.UTC(2026, 10, 28, 12)

/** Time that stands still until it is put forward: of the store's clock and of the process's. */
function standing(at = noon): {
  of: (store: Store) => Store
  now: () => number
  pass: (ms: number) => void
  at: () => number
} {
  let time = at
  return {
    of: store => ({ ...store, clock: () => time }),
    now: () => time - at,
    at: () => time,
    pass: ms => {
      time += ms
    }
  }
}
const who = (limits: Limits, keyId = 'key_limited') => caller({ keyId, limits })
/** How many of `count` requests at a time are let in; what goes wrong otherwise is thrown. */
async function letIn(limiter: Limiter, limits: Limits, count: number, keyId?: string): Promise<number> {
  const taken = await Promise.all(
    Array.from({ length: count }, async () => {
      try {
        await limiter.take(who(limits, keyId))
        return 1
      } catch (error) {
        if ((error as { code?: string }).code !== 'rate_limited') throw error
        return 0
      }
    })
  )
  return taken.reduce<number>((sum, one) => sum + one, 0)
}

/** Limits of callers (docs/api.md 11): one account for all replicas, of which each takes a little in advance. */
export function limitCases(test: Case): void {
  test('two replicas together let in what the rate gives, within 5 %', async (t, { store, replica }) => {
    const time = standing()
    const stores = [store, replica ? await replica() : store]
    const limiters = stores.map(each => createLimiter({ store: time.of(each), log, now: time.now }))
    const limits = { rateLimit: { perSecond: 400, burst: 800 } }
    let all = 0
    let alone = 0
    for (let i = 0; i < 50; i++) {
      const counts = await Promise.all(limiters.map(limiter => letIn(limiter, limits, 30)))
      all += counts[0]! + counts[1]!
      alone += await letIn(limiters[0]!, limits, 30, 'key_alone')
      time.pass(50)
    }
    // 3000 asked in 2.5 s; the burst and 2.45 s of the rate are given.
    const given = 800 + 0.05 * 49 * 400
    t.ok(all <= given * 1.05 && all >= given * 0.95, `${all} of ${given}`)
    t.ok(
      alone >= 1490,
      `CONTROL: a key of its own was let in ${alone} times, so the two could have come twice as often`
    )
  })

  test('two replicas together let in no more than the quota, and 95 % of it at least', async (t, {
    store,
    replica
  }) => {
    const time = standing()
    const stores = [store, replica ? await replica() : store]
    const limiters = stores.map(each => createLimiter({ store: time.of(each), log, now: time.now }))
    const limits = { quota: { perDay: 1000 } }
    let all = 0
    for (let i = 0; i < 40; i++) {
      all += await letIn(limiters[0]!, limits, 20)
      all += await letIn(limiters[1]!, limits, 25)
      time.pass(20)
    }
    t.ok(all <= 1000 && all >= 950, `${all} of 1000, where 1800 were asked`)
    // What neither has used goes back when it is not used for a second.
    time.pass(2000)
    for (const limiter of limiters) await limiter.stop()
    const after = createLimiter({ store: time.of(store), log, now: time.now })
    t.equal(all + (await letIn(after, limits, 100)), 1000, 'to the last one')
  })

  test('whoever dies takes a few with it, and lets nobody in twice', async (t, { store }) => {
    const time = standing()
    const limits = { quota: { perDay: 600 } }
    let all = 0
    for (let life = 0; life < 20; life++) {
      // Killed: nothing is handed back.
      const limiter = createLimiter({ store: time.of(store), log, now: time.now })
      for (let i = 0; i < 10; i++) all += await letIn(limiter, limits, 4)
    }
    t.ok(all <= 600 && all >= 540, `${all} of 600 in 20 lives`)
  })

  test('where the store cannot be written nobody is let in', async (t, { store }) => {
    const time = standing()
    let broken = false
    const ill: Store = {
      ...time.of(store),
      write: unit => (broken ? Promise.reject(new StoreUnavailable('the disk is full')) : store.write(unit))
    }
    const limiter = createLimiter({ store: ill, log, now: time.now })
    const limits = { rateLimit: { perSecond: 10, burst: 10 }, quota: { perDay: 100 } }
    t.equal(await letIn(limiter, limits, 3), 3)
    broken = true
    let refused = 0
    for (let i = 0; i < 10; i++) {
      const error = await failure(Promise.resolve(limiter.take(who(limits))))
      if (error instanceof StoreUnavailable) refused++
    }
    t.equal(refused, 10)
    broken = false
    t.equal(await letIn(limiter, limits, 20), 7, 'and nothing is lost')
  })

  test('a day begins where its time zone says, and does not begin again', async (t, { store }) => {
    const time = standing(Date.UTC(2026, 10, 28, 22, 59, 58))
    const limits = { quota: { perDay: 3, timeZone: 'Europe/Berlin' } }
    const limiter = createLimiter({ store: time.of(store), log, now: time.now })
    t.equal(await letIn(limiter, limits, 5), 3)
    const error = await failure(Promise.resolve().then(() => limiter.take(who(limits))))
    t.match(error, { facts: { retryAfterSeconds: 2 } })
    time.pass(1999)
    t.equal(await letIn(limiter, limits, 5), 0)
    time.pass(1)
    t.equal(await letIn(limiter, limits, 5), 3, 'midnight in Berlin is 23:00 in UTC')
    const behind = standing(Date.UTC(2026, 10, 28, 22, 59, 59))
    const other = createLimiter({ store: behind.of(store), log, now: behind.now })
    t.equal(await letIn(other, limits, 5), 0, 'a replica whose clock is a moment behind')
    time.pass(1000)
    t.equal(await letIn(limiter, limits, 5), 0)
    t.equal(await letIn(limiter, { quota: { perDay: 3 } }, 5), 0, 'nor for a zone where it is still the day before')
  })

  test('a clock that was ahead and was set back keeps nobody out for longer than a moment', async (t, { store }) => {
    const limits = { rateLimit: { perSecond: 10, burst: 20 }, quota: { perDay: 100 } }
    const wrong = standing(noon + 365 * 24 * 3600_000)
    t.equal(await letIn(createLimiter({ store: wrong.of(store), log, now: wrong.now }), limits, 30), 20)
    const right = standing()
    const limiter = createLimiter({ store: right.of(store), log, now: right.now })
    t.equal(await letIn(limiter, limits, 30), 0, 'the burst was used')
    right.pass(1000)
    t.equal(await letIn(limiter, limits, 30), 10, 'and fills up by the right clock')
    t.equal(/"quota";r=(\d+)/.exec(limiter.headers(who(limits)).ratelimit!)?.[1], '90', 'the day is today')
  })

  test('a broadcast is booked in its own unit, whole or not at all', async (t, { store, replica }) => {
    const time = standing()
    const stores = [store, replica ? await replica() : store]
    const limiters = stores.map(each => createLimiter({ store: time.of(each), log, now: time.now }))
    const limits = { quota: { perDay: 100 } }
    const me = who(limits)
    await limiters[0]!.take(me)
    const booking = (await limiters[0]!.book(me, 60))!
    const rival = (await limiters[1]!.book(me, 60))!
    await stores[0]!.write(booking.unit)
    t.match(await failure(stores[1]!.write(rival.unit)), { code: 'rate_limited' }, 'known to be too many by now')
    t.match(await failure(Promise.resolve(limiters[1]!.book(me, 60))), { code: 'rate_limited' })
    const failing = (await limiters[0]!.book(me, 41))!
    await failure(
      stores[0]!.write(function* () {
        yield* failing.unit()
        throw new Error('the broadcast could not be stored')
      })
    )
    t.equal(await letIn(limiters[0]!, limits, 60), 40, 'what was not kept was not booked')
    t.equal(await limiters[0]!.book(who({ rateLimit: { perSecond: 1, burst: 1 } }), 60), undefined)
  })

  test('a key without limits costs nothing', async (t, { store }) => {
    const blind: Store = {
      ...store,
      read: () => Promise.reject(new Error('read')),
      write: () => Promise.reject(new Error('written'))
    }
    const limiter = createLimiter({ store: blind, log })
    const me = caller({ keyId: 'key_free' })
    t.equal(limiter.take(me), undefined, 'not even a promise')
    t.strictSame(limiter.headers(me), {})
    t.equal(await limiter.book(me, 1000), undefined)
    limiter.giveBack(me)
    t.match(
      await failure(Promise.resolve(limiter.take(who({ quota: { perDay: 1 } })))),
      { message: 'written' },
      'CONTROL'
    )
  })
}
