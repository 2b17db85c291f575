import pino from 'pino'
import t, { type Test } from 'tap'
import type { Executor } from '../../../src/delivery/sending/attempt.ts'
import { createOrder } from '../../../src/delivery/sending/order.ts'
import { createWorker } from '../../../src/delivery/sending/worker.ts'
import { free, type Permit } from '../../../src/dispatch/admission.ts'
import { queueQueries } from '../../../src/messages/queue.ts'
import type { MessageRow } from '../../../src/store/schema.ts'
import { all } from '../../../src/store/store.ts'
import { until } from '../../until.ts'
import { attemptRig, phones } from './attempt-rig.ts'

const row = (id: string, contact: string | null = '491', more: Partial<MessageRow> = {}) =>
  ({ mode: 'live', channel_id: 'cloud', contact, run_at: 1000, id, ...more }) as MessageRow
const slot = (at: number): Permit => ({ at, until: Number.MAX_VALUE })
const past = { at: 0, until: 0 }

/** An order whose patience ends when a test says so. */
function byHand() {
  const ends: (() => void)[] = []
  const passed: string[] = []
  const order = createOrder({
    patience: () => new Promise<void>(resolve => ends.push(resolve)),
    passed: ({ id }) => passed.push(id)
  })
  return {
    take: order.take,
    impatient: () => ends.splice(0).forEach(end => void end()),
    waits: () => ends.length,
    passed
  }
}

t.test('with a slot behind the slot of the one before it, it waits for nothing, and leaves after it', async t => {
  const { take, waits } = byHand()
  const [one, two] = [take(row('1')), take(row('2'))]
  t.ok(await one.reached(slot(100)))
  t.ok(await two.reached(slot(200)))
  t.equal(waits(), 0, 'no timer')
  t.notOk(two.leave(), 'not before it')
  t.ok(one.leave())
  t.ok(two.leave())
  t.ok(one.leave(), 'a second request of the same call goes as well')
  t.ok(take(row('3')).leave(), 'what has left is before nobody')
})

t.test('one that has no slot, a later one or one that has passed is waited for until it has left or ended', async t => {
  for (const [end, own] of [
    ['leave', undefined],
    ['leave', slot(300)],
    ['leave', past],
    ['end', undefined]
  ] as const) {
    const { take } = byHand()
    const [one, two] = [take(row('1')), take(row('2'))]
    if (own) await one.reached(own)
    let reached: boolean | undefined
    const waiting = two.reached(slot(200)).then(may => (reached = may))
    await new Promise(setImmediate)
    t.equal(reached, undefined, 'CONTROL: it waits')
    one[end]()
    t.equal(await waiting, true)
    t.ok(two.leave())
  }
})

t.test('others wait for nobody', async t => {
  const { take } = byHand()
  take(row('1'))
  take(row('0', null, { user_id: 'u1' }))
  for (const other of [
    row('2', '492'),
    row('5', null, { user_id: 'u2' }),
    row('3', '491', { mode: 'test' }),
    row('4', '491', { channel_id: 'wati' })
  ])
    t.ok(take(other).leave())
})

t.test('one that hangs is passed, keeps nobody else, and its going back later concerns nobody', async t => {
  const { take, impatient, waits, passed } = byHand()
  const [one, two, three] = [take(row('1')), take(row('2')), take(row('3'))]
  const waiting = two.reached()
  impatient()
  t.ok(await waiting)
  t.strictSame(passed, ['1'])
  t.ok(two.leave())
  t.ok(await three.reached())
  t.equal(waits(), 0)
  one.back()
  t.ok(three.leave())
  t.ok(one.leave(), 'and it need not wait itself')
})

t.test('those after one that goes back follow it, and what is taken next is in order', async t => {
  const { take } = byHand()
  const [one, two, three] = [take(row('1')), take(row('2')), take(row('3'))]
  await one.reached(slot(100))
  const waiting = [two.reached(), three.reached()]
  one.back()
  t.same(await Promise.all(waiting), [false, false], 'at once')
  t.notOk(two.leave())
  one.end()
  // Taken again while the others are on their way back.
  const again = take(row('1'))
  const four = take(row('4'))
  two.back()
  three.back()
  t.ok(await again.reached(slot(400)), 'it was first in line')
  t.notOk(await four.reached(slot(500)), 'those before it are not in line yet')
  two.end()
  three.end()
  t.ok(again.leave())
  t.ok(await take(row('2')).reached())
})

/** A worker whose turns are a test's: `claim` gives it the next message in line, `go` says whether that one is in time. */
async function workerByHand(t: Test, spoil: (executor: Executor) => Executor = executor => executor) {
  const rig = await attemptRig(t)
  const { store, admission, channel } = rig
  const queue = queueQueries(store)
  const turns = new Map<Permit, PromiseWithResolvers<boolean>>()
  const slots = new Map<Permit, Promise<unknown>>()
  admission.acquire = async (_row, _channel, given) => {
    await slots.get(given!)
    return given
  }
  admission.admit = async (_channel, _call, { permit = free } = {}) =>
    permit === free || (await turns.get(permit)!.promise) ? permit : undefined
  let deliver: ((rows: MessageRow[], permit: Permit) => void) | undefined
  const none = async () => {}
  const worker = createWorker({
    ...{ store, queue, executor: spoil(rig.executor), log: pino({ level: 'silent' }) },
    channels: { bind: async () => channel } as never,
    scheduler: {
      wake: () => {},
      ended: () => {},
      stop: none,
      start: ({ deliver: taken }: { deliver: typeof deliver }) => void (deliver = taken)
    } as never,
    reaper: { reap: none, expire: none } as never,
    breaker: { probe: none } as never,
    batched: () => false,
    ask: none as never,
    most: () => 100
  })
  await worker.start()
  t.teardown(() => worker.stop())
  const state = async (id: string) =>
    (await store.read(store.build.selectFrom('messages').selectAll().where('id', '=', id).compile()))[0]!
  let at = 0
  return {
    rig,
    /** Gives away the next slot; it is waited for until `comes`. */
    claim: async (line: string, comes?: Promise<unknown>) => {
      const [row] = await store.write(() => all(queue.claim({ queue: line, limit: 1, lease_ms: 20_000 })))
      const permit = slot(++at)
      turns.set(permit, Promise.withResolvers())
      if (comes) slots.set(permit, comes)
      deliver!([row!], permit)
      return { id: row!.id, go: (inTime: boolean) => turns.get(permit)!.resolve(inTime) }
    },
    is: (id: string, wanted: string) =>
      until(
        async () => (await state(id)).state,
        now => now === wanted
      ),
    row: state
  }
}
const unordered = (executor: Executor): Executor => ({
  ...executor,
  deliver: (how, rows, channel, permit) => executor.deliver(how, rows, channel, permit)
})
/** Two messages to one person that wait in one line. */
async function twoWaiting({ rig }: Awaited<ReturnType<typeof workerByHand>>) {
  const rows = await rig.claimed(phones(2))
  const waits = { state: 'queued', contact: rows[0]!.contact, broadcast_id: null } as const
  await rig.store.write(function* () {
    yield rig.store.build.updateTable('messages').set(waits).where('queue', '=', rows[0]!.queue).compile()
  })
  return { line: rows[0]!.queue, ids: rows.map(({ id }) => id).sort() }
}
/** Both of them dispatched, each with a slot, and neither turn has come. */
async function bothUnderWay({ claim, is }: Awaited<ReturnType<typeof workerByHand>>, line: string) {
  const one = await claim(line)
  await is(one.id, 'sending')
  const two = await claim(line)
  await is(two.id, 'sending')
  return [one, two] as const
}
const sent = ({ rig }: Awaited<ReturnType<typeof workerByHand>>) =>
  rig.sandbox.ledger.sends().map(({ body }) => /msg_\w+/.exec(JSON.stringify(body))?.[0])

t.test('where one misses its turn, the next to the same person goes back into line behind it', async t => {
  const worker = await workerByHand(t)
  const { line, ids } = await twoWaiting(worker)
  const [one, two] = await bothUnderWay(worker, line)
  t.strictSame([one.id, two.id], ids)
  one.go(false)
  await worker.is(one.id, 'queued')
  two.go(true)
  await worker.is(two.id, 'queued')
  const { attempts, run_at } = await worker.row(two.id)
  t.strictSame({ attempts, run_at }, { attempts: 0, run_at: 1000 }, 'as if nothing had been tried')
  t.strictSame(sent(worker), [])
  for (const id of ids) {
    const next = await worker.claim(line)
    t.equal(next.id, id)
    next.go(true)
    await worker.is(id, 'accepted')
  }
  t.equal(sent(worker).length, 2)
})

t.test('one whose turn comes while the one before it is still there goes back', async t => {
  const worker = await workerByHand(t)
  const { line } = await twoWaiting(worker)
  const [one, two] = await bothUnderWay(worker, line)
  two.go(true)
  await worker.is(two.id, 'queued')
  t.strictSame(sent(worker), [])
  one.go(true)
  await worker.is(one.id, 'accepted')
})

t.test('one that is still claimed goes back as it was, without an attempt', async t => {
  const worker = await workerByHand(t)
  const { line } = await twoWaiting(worker)
  const one = await worker.claim(line)
  await worker.is(one.id, 'sending')
  const comes = Promise.withResolvers<void>()
  const two = await worker.claim(line, comes.promise)
  one.go(false)
  await worker.is(one.id, 'queued')
  t.match(await worker.row(two.id), { state: 'claimed' })
  comes.resolve()
  await worker.is(two.id, 'queued')
  const { attempts, run_at, timeline } = await worker.row(two.id)
  t.strictSame({ attempts, run_at }, { attempts: 0, run_at: 1000 })
  t.notMatch(timeline, 'sending')
  t.strictSame(sent(worker), [])
})

t.test('control: without a place among them the next leaves first', async t => {
  const worker = await workerByHand(t, unordered)
  const { line } = await twoWaiting(worker)
  const [one, two] = await bothUnderWay(worker, line)
  one.go(false)
  await worker.is(one.id, 'queued')
  two.go(true)
  await worker.is(two.id, 'accepted')
  t.equal(sent(worker).length, 1)
  t.match(await worker.row(one.id), { state: 'queued' })
})
