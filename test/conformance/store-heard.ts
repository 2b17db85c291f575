import type { HeardStatus } from '../../src/adapters/adapter.ts'
import { createOutcomes } from '../../src/delivery/sending/outcome.ts'
import type { Place } from '../../src/inbound/effects.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import type { MessageRow, MessageState } from '../../src/store/schema.ts'
import { apply, channel, effectsOf, fresh, lines, permutations, place, rows, taken, told, wrote } from './heard-rows.ts'
import type { Case } from './store.ts'
import { broadcast } from './store-broadcasts.ts'
import { changed, get, message, put } from './store-rows.ts'

// What becomes of what the providers tell of our messages (docs/reliability.md P5, P37, P38; docs/webhooks.md E).

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
    await apply(store, wrote(fresh(), { replyTo: 'a\ud83d' }, { phone: '14155550100', name: `b${'\ud83d'}` }))
    const { person, options } = (await rows(store)).at(-1)!
    t.match(
      [person, options].map(each => JSON.parse(each!)),
      [{ name: 'b\ufffd' }, { replyTo: 'a\ufffd' }]
    )
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
