import { createBook } from '../../src/contacts/book.ts'
import { createErase } from '../../src/contacts/erase.ts'
import { createOutcomes } from '../../src/delivery/sending/outcome.ts'
import { identities } from '../../src/messages/identities.ts'
import { messageIds } from '../../src/messages/provider-ids.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { createSuppressed } from '../../src/messages/suppressed.ts'
import { eventEntry } from '../../src/store/event-entry.ts'
import type { Store } from '../../src/store/store.ts'
import { createEntries } from '../../src/suppressions/entries.ts'
import { apply, fresh, rows, told } from './heard-rows.ts'
import type { Case } from './store.ts'
import { caller, changed, failure, get, message, outcome, put } from './store-rows.ts'

export const phone = '5215512345678'
const other = '525512345678'
const userId = 'MX.13491208655302741918'
const words = 'a secret of theirs'
const refusal = { code: 'message_rejected', detail: '', provider: { name: 'wati', status: null } } as const

/** Everything that the store holds, as text: a name or a word that is in it is found. */
async function dump(store: Store, without = ''): Promise<string> {
  const { build } = store
  const tables = [
    'messages',
    'contacts',
    'contact_attributes',
    'identities',
    'message_ids',
    'idempotency',
    'webhooks',
    'webhook_bodies',
    'parked_events',
    'heard_events',
    'paces',
    'blocks',
    'events',
    'suppressions',
    'audit'
  ] as const
  const parts = await Promise.all(
    tables
      .filter(table => table !== without)
      .map(async table =>
        (await store.read(build.selectFrom(table).selectAll().compile())).map(row =>
          JSON.stringify(row, (_, value) =>
            value instanceof Uint8Array || value?.type === 'Buffer'
              ? Buffer.from(value.data ?? value).toString('latin1')
              : value
          )
        )
      )
  )
  return parts.flat().join('\n')
}

async function fill(store: Store): Promise<void> {
  const at = { channel: 'support', mode: 'live' } as const
  const place = { channel_id: 'support', mode: 'live' } as const
  await store.write(() => identities(store).link(place, { names: [phone, other, userId], username: 'ada' }))
  await createBook(store).upsert(at, phone, { name: words, attributes: { city: words } })
  await store.write(function* () {
    const body = Buffer.from(JSON.stringify({ from: phone, text: words }))
    const row = { channel_id: 'support', mode: 'live' as const, headers: '{}', position: 1, tries: 0, reason: null }
    const kept = { ...row, received_at: 1, id: 'whk_1', sha256: 'a', state: 'read' as const, size: body.length }
    yield store.build.insertInto('webhooks').values(kept).compile()
    yield store.build.insertInto('webhook_bodies').values({ id: 'whk_1', body }).compile()
    yield store.build
      .insertInto('paces')
      .values({ key: `pair/1/${phone}`, log: '[]', updated_at: 1 })
      .compile()
    yield store.build
      .insertInto('parked_events')
      .values([
        {
          channel_id: 'support',
          mode: 'live',
          provider_id: 'x',
          identity: 'i',
          event: JSON.stringify({ phone }),
          at: 1,
          due_at: null
        }
      ])
      .compile()
  })
}

/** Erases that person. */
export const erased = (store: Store) =>
  createErase({ store, queries: messageQueries(store), keepSuppressed: function* () {} })(
    caller({ scopes: new Set(['admin']) }),
    `+${phone}`
  )

/** A person who is erased is nowhere any more; everybody else stays. */
export function eraseCases(test: Case): void {
  const content = JSON.stringify({ body: words })
  const row = (changes: object) =>
    message({ content, contact: phone, metadata: JSON.stringify({ note: words }), ...changes })

  test('a person who is erased is nowhere any more, under any name; rows keep their times and others everything', async (t, {
    store
  }) => {
    const queries = messageQueries(store)
    const suppressed = createSuppressed(store, 'p'.repeat(32))
    const { add, forget: keepSuppressed } = createEntries(store, suppressed)
    const stop = { mode: 'live', channel_id: '', category: 'all', source: 'api', reason: words } as const
    await store.write(() => add({ ...stop, identity: phone }))
    await fill(store)
    const sent = await put(
      store,
      row({ state: 'accepted', final: 1, accepted_at: 5, provider_message_id: `wamid.${phone}` })
    )
    const asOther = await put(store, row({ contact: other, state: 'delivered', final: 1 }))
    const waiting = await put(store, row({ contact: userId, user_id: userId }))
    const doubtful = await put(store, row({ state: 'unknown', attempts: 1 }))
    const detail = `no word of ${phone}`
    await store.write(function* () {
      const error = JSON.stringify({ code: 'provider_timeout', outcome: 'unknown', detail })
      const timeline = `${JSON.stringify({ at: 1, status: 'unknown', attempt: 1, detail })}\n`
      yield store.build.updateTable('messages').set({ error, timeline }).where('id', '=', doubtful.id).compile()
    })
    const refused = await put(store, row({ state: 'sending', attempts: 1 }))
    const provider_message_id = `wamid.${phone}`
    const said = JSON.stringify({ code: 'message_rejected', detail })
    const facts = { state: 'failed' as const, final: 1, failed_at: 5, error: said, provider_message_id, warnings: said }
    await changed(store, queries.settle(outcome(refused, facts)))
    await store.write(function* () {
      const about = { type: 'contact.changed', mode: 'live', channel: 'support', contact: other } as const
      yield eventEntry(store, { ...about, data: { phone: other, name: words } })
    })
    const somebody = await put(store, row({ contact: '4915100000001', state: 'accepted' }))
    t.match(await dump(store), words, 'CONTROL: it is there')
    await createErase({ store, queries, keepSuppressed })(caller({ scopes: new Set(['admin']) }), `+${phone}`)
    const text = await dump(store)
    for (const name of [phone, other, userId]) t.notOk(text.includes(name), name)
    t.equal(text.split(words).length - 1, 2, 'what is said to somebody else stays: content and note')
    t.match(await get(store, sent.id), { state: 'accepted', created_at: sent.created_at, contact: null, content: null })
    t.match(await get(store, asOther.id), { state: 'delivered', contact: null })
    t.match(await get(store, waiting.id), { state: 'canceled', contact: null }, 'what waited is canceled')
    const { error, timeline, ...closed } = await get(store, doubtful.id)
    t.match(closed, { state: 'unknown', final: 1, resolution: 'abandoned', contact: null }, 'nobody can ask about it')
    t.match(JSON.parse(error!), { code: 'provider_timeout', outcome: 'unknown' }, 'what kind of error it was stays')
    t.match(JSON.parse(timeline.split('\n')[0]!), { at: 1, status: 'unknown', attempt: 1 }, 'and when it was')
    t.match(await get(store, somebody.id), { contact: '4915100000001', content })
    t.match(text, /person\.erased/)
    const events = await store.read(store.build.selectFrom('events').selectAll().compile())
    t.notOk(events.some(({ type }) => type === 'contact.changed'))
    const [told] = events.filter(({ message_id }) => message_id === refused.id)
    t.match(JSON.parse(told!.data), { state: 'failed', failed_at: 5, attempts: 1 }, 'what became of it stays')
    const look = (contact: string) =>
      store.read(suppressed.look(suppressed.keysOf({ mode: 'live', channel_id: 'support', contact }, every)))
    const every = { marketing: false, exempt: false }
    for (const name of [phone, other, userId])
      t.same(await look(name), [{ channel_id: '', category: 'all' }], 'and must not be messaged all the same')
    t.strictSame(await look('4915100000001'), [], 'CONTROL: somebody else may')
  })

  test('what the provider tells of an erased message finds it, and brings nothing back', async (t, { store }) => {
    const [wamid, watiId, theirs] = [
      `wamid.HBg${Buffer.from(phone).toString('base64')}/+A==`,
      'a1b2c3d4e5f6a7b8c9d0e1f2',
      fresh()
    ]
    const secret = 'words that a status repeats'
    const sent = await put(store, row({ state: 'accepted', attempts: 1, accepted_at: 5 }))
    await changed(
      store,
      store.build.updateTable('messages').set({ provider_message_id: wamid }).where('id', '=', sent.id)
    )
    await store.write(() =>
      messageIds(store).link({ channel_id: 'support', mode: 'live' }, { id: sent.id, attempt: 1 }, [wamid, watiId])
    )
    const bodies = [
      JSON.stringify({ eventType: 'sentMessageREAD', whatsappMessageId: wamid, text: secret }).replaceAll('/', '\\/'),
      JSON.stringify({ eventType: 'sentMessageREAD', id: watiId, text: secret }),
      JSON.stringify({ biz_opaque_callback_data: `sb1.${sent.id}`, text: secret }),
      JSON.stringify({ id: theirs, text: 'to somebody else' })
    ]
    const hook = { channel_id: 'support', mode: 'live' as const, headers: '{}', position: 1, tries: 0, reason: null }
    for (const [i, body] of bodies.entries()) {
      const place = { ...hook, id: `whk_e${i}`, sha256: `e${i}`, state: 'read' as const, received_at: 1 }
      await changed(store, store.build.insertInto('webhooks').values({ ...place, size: body.length }))
      await changed(store, store.build.insertInto('webhook_bodies').values({ id: place.id, body: Buffer.from(body) }))
    }
    t.match(await dump(store), secret, 'CONTROL')
    await erased(store)
    const left = await dump(store)
    t.notOk(left.includes(secret), 'nor the bodies that name the message alone')
    t.match(left, 'to somebody else', 'CONTROL')

    const recipient = { phone, userId, username: 'ada' }
    const count = (await rows(store)).length
    t.match(await apply(store, told('sent', [wamid], { recipient })), { outcome: 'done' })
    await apply(store, told('failed', [watiId], { recipient, failure: { ...refusal, detail: `not ${phone}` } }))
    await apply(store, told('delivered', ['a-new-id-of-it'], { recipient, ours: sent.id }))
    await apply(store, told('read', ['a-new-id-of-it'], { recipient }))
    await apply(store, {
      ...{ kind: 'outgoing', identity: 'o', scope: {}, ids: [wamid!], recipient, operator: { name: 'Bob' } },
      message: { type: 'text', content: { body: secret } }
    })
    t.equal((await rows(store)).length, count, 'it is no operator’s')
    t.match(await get(store, sent.id), {
      ...{ state: 'read', contact: null, user_id: null, person: null, provider_message_id: null, content: null },
      error: null
    })
    // The marks that keep what is told again from having an effect again hold ids for nine days.
    const text = await dump(store, 'heard_events')
    for (const name of [phone, userId, wamid, watiId, 'a-new-id-of-it', secret]) t.notOk(text.includes(name), name)
    const kinds: string[] = (await store.read(store.build.selectFrom('events').select('type').compile())).map(
      ({ type }) => type
    )
    for (const type of ['message.sent', 'message.failed', 'message.delivered', 'message.read'])
      t.ok(kinds.includes(type), 'what becomes of it is told all the same')
  })

  test('an answer that comes after its person was erased brings nothing back', async (t, { store }) => {
    const before = await put(store, row({ state: 'unknown', attempts: 1 }))
    await erased(store)
    const { accepted, settle } = createOutcomes(store, messageQueries(store), '')
    const receipt = { providerMessageId: `wamid.${phone}`, aliases: ['another-id'], recipient: { phone }, warnings: [] }
    await store.write(() => settle(accepted(before, receipt as never, []), null, undefined))
    t.match(await get(store, before.id), { state: 'accepted', person: null, contact: null, provider_message_id: null })
    const left = await dump(store)
    for (const name of [phone, 'another-id']) t.notOk(left.includes(name), name)
    t.match(await apply(store, told('delivered', ['another-id'])), { outcome: 'done' }, 'and it is known again')
    t.match(await get(store, before.id), { state: 'delivered' })
  })

  test('of others nothing is taken whose number or id holds the erased one', async (t, { store }) => {
    const longer = [`44${phone}`, `${phone}9`, `${userId}1`]
    const parked = (identity: string, name: string) => ({
      ...{ channel_id: 'support', mode: 'live' as const, provider_id: identity, identity },
      ...{ event: JSON.stringify({ to: name, text: `\n${name}` }), at: 1, due_at: null }
    })
    const hook = { channel_id: 'support', mode: 'live' as const, headers: '{}', position: 1, tries: 0, reason: null }
    for (const [i, name] of [...longer, phone].entries()) {
      await changed(store, store.build.insertInto('parked_events').values(parked(`p${i}`, name)))
      const place = { ...hook, id: `whk_o${i}`, sha256: `o${i}`, state: 'read' as const, received_at: 1 }
      const body = Buffer.from(JSON.stringify({ text: `call\n${name}` }))
      await changed(store, store.build.insertInto('webhooks').values({ ...place, size: body.length }))
      await changed(store, store.build.insertInto('webhook_bodies').values({ id: place.id, body }))
    }
    await store.write(() => identities(store).link({ channel_id: 'support', mode: 'live' }, { names: [phone, userId] }))
    await erased(store)
    const left = await store.read(
      store.build.selectFrom('parked_events').select('identity').orderBy('identity').compile()
    )
    t.strictSame(
      left.map(({ identity }) => identity),
      ['p0', 'p1', 'p2']
    )
    const bodies = await store.read(
      store.build.selectFrom('webhook_bodies').select(['id', 'body']).orderBy('id').compile()
    )
    t.strictSame(
      bodies.map(({ body }) => Buffer.from(body).toString() === '{}'),
      [false, false, false, true]
    )
  })

  test('while something is on its way to the person it is told so, and done once that has ended', async (t, {
    store
  }) => {
    const { forget: keepSuppressed } = createEntries(store, createSuppressed(store, 'p'.repeat(32)))
    const erase = createErase({ store, queries: messageQueries(store), keepSuppressed })
    const sending = await put(store, row({ state: 'sending', attempts: 1 }))
    t.match(await failure(erase(caller({}), phone)), { code: 'conflict', facts: { retryAfterSeconds: 5 } })
    t.equal((await get(store, sending.id)).contact, phone)
  })
}
