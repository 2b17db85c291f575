import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { changed, get, message, put } from './store-rows.ts'

const chunk = (store: Store, seq: number, bytes: Uint8Array) =>
  changed(store, store.build.insertInto('media_chunks').values({ media_id: 'med_1', seq, bytes }))
const chunks = (store: Store) => store.read(store.build.selectFrom('media_chunks').selectAll().orderBy('seq').compile())

/** What goes in comes out. */
export function textCases(test: Case): void {
  test('every column of a message comes back as it was given', async (t, { store }) => {
    const now = Date.now()
    const full = message({
      user_id: 'u1',
      options: '{"replyTo":"x"}',
      state: 'sending',
      final: 1,
      attempts: 3,
      send_at: now + 1,
      expires_at: now + 2,
      provider_message_id: 'wamid.x',
      reference: 'r',
      metadata: '{"a":"b"}',
      warnings: '["w"]',
      error: '{"code":"x"}',
      resolution: 'confirmed',
      resend_of: 'msg_0',
      broadcast_id: 'brd_0',
      traceparent: '00-1',
      timeline: '{}\n',
      accepted_at: now + 3,
      sent_at: now + 4,
      delivered_at: now + 5,
      read_at: now + 6,
      failed_at: now + 7
    })
    await store.write(function* () {
      yield store.build.insertInto('messages').values(full).compile()
    })
    // The name of a template is the database's own, read off the content for what is counted.
    t.strictSame({ ...(await get(store, full.id)) }, { ...full, template: null })
  })

  test('nulls come back as null, and what is left out is null', async (t, { store }) => {
    const row = message({ reference: undefined as never, contact: null })
    await put(store, row)
    const found = await get(store, row.id)
    t.equal(found.reference, null)
    t.equal(found.contact, null)
    t.equal(found.sent_at, null)
  })

  test('whole numbers come back as numbers, up to the largest that JavaScript holds', async (t, { store }) => {
    for (const n of [0, 1, -1, 2 ** 31, 2 ** 40, Date.now(), Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
      const row = await put(store, message({ created_at: n }))
      t.equal((await get(store, row.id)).created_at, n)
    }
  })

  test('counts, sums, extremes and sums of clock and number are numbers too', async (t, { store }) => {
    await put(store, message({ run_at: 5, attempts: 2 }))
    await put(store, message({ run_at: 7, attempts: 3 }))
    const [found] = await store.read(
      store.build
        .selectFrom('messages')
        .select(eb => [
          eb.fn.countAll<number>().as('count'),
          eb.fn.min('run_at').as('min'),
          eb.fn.max('run_at').as('max'),
          sql<number>`max(${store.now} + ${1000})`.as('later')
        ])
        .compile()
    )
    t.match(found, { count: 2, min: 5, max: 7, later: Number })
    t.type(found!.count, 'number')
  })

  test('a fraction is refused where a whole number belongs', async (t, { store }) => {
    await t.rejects(put(store, message({ created_at: 1.5 })))
  })

  test('a text is refused where a whole number belongs', async (t, { store }) => {
    await t.rejects(put(store, message({ created_at: 'soon' as never })))
  })

  test('a column that must be filled refuses null', async (t, { store }) => {
    await t.rejects(put(store, message({ service: null as never })))
  })

  const texts: Record<string, string> = {
    emoji: '👋🏽 👨‍👩‍👧‍👦 🇩🇪',
    'right to left': 'مرحبا بالعالم \u200fשלום\u200e',
    'four bytes': '𝒳𐍈𠜎',
    'combining, not composed': 'e\u0301 \u00e9 ﬁ',
    'controls and quotes': `\t\r\n\u0001'"\\;--$1?`,
    'not a statement': `'); drop table messages; --`,
    empty: '',
    blanks: '  ',
    'a word of SQL': 'NULL'
  }
  for (const [name, text] of Object.entries(texts)) {
    test(`text survives: ${name}`, async (t, { store }) => {
      const row = await put(store, message({ content: text, reference: text }))
      t.equal((await get(store, row.id)).content, text)
      const found = await store.read(
        store.build.selectFrom('messages').select('id').where('reference', '=', text).compile()
      )
      t.strictSame(
        found.map(({ id }) => id),
        [row.id]
      )
    })
  }

  test('text of 200 kB survives', async (t, { store }) => {
    const text = '€😀'.repeat(29_000)
    t.ok(Buffer.byteLength(text) > 200_000)
    const row = await put(store, message({ content: text }))
    t.ok((await get(store, row.id)).content === text)
  })

  test('upper and lower case, and composed and not, are different', async (t, { store }) => {
    for (const reference of ['a', 'A', '\u00e9', 'e\u0301']) await put(store, message({ reference }))
    for (const reference of ['a', 'A', '\u00e9', 'e\u0301']) {
      const query = store.build.selectFrom('messages').select('id').where('reference', '=', reference)
      t.equal((await store.read(query.compile())).length, 1)
    }
  })

  test('what no database can hold, NUL and half a pair, becomes U+FFFD and fails nobody', async (t, { store }) => {
    const row = await put(store, message({ reference: 'a\0b', content: 'x\ud800y' }))
    const found = await get(store, row.id)
    t.equal(found.reference, 'a\ufffdb')
    t.equal(found.content, 'x\ufffdy')
    const query = store.build.selectFrom('messages').select('id').where('reference', '=', 'a\0b')
    t.equal((await store.read(query.compile())).length, 1, 'it is found by what it was given as')
  })

  test('bytes come back as Uint8Array and equal: none, every value, NULs, a whole media chunk', async (t, {
    store
  }) => {
    const given = [
      new Uint8Array(),
      Uint8Array.from({ length: 256 }, (_, i) => i),
      new Uint8Array(9),
      randomBytes(256 * 1024),
      // A view into a larger buffer must store its own part only.
      new Uint8Array(Uint8Array.from([9, 9, 1, 2, 3, 9]).buffer, 2, 3)
    ]
    for (const [seq, bytes] of given.entries()) await chunk(store, seq, bytes)
    const found = await chunks(store)
    for (const [seq, bytes] of given.entries()) {
      t.ok(found[seq]!.bytes instanceof Uint8Array)
      t.ok(Buffer.compare(found[seq]!.bytes, bytes) === 0, `chunk ${seq}`)
    }
  })

  test('a chunk of media stands once, and goes with its file', async (t, { store }) => {
    await chunk(store, 0, Buffer.from('one'))
    await t.rejects(chunk(store, 0, Buffer.from('two')))
    await chunk(store, 1, Buffer.from('three'))
    t.equal(await changed(store, store.build.deleteFrom('media_chunks').where('media_id', '=', 'med_1')), 2)
    t.strictSame(await chunks(store), [])
  })

  test('chunks come in the order of their numbers, ten after nine', async (t, { store }) => {
    for (const seq of [10, 9, 1, 0, 2, 11]) await chunk(store, seq, Buffer.from([seq]))
    t.strictSame(
      (await chunks(store)).map(({ seq }) => seq),
      [0, 1, 2, 9, 10, 11]
    )
  })

  test('ids are ordered by their bytes, whatever the language of the database', async (t, { store }) => {
    const ids = ['a-b', 'ab', 'a_c', 'aa', 'a-a', 'a1']
    for (const id of ids) await put(store, message({ id }))
    const found = await store.read(store.build.selectFrom('messages').select('id').orderBy('id').compile())
    t.strictSame(
      found.map(({ id }) => id),
      [...ids].sort()
    )
  })
}
