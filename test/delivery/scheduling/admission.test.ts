import t, { type Test } from 'tap'
import { createAdmission } from '../../../src/delivery/scheduling/admission.ts'
import { createRateLimiter } from '../../../src/delivery/scheduling/rate-limiter.ts'
import type { MessageRow } from '../../../src/store/schema.ts'
import { openSqlite } from '../../../src/store/sqlite.ts'
import { folder, log } from '../../store/embedded.ts'

const row = {
  mode: 'live',
  channel_id: 'cloud',
  service: 'billing',
  type: 'text',
  contact: '491',
  lane: 0
} as MessageRow
const channel = { id: 'cloud', mode: 'live' } as const
const next = { at: 0, until: Number.MAX_VALUE }
const never = () => Promise.reject(new Error('it was asked'))

/** Admission in front of turns of which each is `next`. */
async function admissionOf(t: Test) {
  const store = openSqlite(await folder(t))
  t.teardown(() => store.close())
  const asked: unknown[] = []
  const scheduler = {
    commitMs: () => 0,
    acquire: async (want: unknown) => {
      asked.push(want)
      return next
    }
  }
  const { acquire } = createAdmission({
    ...{ store, log, scheduler: scheduler as never, breaker: {} as never, rateLimiter: createRateLimiter(store, 10) },
    ...{ paced: true, timeoutMs: 1000, limitsOf: () => [] }
  })
  return { acquire, asked }
}
/** A slot that is still to come whenever it is looked at, and is over when it has been waited for. */
const missed = {
  get at() {
    return performance.now() + 40
  },
  until: 0
}
const gone = { at: 0, until: 0 }

t.test('one that missed the slot for which it was ready has no other, if others may follow it', async t => {
  const { acquire, asked } = await admissionOf(t)
  t.equal(await acquire(row, channel, missed, never), undefined)
  t.strictSame(asked, [], 'no slot is taken that it would not use')
  t.equal(await acquire(row, channel, missed), next, 'CONTROL: one that nobody follows takes another')
})

t.test('one that was not ready for its slot takes another if it may', async t => {
  const { acquire, asked } = await admissionOf(t)
  t.equal(await acquire(row, channel, gone, async () => false), undefined)
  t.strictSame(asked, [])
  t.equal(await acquire(row, channel, gone, async () => true), next)
  t.equal(await acquire(row, channel, next, never), next, 'in time it is not asked')
})
