import t, { type Test } from 'tap'
import type { Broadcasts } from '../../src/broadcasts/broadcasts.ts'
import { batchSize } from '../../src/messages/transitions/broadcast.ts'
import { type Answer, type Board, startBoard } from '../helper.ts'
import { ended, order } from './order.ts'

// A broadcast is made once for its key, wherever its answer was lost: nobody runs it again, its rows are found.

type Create = Broadcasts['create']

const post = (board: Board, count: number): Promise<Answer> =>
  board.call('POST', '/broadcasts', { body: order(count), headers: { 'idempotency-key': 'may' } })
const made = async (board: Board): Promise<number> => (await board.call('GET', '/broadcasts')).body.items.length
const reached = (board: Board): string[] =>
  board.sandbox.ledger.entries.flatMap(({ deliveries }) => deliveries.map(({ to }) => to))

/** A board whose first broadcast is made in another way; `unsettled` takes out that its key is settled in the commit. */
async function spoilt(t: Test, first: (make: () => ReturnType<Create>) => ReturnType<Create>, unsettled = false) {
  const board = await startBoard(t)
  const parts = board.board.app.broadcasts
  const { create } = parts
  const forgetful: Create = (caller, form, source, { claim: _, ...options }) => create(caller, form, source, options)
  const make = unsettled ? forgetful : create
  parts.create = (...asked) => {
    parts.create = make
    return first(() => make(...asked))
  }
  return board
}

const dies: Parameters<typeof spoilt>[1] = async make => {
  await make()
  throw new Error('its process has died')
}

for (const [size, count] of [
  ['one commit', 3],
  ['many', batchSize + 1]
] as const)
  t.test(
    `stored in ${size}, and never answered: the same request is answered with it, and nobody gets it twice`,
    async t => {
      const board = await spoilt(t, dies)
      t.equal((await post(board, count)).status, 500)
      const found = await post(board, count)
      t.match(found, { status: 202, body: { total: count }, headers: { 'idempotency-replayed': 'true' } })
      t.equal(found.headers.location, `/broadcasts/${found.body.id}`)
      t.equal((await post(board, count)).text, found.text, 'from then on the same bytes')
      t.equal(await made(board), 1)
      await ended(board, found.body.id)
      t.equal(reached(board).length, count)
      t.equal(new Set(reached(board)).size, count)
    }
  )

t.test('a start that takes over the keys of the dead leaves the key of one that was made', async t => {
  const board = await spoilt(t, dies)
  await post(board, 3)
  await board.board.app.idempotency.takeOver()
  t.equal((await post(board, 3)).status, 202)
  t.equal(await made(board), 1)
})

t.test('CONTROL: with a key that is not settled in its commit, it is made twice', async t => {
  const board = await spoilt(t, dies, true)
  t.equal((await post(board, 3)).status, 500)
  t.equal((await post(board, 3)).status, 202)
  t.equal(await made(board), 2)
})

t.test(
  'while its first request is still busy with the answer, another is answered, and both have one answer',
  async t => {
    const { promise: answered, resolve: goOn } = Promise.withResolvers<void>()
    const { promise: stored, resolve: isStored } = Promise.withResolvers<void>()
    const board = await spoilt(t, async make => {
      const broadcast = await make()
      isStored()
      await answered
      return { ...broadcast, name: 'as it was at first' }
    })
    const first = post(board, 3)
    await stored
    const second = await post(board, 3)
    t.equal(second.status, 202)
    goOn()
    t.equal((await first).text, second.text)
  }
)

for (const unsettled of [false, true])
  t.test(
    unsettled
      ? 'CONTROL: with a key that is not settled in its commit, whoever lost it makes another'
      : 'whoever has lost the key before the commit makes nothing',
    async t => {
      const { promise: lost, resolve: goOn } = Promise.withResolvers<void>()
      const { promise: begun, resolve: hasBegun } = Promise.withResolvers<void>()
      const board = await spoilt(
        t,
        async make => {
          hasBegun()
          await lost
          return make()
        },
        unsettled
      )
      const first = post(board, 3)
      await begun
      await board.board.app.idempotency.takeOver()
      t.equal((await post(board, 3)).status, 202)
      goOn()
      t.match(await first, unsettled ? { status: 202 } : { status: 409, body: { code: 'idempotency_in_progress' } })
      t.equal(await made(board), unsettled ? 2 : 1)
    }
  )
