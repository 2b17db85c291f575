import type { HeardOutgoing } from '../../src/adapters/adapter.ts'
import { createOutcomes } from '../../src/delivery/sending/outcome.ts'
import { webhookQueries } from '../../src/inbound/queries.ts'
import { identities } from '../../src/messages/identities.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import type { MessageRow } from '../../src/store/schema.ts'
import { apply, channel, effectsOf, fresh, rows, taken, told, wrote } from './heard-rows.ts'
import type { Case } from './store.ts'
import { changed, get, message, put } from './store-rows.ts'

// What somebody else than us wrote, as rows (docs/api.md 12).

export function arrivalCases(test: Case): void {
  test('what a person wrote is one row, with ids of ours where they are known', async (t, { store }) => {
    const out = await taken(store, ['wamid.OUT'])
    await apply(
      store,
      wrote('wamid.IN', {
        replyTo: 'wamid.OUT',
        file: { reference: 'f' },
        type: 'image',
        content: { caption: 'look' },
        forwarded: 'once'
      })
    )
    await apply(store, { ...wrote('wamid.IN'), identity: 'the same under another name' })
    const found = (await rows(store)).filter(({ direction }) => direction === 'inbound')
    t.equal(found.length, 1)
    const [inbound] = found as [MessageRow]
    t.match(inbound, {
      state: 'received',
      final: 1,
      contact: '14155550100',
      provider_message_id: 'wamid.IN',
      created_at: 1_795_774_456_000
    })
    t.strictSame(JSON.parse(inbound.content!), { mediaId: 'med_support', caption: 'look' })
    t.strictSame(JSON.parse(inbound.options!), { replyTo: out.id, forwarded: 'once' })
    t.strictSame(JSON.parse(inbound.person!), { waId: '14155550100', name: 'Ada' })
    await apply(
      store,
      wrote('wamid.R', { type: 'reaction', content: { emoji: '+1', messageId: 'wamid.IN' }, target: 'wamid.IN' })
    )
    await apply(
      store,
      wrote('wamid.U', { type: 'revoke', content: {}, target: 'wamid.NEVER' }, { userId: 'US.1' } as never)
    )
    const [reaction, revoke] = (await rows(store)).slice(-2) as [MessageRow, MessageRow]
    t.strictSame(JSON.parse(reaction.content!), { emoji: '+1', messageId: inbound.id })
    t.strictSame(JSON.parse(revoke.content!), { messageId: 'wamid.NEVER' })
    t.match(revoke, { contact: null, user_id: 'US.1' }, 'a person without a number')
  })

  test('what an operator sends is a message of theirs; without a name it may be ours for a minute', async (t, {
    store
  }) => {
    const sent = (id: string, more: Partial<HeardOutgoing> = {}): HeardOutgoing => ({
      kind: 'outgoing',
      identity: `outgoing/${id}`,
      ...{ scope: {}, ids: [id], recipient: { phone: '14155550100' }, at: 1_795_774_456_000 },
      message: { type: 'text', content: { body: 'from the inbox' } },
      ...more
    })
    const id = fresh()
    await apply(store, told('delivered', [id]))
    t.equal((await apply(store, sent(id, { operator: { name: 'Bob' } }))).outcome, 'done')
    t.match((await rows(store)).at(-1), {
      direction: 'outbound',
      origin: 'operator',
      state: 'delivered',
      options: '{"operator":{"name":"Bob"}}'
    })
    const own = await taken(store, [fresh()])
    await apply(store, sent(own.provider_message_id!, { operator: { name: 'Bob' } }))
    t.match(await get(store, own.id), { state: 'sent', origin: null }, 'one of ours stays ours')

    const soon = fresh()
    t.equal((await apply(store, sent(soon))).outcome, 'parked')
    const unsure = { operator: { email: 'hello@wati.io' }, unsure: true as const }
    t.equal((await apply(store, sent(own.id, { ...unsure, ids: [fresh()] }))).outcome, 'parked', 'an e-mail is no name')
    await changed(store, store.build.deleteFrom('parked_events').where('identity', '=', `outgoing/${own.id}`))
    const disown = () => store.write(() => effectsOf(store).disown(() => channel))
    t.equal(await disown(), 0, 'not before its minute is over')
    await changed(store, store.build.updateTable('parked_events').set({ due_at: 1 }))
    const count = (await rows(store)).length
    const [one, two] = await Promise.all([disown(), disown()])
    t.ok(one + two >= 1)
    t.equal((await rows(store)).length, count + 1, 'once')
    t.match((await rows(store)).at(-1), { origin: 'operator', provider_message_id: soon })

    const ours = fresh()
    await apply(store, sent(ours))
    const row = await put(store, message({ state: 'sending', attempts: 1 }))
    await store.write(function* () {
      const { accepted, settle } = createOutcomes(store, messageQueries(store), '')
      return yield* settle(accepted(row, { providerMessageId: ours, warnings: [] }, []), null, undefined)
    })
    t.match(await get(store, row.id), { state: 'sent', origin: null })
    await changed(store, store.build.updateTable('parked_events').set({ due_at: 1 }))
    t.equal(await disown(), 0, 'it has been claimed')
  })

  test('what is parked for all channels of a number has its effect once, on the one that it names', async (t, {
    store
  }) => {
    const second = { ...channel, id: 'second' }
    const both = { channel: second, siblings: ['support', 'second'], receivedAt: 1_795_774_000_000 }
    const bind = (id: string) => [channel, second].find(each => each.id === id)
    const sent = (id: string): HeardOutgoing => ({
      ...{ kind: 'outgoing', identity: `outgoing/${id}`, scope: {}, ids: [id], recipient: { phone: '14155550100' } },
      message: { type: 'text', content: { body: 'from the inbox' } }
    })
    const left = async () => [
      (await store.read(store.build.selectFrom('parked_events').select('identity').compile())).length,
      (
        await store.read(
          store.build.selectFrom('message_ids').select('provider_id').where('message_id', 'is', null).compile()
        )
      ).length
    ]
    const ids = Array.from({ length: 60 }, fresh)
    for (const id of ids) await apply(store, sent(id), both)
    await changed(store, store.build.updateTable('parked_events').set({ due_at: 1 }))
    const disown = () => store.write(() => effectsOf(store).disown(bind))
    const count = (await rows(store)).length
    while ((await Promise.all([disown(), disown()])).some(due => due > 0));
    const made = (await rows(store)).slice(count)
    t.strictSame(made.map(row => row.provider_message_id).sort(), [...ids].sort(), 'each once')
    t.strictSame(new Set(made.map(row => row.channel_id)), new Set(['second']))

    const ours = fresh()
    const before = await left()
    await apply(store, sent(ours), both)
    t.strictSame(await left(), [before[0]! + 2, before[1]! + 2], 'CONTROL')
    const row = await put(store, message({ state: 'sending', attempts: 1 }))
    await store.write(function* () {
      const { accepted, settle } = createOutcomes(store, messageQueries(store), '')
      return yield* settle(accepted(row, { providerMessageId: ours, warnings: [] }, []), null, undefined)
    })
    t.match(await get(store, row.id), { state: 'sent', origin: null })
    t.strictSame(await left(), before, 'nothing of it waits on the other channel')
    t.equal(await disown(), 0)
  })

  test('what is read again is older, and sets back nothing that is told of when a channel was last heard', async (t, {
    store
  }) => {
    const queries = webhookQueries(store)
    const [one, beside] = ['support', 'beside'].map(channel_id => ({ channel_id, mode: 'live' as const }))
    const lanes = async () =>
      (
        await store.read(
          store.build.selectFrom('webhook_lanes').select(['heard_at', 'status_at']).orderBy('channel_id').compile()
        )
      ).map(({ heard_at, status_at }) => [Number(heard_at), Number(status_at)])
    await store.write(() => queries.holdLane(one!, 'only', 1000))
    for (const [at, status] of [
      [2000, true],
      [3000, false],
      [1000, true]
    ] as const)
      await store.write(function* () {
        yield queries.heard(one!, at, status)
        yield* queries.heardBeside(beside!, at, status)
      })
    t.strictSame(await lanes(), [
      [3000, 2000],
      [3000, 2000]
    ])
  })

  test('WATI’s word that a message of ours was sent counts as a status, an operator’s message does not', async (t, {
    store
  }) => {
    const sent = (ids: string[], more: Partial<HeardOutgoing> = {}): HeardOutgoing => ({
      ...{ kind: 'outgoing', identity: `outgoing/${ids[0]}`, scope: {}, ids, recipient: { phone: '14155550100' } },
      ...{ message: { type: 'text', content: { body: 'Hello' } }, ...more }
    })
    const own = await taken(store, [fresh()])
    t.match(await apply(store, sent([own.provider_message_id!])), { outcome: 'done', ours: true })
    t.equal((await apply(store, sent([fresh()], { operator: { name: 'Bob' } }))).ours, undefined)
    t.equal((await apply(store, sent([fresh()]))).ours, undefined, 'nor does what nobody knows yet')
  })

  test('what bears an operator’s name may be ours while a message of ours to the same person is on its way', async (t, {
    store
  }) => {
    const sent = (id: string, phone: string): HeardOutgoing => ({
      kind: 'outgoing',
      identity: `outgoing/${id}`,
      ...{ scope: {}, ids: [id], recipient: { phone }, at: 1_795_774_456_000, operator: { name: 'API' } },
      message: { type: 'text', content: { body: 'Hello' } }
    })
    const [ours, other, queued] = [fresh(), fresh(), fresh()] as const
    const row = await put(store, message({ state: 'sending', attempts: 1, lease_until: 1, contact: '5215512345678' }))
    await put(store, message({ contact: '14155550777' }))
    t.equal((await apply(store, sent(other, '14155550200'))).outcome, 'done', 'CONTROL: to somebody else')
    t.equal((await apply(store, sent(queued, '14155550777'))).outcome, 'done', 'CONTROL: ours has not left')
    const both = wrote(fresh(), {}, { phone: '525512345678', waId: '5215512345678' } as never)
    await apply(store, both)
    t.equal((await apply(store, sent(ours, '525512345678'))).outcome, 'parked', 'by each of a person’s names')
    const count = (await rows(store)).length
    await store.write(function* () {
      const { accepted, settle } = createOutcomes(store, messageQueries(store), '')
      return yield* settle(accepted(row, { providerMessageId: ours, warnings: [] }, []), null, undefined)
    })
    t.match(await get(store, row.id), { state: 'sent', origin: null })
    t.equal((await rows(store)).length, count, 'one message, one row')
    t.equal((await apply(store, sent(fresh(), '525512345678'))).outcome, 'done', 'CONTROL: nothing is on its way now')
  })

  test('what we planted proves a message even where an event without it was taken for an operator’s', async (t, {
    store
  }) => {
    const sent = (id: string, more: Partial<HeardOutgoing>): HeardOutgoing => ({
      kind: 'outgoing',
      identity: `outgoing/${fresh()}`,
      ...{ scope: {}, ids: [id], recipient: { phone: '14155550300' }, at: Date.now() },
      message: { type: 'text', content: { body: 'Hello' } },
      ...more
    })
    const lost = { state: 'unknown', attempts: 1, contact: '14155550300', created_at: Date.now() } as const
    const disown = async () => {
      await changed(store, store.build.updateTable('parked_events').set({ due_at: 1 }))
      await store.write(() => effectsOf(store).disown(() => channel))
    }
    // It is not taken for one while nobody knows what became of ours.
    const row = await put(store, message(lost))
    const id = fresh()
    t.equal((await apply(store, sent(id, { operator: { name: 'API' } }))).outcome, 'parked')
    for (let i = 0; i < 3; i++) await disown()
    t.equal((await rows(store)).filter(({ origin }) => origin === 'operator').length, 0)
    t.match(await apply(store, sent(id, { ours: row.id })), { outcome: 'done', ours: true })
    t.match(await get(store, row.id), { state: 'sent', provider_message_id: id })
    await disown()
    t.equal((await rows(store)).length, 1)
    const others = await put(store, message(lost))
    const long = { operator: { name: 'Bea' }, at: Date.now() - 16 * 60_000 }
    t.equal((await apply(store, sent(fresh(), long))).outcome, 'parked')
    await disown()
    t.equal((await rows(store)).filter(({ origin }) => origin === 'operator').length, 1, 'not for ever')
    await changed(store, store.build.updateTable('messages').set({ final: 1 }).where('id', '=', others.id))
    // It has been taken for one.
    const [second, late] = [await put(store, message({ ...lost, created_at: 1 })), fresh()]
    t.equal((await apply(store, sent(late, { operator: { name: 'API' } }))).outcome, 'done')
    await apply(store, told('delivered', [late], { ours: second.id }))
    t.match(await get(store, second.id), { state: 'delivered' })
    await apply(store, told('read', [late]))
    t.match(await get(store, second.id), { state: 'read' }, 'by its id alone')
    // Nobody’s message is claimed by what was planted in another’s.
    const third = await taken(store, [fresh()])
    await apply(store, told('read', [third.provider_message_id!], { ours: row.id }))
    t.match([(await get(store, third.id)).state, (await get(store, row.id)).state], ['read', 'sent'])
  })

  test('a variant that tells more of the person has that effect, and no other', async (t, { store }) => {
    const id = fresh()
    await apply(store, wrote(id, {}, { userId: 'US.77' }))
    await apply(store, wrote(id, {}, { userId: 'US.77', phone: '14155550377' }))
    t.equal((await rows(store)).length, 1)
    t.strictSame(await identities(store).of('live', 'support', '14155550377'), ['14155550377', 'US.77'])
  })
}
