import { doubtsOf } from '../../src/messages/timeline.ts'
import { broadcastTransitions } from '../../src/messages/transitions/broadcast.ts'
import type { MessageRow } from '../../src/store/schema.ts'
import { apply, fresh, lines, taken, told } from './heard-rows.ts'
import type { Case } from './store.ts'
import { changed, get } from './store-rows.ts'

// What is told of a message with more than one attempt: the order of states holds within an attempt (docs/decisions/0060).

const closed = {
  code: 'window_closed',
  detail: 'Re-engagement message',
  provider: { name: 'wati', status: null, code: '131047' }
} as const

export function attemptCases(test: Case): void {
  test('a window that a webhook tells to be closed brings the fallback, once', async (t, { store }) => {
    const options = JSON.stringify({ replyTo: 'wamid.x', fallback: { template: { name: 'order_update' } } })
    const failed = (id: string) => told('failed', [id], { failure: closed })
    const id = fresh()
    const row = await taken(store, [id], { options })
    const effect = await apply(store, failed(id))
    t.match(effect, { outcome: 'done', message: { status: 'failed' } })
    const waits = await get(store, row.id)
    t.match(waits, {
      state: 'queued',
      final: 0,
      type: 'template',
      content: '{"name":"order_update"}',
      provider_message_id: null
    })
    t.match(
      lines(waits).map(({ status }) => status),
      ['failed', 'queued']
    )
    await apply(store, { ...failed(id), identity: 'another variant' })
    await apply(store, told('sent', [id]))
    t.equal((await get(store, row.id)).state, 'queued', 'once, and what is told late moves nothing')
    // The second attempt goes out: what is told of the first is written down, and no more.
    await changed(
      store,
      store.build.updateTable('messages').set({ state: 'accepted', attempts: 2 }).where('id', '=', row.id)
    )
    await apply(store, told('delivered', [id]))
    const after = await get(store, row.id)
    t.match(after, { state: 'accepted', delivered_at: null })
    t.match(lines(after).at(-1), { status: 'delivered', attempt: 1 })
    await changed(store, store.build.updateTable('messages').set({ state: 'unknown' }).where('id', '=', row.id))
    await apply(store, { ...failed(id), identity: 'a third' })
    t.equal((await get(store, row.id)).state, 'unknown', 'nor does it end the doubt of the second')

    const risen = await taken(store, [fresh()], { options })
    await apply(store, failed(risen.provider_message_id!))
    await apply(store, told('delivered', [risen.provider_message_id!]))
    const kept = await get(store, risen.id)
    t.match(kept, { state: 'delivered', type: 'text', content: risen.content, warnings: null }, 'it arrived after all')
    const late = await taken(store, [fresh()], { options, expires_at: Date.now() - 1000 })
    await apply(store, failed(late.provider_message_id!))
    t.match(await get(store, late.id), { state: 'failed', final: 1, type: 'text' }, 'its time is over')
    const delivered = await taken(store, [fresh()], { options, state: 'delivered' })
    await apply(store, failed(delivered.provider_message_id!))
    t.match(await get(store, delivered.id), { state: 'delivered', type: 'text' }, 'something was delivered')
    const another = await taken(store, [fresh()], { options })
    await apply(store, told('failed', [another.provider_message_id!]))
    t.match(await get(store, another.id), { state: 'failed', type: 'text' }, 'CONTROL: only a closed window does')
  })

  test('what arrives after all is not sent again, and what was not sent is not shown as arrived', async (t, {
    store
  }) => {
    const { retry } = broadcastTransitions(store)
    const set = (id: string, changes: Partial<MessageRow>) =>
      changed(store, store.build.updateTable('messages').set(changes).where('id', '=', id))
    for (const status of ['delivered', 'read'] as const)
      for (const state of ['queued', 'claimed'] as const) {
        const row = await taken(store, [fresh()])
        const id = row.provider_message_id!
        await apply(store, told('failed', [id]))
        await changed(store, retry({ ids: [row.id], run_at: 1, expires_at: 2 ** 48, entry: '' }))
        await set(row.id, { state })
        await apply(store, { ...told('sent', [id]), at: 5 })
        t.match(
          await get(store, row.id),
          { state, sent_at: null },
          'that it was sent says nothing: it has failed since'
        )
        t.match(lines(await get(store, row.id)).at(-1), { status: 'sent', attempt: 1 }, 'the timeline keeps it')
        await apply(store, told(status, [id]))
        t.match(
          await get(store, row.id),
          { state: status, final: 1 },
          `${state}, ${status}: nobody is written to twice`
        )
      }
    const canceled = await taken(store, [fresh()], { state: 'canceled', final: 1 })
    await apply(store, told('delivered', [canceled.provider_message_id!]))
    t.match(await get(store, canceled.id), { state: 'canceled', delivered_at: null })
    t.match(lines(await get(store, canceled.id)).at(-1), { status: 'delivered' })

    const options = JSON.stringify({ fallback: { template: { name: 'order_update' } } })
    for (const left of [false, true]) {
      const row = await taken(store, [fresh()], { options })
      const id = row.provider_message_id!
      await apply(store, told('failed', [id], { failure: closed }))
      const { timeline } = await get(store, row.id)
      const sending = `${JSON.stringify({ at: 1, status: 'sending', attempt: 2 })}\n`
      // An attempt whose turn had passed stands in the timeline too, and was taken back.
      await set(row.id, {
        state: 'failed',
        final: 1,
        error: '{}',
        timeline: timeline + sending,
        attempts: left ? 2 : 1
      })
      await apply(store, told('delivered', [id]))
      const end = left ? { state: 'failed', type: 'template' } : { state: 'delivered', type: 'text', error: null }
      t.match(await get(store, row.id), end, left ? 'CONTROL: the template left' : 'the template never left')
    }
  })

  test('that an earlier attempt failed does not settle a later one in doubt; that it went out does', async (t, {
    store
  }) => {
    for (const resolution of ['resent_once', null] as const) {
      const id = fresh()
      const row = await taken(store, [id], { state: 'unknown', attempts: 2, resolution })
      await apply(store, told('failed', [id]))
      const doubtful = await get(store, row.id)
      t.match(doubtful, { state: 'unknown', error: null })
      t.match(lines(doubtful).at(-1), { status: 'failed', attempt: 1 })
      await apply(store, told('sent', [id]))
      t.match(await get(store, row.id), { state: 'sent' })
    }
  })

  test('what is told of an earlier attempt does not take the doubt from a later one', async t => {
    const line = (status: string, attempt: number, at: number) => `${JSON.stringify({ at, status, attempt })}\n`
    const timeline = [line('sending', 1, 1), line('failed', 1, 2), line('queued', 1, 3), line('sending', 2, 4)].join('')
    t.strictSame(doubtsOf({ timeline: timeline + line('sent', 1, 5) + line('unknown', 2, 6) }), [
      { from: 4, to: 6, lost: false }
    ])
    t.strictSame(doubtsOf({ timeline: timeline + line('accepted', 2, 5) + line('unknown', 2, 6) }), [], 'CONTROL')
  })
}
