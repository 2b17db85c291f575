import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createOutcomes } from '../../../src/delivery/sending/outcome.ts'
import { createReaper } from '../../../src/delivery/sending/reaper.ts'
import { messageQueries } from '../../../src/messages/queries.ts'
import { queueQueries } from '../../../src/messages/queue.ts'
import { doubts, timelineEntry } from '../../../src/messages/timeline.ts'
import { createMetrics } from '../../../src/metrics.ts'
import { openStore } from '../../../src/store/index.ts'
import type { Store } from '../../../src/store/store.ts'
import { get, message, put } from '../../conformance/store-rows.ts'
import { type Board, startBoard, until } from '../../helper.ts'
import { log } from '../../store/embedded.ts'

// onUnknown: resend_once. One more attempt, at most two that may have arrived, and never a false word at the end (P3, P6).

const code = (to: string, more = {}) => ({
  channel: 'cloud',
  to,
  type: 'text',
  text: { body: 'Your code is 123456' },
  onUnknown: 'resend_once',
  ...more
})
/** Every request, taken or not. */
const sends = (board: Board, to: string) =>
  board.sandbox.ledger.entries.filter(entry => entry.kind === 'send' && entry.to === to)
const settled = (board: Board, id: string, status: string) =>
  until(
    () => board.call('GET', `/messages/${id}`),
    answer => answer.body.status === status
  )
const statuses = async (board: Board, id: string): Promise<string[]> =>
  (await board.call('GET', `/messages/${id}/timeline`)).body.items.map((item: { status: string }) => item.status)
const lost = '15550100013'
const fail = (board: Board, recipient: string, fault: string) => board.sandbox.force({ recipient, fault, times: 1 })

t.test('a lost answer is followed by one more attempt, without an unknown in between', async t => {
  const board = await startBoard(t)
  fail(board, '14155550011', 'bad_gateway_html')
  const answer = await board.call('POST', '/messages', { body: code('14155550011') })
  const { body } = answer
  t.match(answer, { status: 201, body: { status: 'accepted', attempts: 2, resolution: 'resent_once' } })
  t.notOk(body.error, 'its caller waited for both')
  t.same(await statuses(board, body.id), ['queued', 'sending', 'queued', 'sending', 'accepted'])
  t.equal(sends(board, '14155550011').length, 2)

  fail(board, '14155550012', 'bad_gateway_html')
  const held = await board.call('POST', '/messages', { body: code('14155550012', { onUnknown: 'hold' }) })
  t.match(held.body, { status: 'unknown', attempts: 1 }, 'CONTROL: who asks for nothing gets no second one')
})

t.test('when the second is lost as well it is unknown, and there is no third', async t => {
  const board = await startBoard(t)
  const { body } = await board.call('POST', '/messages', { body: code(lost) })
  const done = await settled(board, body.id, 'unknown')
  t.match(done.body, { attempts: 2, resolution: 'resent_once', final: false, error: { outcome: 'unknown' } })
  t.same(await statuses(board, body.id), ['queued', 'sending', 'queued', 'sending', 'unknown'])
  t.equal(sends(board, lost).length, 2)
  const resolved = await board.call('POST', `/messages/${body.id}/resolve`, { body: { verdict: 'abandon' } })
  t.match(resolved.body, { final: true, resolution: 'abandoned' })
  t.equal(sends(board, lost).length, 2)
})

t.test('a second attempt that is refused does not make the first one certain: it is unknown, not failed', async t => {
  const board = await startBoard(t)
  fail(board, '14155550013', 'bad_gateway_html')
  fail(board, '14155550013', 'content_refused')
  const { body } = await board.call('POST', '/messages', { body: code('14155550013') })
  const done = await settled(board, body.id, 'unknown')
  t.match(done.body, { attempts: 2, final: false, error: { code: 'outcome_unknown', outcome: 'unknown' } })
  t.ok(sends(board, '14155550013')[0]!.processed, 'the first one was taken: failed would have been a lie')

  fail(board, '14155550014', 'content_refused')
  const plain = await board.call('POST', '/messages', { body: code('14155550014') })
  t.match(plain, { status: 422, body: { code: 'message_rejected' } }, 'CONTROL: a first one that is refused has failed')
})

t.test('neither a fallback nor another channel follows an attempt that may have arrived', async t => {
  const board = await startBoard(t)
  fail(board, '14155550015', 'bad_gateway_html')
  fail(board, '14155550015', 'window_closed')
  const fallback = { template: { name: 'hello_world', language: 'en_US' } }
  const more = { channel: ['cloud', 'wati'] }
  const { body } = await board.call('POST', '/messages', { body: code('14155550015', { fallback }) })
  await settled(board, body.id, 'unknown')
  fail(board, '14155550016', 'bad_gateway_html')
  fail(board, '14155550016', 'content_refused')
  const other = await board.call('POST', '/messages', { body: code('14155550016', more) })
  await settled(board, other.body.id, 'unknown')
  t.equal(sends(board, '14155550015').length + sends(board, '14155550016').length, 4)
})

t.test('going on after a refusal neither uses up the one more attempt nor gives another one', async t => {
  const board = await startBoard(t)
  fail(board, '14155550017', 'content_refused')
  fail(board, '14155550017', 'bad_gateway_html')
  fail(board, '14155550017', 'bad_gateway_html')
  const { body } = await board.call('POST', '/messages', { body: code('14155550017', { channel: ['cloud', 'wati'] }) })
  const done = await settled(board, body.id, 'unknown')
  t.match(done.body, { attempts: 3, channel: 'wati' })
  t.same(
    sends(board, '14155550017').map(entry => entry.processed),
    [false, true, true]
  )
})

t.test('what waits for its second attempt and is canceled is not called canceled', async t => {
  const board = await startBoard(t)
  const { body } = await board.call('POST', '/messages', { body: code(lost), headers: { prefer: 'respond-async' } })
  const canceled = await until(
    () => board.call('POST', `/messages/${body.id}/cancel`),
    answer => answer.status === 200
  )
  t.match(canceled.body, { status: 'unknown', final: false, attempts: 1, resolution: 'resent_once' })
  t.equal(sends(board, lost).length, 1, 'and is not sent again')
})

async function open(t: Test): Promise<Store> {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-once-'))
  const store = await openStore({ directory }, log)
  t.teardown(async () => {
    await store.close()
    rmSync(directory, { recursive: true })
  })
  return store
}
const once = { options: '{"onUnknown":"resend_once"}', state: 'sending', attempts: 1 } as const
const reaperOf = (store: Store) =>
  createReaper({
    metrics: createMetrics(),
    store,
    queries: messageQueries(store),
    queue: queueQueries(store),
    log,
    typeBase: '',
    timeoutMs: 20_000
  })

t.test('what a dead process was sending is sent once more when a sleeper can no longer wake behind it', async t => {
  const store = await open(t)
  const row = await put(store, message(once), -1)
  const plain = await put(store, message({ ...once, options: null }), -1)
  const used = await put(store, message(once), -1)
  await store.write(function* () {
    yield store.build.updateTable('messages').set({ resolution: 'resent_once' }).where('id', '=', used.id).compile()
  })
  await reaperOf(store).reap(false)
  const waits = await get(store, row.id)
  t.match(waits, { state: 'queued', resolution: 'resent_once', lease_until: null, attempts: 1 })
  t.ok(waits.run_at >= Date.now() + 19_000, 'a whole deadline later')
  t.match(waits.timeline, doubts.death)
  t.match(await get(store, plain.id), { state: 'unknown', resolution: null }, 'CONTROL: nothing else is sent again')
  t.match(await get(store, used.id), { state: 'unknown' }, 'and nothing twice')
})

t.test('the holder that only slept settles it with its late result, and nothing is sent again', async t => {
  const store = await open(t)
  const { settle } = createOutcomes(store, messageQueries(store), '')
  const accepted = { state: 'accepted', accepted_at: 1, provider_message_id: 'wamid.1', error: null } as const
  const sleeper = await put(store, message(once), -1)
  await reaperOf(store).reap(false)
  t.ok(await store.write(() => settle({ ...sleeper, ...accepted }, null, undefined)))
  t.match(await get(store, sleeper.id), { state: 'accepted', provider_message_id: 'wamid.1', resolution: null })

  const never = await put(store, message(once), -1)
  await reaperOf(store).reap(false)
  t.notOk(await store.write(() => settle({ ...never, state: 'queued', run_at: 0 }, 'nothing was sent', undefined)))
  t.match(await get(store, never.id), { state: 'queued', resolution: 'resent_once' }, 'what never left still goes out')

  const late = await put(store, message(once), -1)
  await reaperOf(store).reap(false)
  await store.write(function* () {
    yield store.build.updateTable('messages').set({ state: 'sending', attempts: 2 }).where('id', '=', late.id).compile()
  })
  t.notOk(await store.write(() => settle({ ...late, ...accepted }, null, undefined)))
  t.match(await get(store, late.id), { state: 'sending', attempts: 2 }, 'a newer attempt is not its to settle')
})

t.test('what waits for its second attempt and expires, or kills three processes, stays in doubt', async t => {
  const store = await open(t)
  const doubtful = { ...once, state: 'queued' } as const
  const mark = (id: string) =>
    store.write(function* () {
      yield store.build.updateTable('messages').set({ resolution: 'resent_once' }).where('id', '=', id).compile()
    })
  const late = await put(store, message({ ...doubtful, expires_at: Date.now() - 1000 }))
  const deaths = timelineEntry(
    Date.now(),
    { state: 'queued', attempts: 1 },
    'the process that had it in hand died'
  ).repeat(2)
  const poison = await put(store, message({ ...once, state: 'claimed', timeline: deaths }), -1)
  const plainLate = await put(store, message({ ...doubtful, expires_at: Date.now() - 1000 }))
  const plainPoison = await put(store, message({ ...once, state: 'claimed', timeline: deaths }), -1)
  await mark(late.id)
  await mark(poison.id)
  const reaper = reaperOf(store)
  await reaper.expire()
  await reaper.reap(false)
  t.match(await get(store, late.id), { state: 'unknown', final: 0, timeline: /"unknown".*in time again/ })
  t.match(await get(store, poison.id), { state: 'unknown', final: 0, failed_at: null })
  t.match(await get(store, plainLate.id), { state: 'expired', final: 1 }, 'CONTROL')
  t.match(await get(store, plainPoison.id), { state: 'failed', final: 1 }, 'CONTROL')
})
