import { createBacklogLimit } from '../../src/delivery/intake/backlog-limit.ts'
import { newId } from '../../src/ids.ts'
import type { MessageRow } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { changed, failure, message } from './store-rows.ts'

/** Many rows in few statements. */
async function fill(store: Store, count: number, changes: Partial<MessageRow>): Promise<void> {
  for (let left = count; left > 0; left -= 500)
    await changed(
      store,
      store.build
        .insertInto('messages')
        .values(Array.from({ length: Math.min(left, 500) }, () => message({ ...changes, id: newId('msg') })))
    )
}

/** QUEUE_LIMIT: how many messages of one caller's service may wait. */
export function roomCases(on: Case): void {
  on('a service has room up to its limit, in both lanes and all its lines together', async (t, { store }) => {
    await fill(store, 6, { queue: 'live/0/billing/support/' })
    await fill(store, 2, { queue: 'live/1/billing/wati/brd_1', lane: 1 })
    await fill(store, 1, { queue: 'live/1/billing/support/' })
    const room = createBacklogLimit(store, 10)
    t.match(await failure(room('billing', 'live', 2)), { code: 'overloaded', facts: { retryAfterSeconds: 5 } })
    await room('billing', 'live', 1)
    await t.resolves(createBacklogLimit(store, 11)('billing', 'live', 2), 'CONTROL: with a larger limit there is room')
  })

  on('what waits in the other mode, in services of like names, and what does not wait takes no room', async (t, o) => {
    const others = [
      'test/0/billing/c/',
      'live/0/billing2/c/',
      'live/0/billing-a/c/',
      'live/0/billin/c/',
      'live/0/zeta/c/'
    ]
    for (const queue of others) await fill(o.store, 3, { queue })
    for (const state of ['claimed', 'sending', 'accepted', 'failed'] as const)
      await fill(o.store, 3, { state, queue: 'live/0/billing/c/' })
    await t.resolves(createBacklogLimit(o.store, 2)('billing', 'live', 2))
    await fill(o.store, 1, { queue: 'live/0/billing/c/' })
    t.match(await failure(createBacklogLimit(o.store, 2)('billing', 'live', 2)), { code: 'overloaded' }, 'CONTROL')
  })

  on('thousands are counted to the last one', async (t, { store }) => {
    const runAt = Date.now()
    // Many alike in all but their id, so that a step of the count ends among equals.
    await fill(store, 4100, { queue: 'live/1/billing/c/brd_1', lane: 1, run_at: runAt })
    await fill(store, 950, { queue: 'live/0/billing/c/', run_at: runAt })
    await t.resolves(createBacklogLimit(store, 5051)('billing', 'live', 1))
    t.match(await failure(createBacklogLimit(store, 5050)('billing', 'live', 1)), { code: 'overloaded' })
  })

  on('what was let in as many at once is counted before it is stored', async (t, { store }) => {
    const room = createBacklogLimit(store, 1000)
    await room('billing', 'live', 600)
    t.match(await failure(room('billing', 'live', 600)), { code: 'overloaded' })
    await room('billing', 'live', 400)
    await room('billing', 'test', 1000)
  })
}
