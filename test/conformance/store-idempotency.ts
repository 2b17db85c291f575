import { createHash } from 'node:crypto'
import { type Answer, createIdempotency, type Idempotency, requestHash } from '../../src/delivery/intake/idempotency.ts'
import { createSeal } from '../../src/keys/seal.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { failure, message, put } from './store-rows.ts'

const seal = createSeal('p'.repeat(64))

const scope = { service: 'billing', mode: 'live', method: 'POST', path: '/messages', key: 'k-1' }
const hash = requestHash({ to: '1' })
const minute = 60_000
const answer = (changes: Partial<Answer> = {}): Answer => ({
  status: 201,
  headers: { location: '/messages/msg_1', 'content-type': 'application/json; charset=utf-8' },
  body: '{"id":"msg_1"}',
  ...changes
})
const claim = (store: Store, to: Idempotency, id: string, lockMs = minute, of = scope, body = hash) =>
  store.write(() => to.claim(of, body, id, lockMs))
const repoint = (store: Store, to: Idempotency, old: string, id: string, lockMs = minute) =>
  store.write(() => to.repoint(scope, old, id, lockMs))

/** One key, one effect (docs/reliability.md P10 to P16). */
export function idempotencyCases(test: Case): void {
  test('a free key is found by nobody and taken by the first', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    t.equal(await keys.find(scope, hash), undefined)
    t.equal(await claim(store, keys, 'msg_1'), undefined)
    const rival = await claim(store, keys, 'msg_2')
    t.match(rival, { message_id: 'msg_1', locked: 1, status: null, request_hash: hash })
  })

  test('of fifty claims at once one wins, and only its message is made', async (t, { store, replica }) => {
    const stores = [store, ...(replica ? [await replica()] : [])]
    const won = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const from = stores[i % stores.length]!
        const row = message()
        return from.write(function* () {
          const rival = yield* createIdempotency(from, seal).claim(scope, hash, row.id, minute)
          if (rival) return rival.message_id
          yield from.build.insertInto('messages').values(row).compile()
          return row.id
        })
      })
    )
    const made = await store.read(store.build.selectFrom('messages').select('id').compile())
    t.equal(made.length, 1)
    t.strictSame([...new Set(won)], [made[0]!.id], 'the other 49 are told of it')
  })

  test('control: to look first and claim then makes more than one message', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    const looks = await Promise.all(Array.from({ length: 10 }, () => keys.find(scope, hash)))
    for (const found of looks) if (!found) await claim(store, keys, (await put(store, message())).id)
    t.ok((await store.read(store.build.selectFrom('messages').select('id').compile())).length > 1)
  })

  test('a claim goes with its unit', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    await t.rejects(
      store.write(function* () {
        yield* keys.claim(scope, hash, 'msg_1', minute)
        throw new Error('no message')
      })
    )
    t.equal(await keys.find(scope, hash), undefined)
  })

  test('a key is one of its service, mode, method and path', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    const others = [{ service: 'x' }, { mode: 'test' }, { method: 'PUT' }, { path: '/x' }, { key: 'K-1' }, {}]
    for (const [i, other] of others.entries())
      t.equal(await claim(store, keys, `msg_${i}`, minute, { ...scope, ...other }), undefined)
    t.ok(await claim(store, keys, 'msg_9'))
  })

  test('another body is 422, while the first runs and after it', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    await claim(store, keys, 'msg_1')
    const other = requestHash({ to: '2' })
    t.match(await failure(keys.find(scope, other)), { code: 'idempotency_key_reused' })
    await keys.keep(scope, 'msg_1', answer())
    t.match(await failure(keys.find(scope, other)), { code: 'idempotency_key_reused' })
    const rival = await claim(store, keys, 'msg_2', minute, scope, other)
    t.throws(() => keys.judge(rival!, other), { code: 'idempotency_key_reused' })
  })

  test('the same body while the first runs is 409, with a time to come back', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    await claim(store, keys, 'msg_1')
    const error = await failure(keys.find(scope, hash))
    t.match(error, { code: 'idempotency_in_progress', facts: { retryAfterSeconds: 1 } })
  })

  test('a key whose holder is late is an orphan: its message tells how it ended', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    await claim(store, keys, 'msg_1', -1)
    t.strictSame(await keys.find(scope, hash), { state: 'orphaned', messageId: 'msg_1' })
  })

  test('a kept answer comes back to the byte', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    const body = `{"b":1,"a":"é 👋🏽 \\u0000 \\" ${'x'.repeat(100_000)}"}\n `
    const sha = (text: string) => createHash('sha256').update(text).digest('hex')
    await claim(store, keys, 'msg_1')
    t.strictSame(await keys.keep(scope, 'msg_1', answer({ body, status: 202 })), answer({ body, status: 202 }))
    for (let i = 0; i < 3; i++) {
      const found = await keys.find(scope, hash)
      t.match(found, { state: 'done', answer: { ...answer(), body: String, status: 202, replayed: true } })
      t.equal(found?.state === 'done' && sha(found.answer.body), sha(body))
    }
  })

  test('an answer is kept once: who comes second is given the first', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    await claim(store, keys, 'msg_1')
    const kept = await Promise.all(
      Array.from({ length: 10 }, (_, i) => keys.keep(scope, 'msg_1', answer({ body: String(i) })))
    )
    t.equal(new Set(kept.map(({ body }) => body)).size, 1)
    t.equal(kept.filter(({ replayed }) => replayed).length, 9)
  })

  test('an answer for another message is not kept', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    await claim(store, keys, 'msg_1', -1)
    await keys.keep(scope, 'msg_2', answer())
    t.match(await keys.find(scope, hash), { state: 'orphaned', messageId: 'msg_1' })
  })

  test('unlock makes an orphan of what runs, and never reopens what is answered', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    await claim(store, keys, 'msg_1')
    await keys.unlock(scope, 'msg_2')
    t.match(await failure(keys.find(scope, hash)), { code: 'idempotency_in_progress' })
    await keys.unlock(scope, 'msg_1')
    t.match(await keys.find(scope, hash), { state: 'orphaned', messageId: 'msg_1' })
    await keys.keep(scope, 'msg_1', answer())
    await keys.unlock(scope, 'msg_1')
    t.match(await keys.find(scope, hash), { state: 'done' })
  })

  test('of ten that want to send anew in place of a failed one, one may', async (t, { store, replica }) => {
    const stores = [store, ...(replica ? [await replica()] : [])]
    await claim(store, createIdempotency(store, seal), 'msg_0', -1)
    const won = await Promise.all(
      Array.from({ length: 10 }, (_, i) => {
        const from = stores[i % stores.length]!
        return repoint(from, createIdempotency(from, seal), 'msg_0', `msg_${i + 1}`)
      })
    )
    t.equal(won.filter(Boolean).length, 1)
    const error = await failure(createIdempotency(store, seal).find(scope, hash))
    t.match(error, { code: 'idempotency_in_progress' })
  })

  test('what runs, what is answered and what is of another message cannot be sent anew', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    await claim(store, keys, 'msg_1')
    t.equal(await repoint(store, keys, 'msg_1', 'msg_2'), false, 'it runs')
    await keys.unlock(scope, 'msg_1')
    t.equal(await repoint(store, keys, 'msg_0', 'msg_2'), false, 'another message')
    await keys.keep(scope, 'msg_1', answer())
    t.equal(await repoint(store, keys, 'msg_1', 'msg_2'), false, 'it is answered')
  })

  test('a late answer of the message that was replaced does not become the answer', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    await claim(store, keys, 'msg_1', -1)
    t.equal(await repoint(store, keys, 'msg_1', 'msg_2', -1), true)
    const late = answer({ body: 'late' })
    t.strictSame(await keys.keep(scope, 'msg_1', late), late, 'its own caller is told what it came to')
    t.match(await keys.find(scope, hash), { state: 'orphaned', messageId: 'msg_2' })
  })

  test('takeOver frees what was running and leaves what is answered', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    const done = { ...scope, key: 'done' }
    await claim(store, keys, 'msg_1')
    await claim(store, keys, 'msg_2', minute, done)
    await keys.keep(done, 'msg_2', answer())
    await keys.takeOver()
    t.match(await keys.find(scope, hash), { state: 'orphaned', messageId: 'msg_1' })
    t.match(await keys.find(done, hash), { state: 'done', answer: { body: answer().body } })
  })

  test('keys of 255 printable characters are kept apart to the last', async (t, { store }) => {
    const keys = createIdempotency(store, seal)
    const long = (end: string) => ({ ...scope, key: `${`'"\\ ~`.repeat(50)}abcd${end}` })
    t.equal(await claim(store, keys, 'msg_1', minute, long('x')), undefined)
    t.equal(await claim(store, keys, 'msg_2', minute, long('X')), undefined)
    t.ok(await claim(store, keys, 'msg_3', minute, long('x')))
  })
}
