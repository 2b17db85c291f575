import type { HeardStatus } from '../../src/adapters/adapter.ts'
import { createOutcomes } from '../../src/delivery/sending/outcome.ts'
import type { Place } from '../../src/inbound/effects.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { doubtsOf } from '../../src/messages/timeline.ts'
import { broadcastTransitions } from '../../src/messages/transitions/broadcast.ts'
import type { MessageRow, MessageState } from '../../src/store/schema.ts'
import { apply, channel, effectsOf, fresh, lines, permutations, place, rows, taken, told, wrote } from './heard-rows.ts'
import type { Case } from './store.ts'
import { broadcast } from './store-broadcasts.ts'
import { changed, get, message, put } from './store-rows.ts'

// What becomes of what the providers tell of our messages (docs/reliability.md P5, P37, P38; docs/webhooks.md E).

const closed = {
  code: 'window_closed',
  detail: 'Re-engagement message',
  provider: { name: 'wati', status: null, code: '131047' }
} as const

export function heardCases(test: Case): void {
  test('of every multiset of statuses, in any order and with duplicates, the end is the same', async (t, { store }) => {
    const vectors: [statuses: HeardStatus['status'][], end: MessageState][] = [
      [['sent', 'delivered', 'read'], 'read'],
      [['sent', 'failed'], 'failed'],
      [['failed', 'delivered'], 'delivered'],
      [['delivered', 'failed', 'read'], 'read'],
      [['sent', 'read'], 'read'],
      [['sent'], 'sent'],
      [['sent', 'delivered', 'played'], 'read'],
      [['sent', 'delivered', 'read', 'played', 'failed'], 'read']
    ]
    for (const [statuses, end] of vectors) {
      const ends = new Set<string>()
      for (const order of permutations(statuses)) {
        const id = fresh()
        const row = await taken(store, [id])
        // Each twice: once more at once, and all of them again at the end.
        await store.write(function* () {
          for (const status of [...order.flatMap(each => [each, each]), ...order])
            yield* effectsOf(store).apply(told(status, [id]), place)
        })
        const { state, final, sent_at, delivered_at, read_at, failed_at, error, ...rest } = await get(store, row.id)
        t.equal(state, end, order.join())
        t.equal(final, end === 'sent' ? 0 : 1)
        const words = lines({ timeline: rest.timeline } as MessageRow).map(({ status }) => status)
        t.equal(words.length, new Set(words).size, 'the timeline holds each once')
        ends.add(
          JSON.stringify({ state, final, sent_at, delivered_at, read_at, failed_at, error, words: words.sort() })
        )
      }
      t.equal(ends.size, 1, statuses.join())
    }
  })

  test('CONTROL: without its mark an event has its effect again', async (t, { store }) => {
    const heard = wrote(fresh())
    t.equal((await apply(store, heard)).outcome, 'done')
    t.equal((await apply(store, heard)).outcome, 'known')
    await changed(store, store.build.deleteFrom('heard_events'))
    t.equal((await apply(store, heard)).outcome, 'known', 'its id is known as well')
    await changed(store, store.build.deleteFrom('heard_events'))
    await changed(store, store.build.deleteFrom('message_ids'))
    t.equal((await apply(store, heard)).outcome, 'done')
    t.equal((await rows(store)).length, 2)
  })

  test('what is told before the answer waits for it, and has its effect with it', async (t, { store }) => {
    const { accepted, settle } = createOutcomes(store, messageQueries(store), '')
    const answer = (row: MessageRow, providerMessageId: string, aliases: string[] = []) =>
      store.write(() => settle(accepted(row, { providerMessageId, aliases, warnings: [] }, []), null, undefined))
    const id = fresh()
    const row = await put(store, message({ state: 'sending', attempts: 1 }))
    t.equal((await apply(store, told('delivered', [id]))).outcome, 'parked')
    t.equal((await apply(store, told('sent', [id], { person: undefined } as never))).outcome, 'parked')
    t.equal((await apply(store, told('delivered', [id]))).outcome, 'known', 'parked once')
    t.match(await answer(row, id), { state: 'delivered', final: 1, provider_message_id: id })
    t.strictSame(
      lines(await get(store, row.id))
        .map(({ status }) => status)
        .sort(),
      ['accepted', 'delivered', 'sent']
    )
    t.equal((await store.read(store.build.selectFrom('parked_events').selectAll().compile())).length, 0)

    const wati = ['wamid.W', 'wati-1', 'local-1']
    const other = await put(store, message({ state: 'sending', attempts: 1 }))
    t.equal((await apply(store, told('read', wati))).outcome, 'parked')
    t.match(await answer(other, 'unheard-of', ['wati-1']), { state: 'read' }, 'any one of its ids is enough')
    t.equal((await apply(store, told('failed', ['local-1']))).outcome, 'done', 'and brings the others')
  })

  test('an answer and a webhook at the same moment never miss each other', async (t, { store, replica }) => {
    const there = (await replica?.()) ?? store
    const { accepted, settle } = createOutcomes(store, messageQueries(store), '')
    for (let i = 0; i < 30; i++) {
      const id = fresh()
      const row = await put(store, message({ state: 'sending', attempts: 1 }))
      await Promise.all([
        store.write(() => settle(accepted(row, { providerMessageId: id, warnings: [] }, []), null, undefined)),
        apply(there, told('delivered', [id]))
      ])
      t.match(await get(store, row.id), { state: 'delivered' })
    }
  })

  test('the id that we planted proves what was unknown, on its channel and mode alone', async (t, { store }) => {
    const unknown = () => put(store, message({ state: 'unknown', attempts: 1 }))
    const proved = await unknown()
    const id = fresh()
    t.equal((await apply(store, told('sent', [id], { ours: proved.id }))).outcome, 'done')
    t.match(await get(store, proved.id), { state: 'sent', provider_message_id: id })
    t.equal((await apply(store, told('read', [id]))).outcome, 'done', 'the id that came with it names it too')
    t.match(await get(store, proved.id), { state: 'read' })
    const elsewhere: Place = { ...place, channel: { ...channel, id: 'other' }, siblings: ['other'] }
    const inTest: Place = { ...place, channel: { ...channel, mode: 'test' } }
    for (const wrong of [elsewhere, inTest]) {
      const row = await unknown()
      t.equal((await apply(store, told('read', [fresh()], { ours: row.id }), wrong)).outcome, 'parked')
      t.match(await get(store, row.id), { state: 'unknown' })
    }
    const unsent = await put(store, message())
    t.equal(
      (await apply(store, told('read', [fresh()], { ours: unsent.id }))).outcome,
      'parked',
      'what was never sent is not delivered'
    )
    const failed = await unknown()
    await apply(store, told('failed', [], { ours: failed.id }))
    t.match(JSON.parse((await get(store, failed.id)).error!), {
      code: 'message_rejected',
      outcome: 'not_sent',
      provider: { name: 'wati' }
    })
  })

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

  test('a broadcast that has reached somebody after all is not told as failed', async (t, { store }) => {
    for (const [status, end] of [
      ['failed', 'finished'],
      ['canceled', 'canceled']
    ] as const) {
      const { id, ...rest } = broadcast({ status })
      await changed(store, store.build.insertInto('broadcasts').values({ id, ...rest }))
      const row = await taken(store, [fresh()], { state: 'failed', final: 1, broadcast_id: id })
      await apply(store, told('delivered', [row.provider_message_id!]))
      const [found] = await store.read(
        store.build.selectFrom('broadcasts').select('status').where('id', '=', id).compile()
      )
      t.equal(found!.status, end, status)
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

  test('what a status tells of person and price is kept, the price from the first', async (t, { store }) => {
    const id = fresh()
    const row = await taken(store, [id])
    await apply(
      store,
      told('sent', [id], {
        price: { category: 'utility', type: 'regular', model: 'pmp', billable: true },
        recipient: { phone: '525512345678', userId: 'MX.1' }
      })
    )
    await apply(
      store,
      told('delivered', [id], { price: { category: 'service' }, recipient: { phone: '525512345678', username: 'ada' } })
    )
    const { person, pricing } = await get(store, row.id)
    t.strictSame(JSON.parse(person!), { waId: '525512345678', userId: 'MX.1', username: 'ada' })
    t.strictSame(JSON.parse(pricing!), { category: 'utility', type: 'regular', model: 'pmp' })
  })

  test('half a character and a NUL in what is told are no reason to lose it', async (t, { store }) => {
    const [id, template] = [fresh(), fresh()]
    const row = await taken(store, [id])
    const price = { category: `mark\0eting${'\ud83d'}`, type: '\udc00' }
    t.equal((await apply(store, told('sent', [id], { price }))).outcome, 'done')
    t.match(JSON.parse((await get(store, row.id)).pricing!), { category: 'mark\ufffdeting\ufffd', type: '\ufffd' })
    const sent = { kind: 'outgoing' as const, identity: 'x', scope: {}, ids: [template], operator: { name: 'Bea' } }
    const message = { type: 'template', content: { name: 'a\0b\ud83d', body: 'a \\u0000 that was written' } }
    const recipient = { phone: '14155550100' }
    t.equal((await apply(store, { ...sent, recipient, message })).outcome, 'done')
    t.strictSame(JSON.parse((await rows(store)).at(-1)!.content!), {
      ...message.content,
      name: 'a\ufffdb\ufffd'
    })
  })
}
