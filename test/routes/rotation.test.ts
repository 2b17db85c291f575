import t from 'tap'
import { type Board, startBoard } from '../helper.ts'

const make = async (board: Board, input: object = {}) =>
  (
    await board.call('POST', '/keys', {
      body: { service: 'billing', mode: 'live', scopes: ['messages:send'], ...input }
    })
  ).body
const self = async (board: Board, key: string) => (await board.call('GET', '/keys/self', { key })).status
const rotate = (board: Board, id: string, body?: unknown, idempotency?: string) =>
  board.call('POST', `/keys/${id}/rotate`, {
    ...(body !== undefined && { body }),
    headers: idempotency === undefined ? {} : { 'idempotency-key': idempotency }
  })

t.test('a rotation gives the key another secret, and shows it this once', async t => {
  const board = await startBoard(t)
  const { id, secret, ...before } = await make(board, { name: 'n', channels: ['cloud'] })
  const made = await rotate(board, id, { overlapSeconds: 600 })
  t.equal(made.status, 201)
  t.equal(made.headers.location, `/keys/${id}`)
  const { secret: next, prefix, lastFour, secrets, ...after } = made.body
  t.match(next, /^sk_live_/)
  t.ok(next.startsWith(prefix) && next.endsWith(lastFour))
  const { prefix: _, lastFour: __, secrets: ___, ...same } = before
  t.strictSame(after, { ...same, id }, 'nothing else of it has changed')
  t.match(secrets, [{ lastFour }, { lastFour: secret.slice(-4), expiresAt: String }])
  const about = Date.parse(secrets[1].expiresAt) - Date.now()
  t.ok(about > 590_000 && about <= 600_000)
  for (const key of [secret, next]) t.equal(await self(board, key), 200)
  const shown = (await board.call('GET', `/keys/${id}`)).text + (await board.call('GET', '/keys')).text
  for (const each of [secret, next]) t.notMatch(shown + board.log.join(), each.slice(13, 40), 'not a piece of it')
  t.match((await board.call('GET', `/audit?target=${id}`)).body.items[0], {
    actor: 'key_admin',
    action: 'key.rotated',
    detail: { secret: secrets[0].id, overlapSeconds: 600 }
  })

  t.equal((await board.call('DELETE', `/keys/${id}/secrets/${secrets[1].id}`)).status, 204)
  t.equal(await self(board, secret), 401, 'ended at once')
  t.equal(await self(board, next), 200)
  t.match(await board.call('DELETE', `/keys/${id}/secrets/${secrets[0].id}`), {
    status: 409,
    body: { code: 'conflict' }
  })
  t.match(await board.call('DELETE', `/keys/${id}/secrets/sec_0`), { status: 404 })
  await board.call('DELETE', `/keys/${id}`)
  t.equal(await self(board, next), 401)
  t.match(await rotate(board, id), { status: 409, body: { code: 'conflict' } })
})

t.test('a rotation whose answer was lost answers the same secret again, and makes no other', async t => {
  const board = await startBoard(t)
  const { id, secret } = await make(board)
  const first = await rotate(board, id, undefined, 'r-1')
  const again = await rotate(board, id, undefined, 'r-1')
  t.equal(again.status, 201)
  t.equal(again.text, first.text, 'byte for byte')
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.equal((await board.call('GET', `/keys/${id}`)).body.secrets.length, 2)
  t.match(await rotate(board, id, { overlapSeconds: 1 }, 'r-1'), {
    status: 422,
    body: { code: 'idempotency_key_reused' }
  })
  const kept = await board.call('GET', `/audit?target=${id}`)
  t.notMatch(kept.text, first.body.secret.slice(13, 40))

  const other = await rotate(board, id, undefined, 'r-2')
  t.not(other.body.secret, first.body.secret)
  t.equal((await rotate(board, id, undefined, 'r-1')).text, first.text, 'whatever was rotated since')
  for (const key of [secret, first.body.secret, other.body.secret]) t.equal(await self(board, key), 200)

  t.equal((await rotate(board, id, { overlapSeconds: 0 }, 'r-3')).status, 201)
  t.match(
    await rotate(board, id, { overlapSeconds: 0 }, 'r-3'),
    { status: 409, body: { code: 'conflict' } },
    'no overlap: not again'
  )
  t.equal(await self(board, other.body.secret), 401)
})

t.test('what a rotation does not take is named', async t => {
  const board = await startBoard(t)
  const { id } = await make(board)
  for (const body of [
    { overlapSeconds: 2_592_001 },
    { overlapSeconds: -1 },
    { overlapSeconds: '60' },
    { overlapSeconds: 1.5 }
  ])
    t.match(await rotate(board, id, body), { status: 400, body: { errors: [{ path: '/overlapSeconds' }] } })
  t.match(await rotate(board, id, { overlap: 1 }), { status: 400, body: { errors: [{ path: '/overlap' }] } })
  t.match(await rotate(board, 'key_0'), { status: 404 })
  t.match(await rotate(board, 'key_admin'), { status: 404 }, 'the key of the settings is rotated in the settings')
  t.equal((await rotate(board, id, { overlapSeconds: 2_592_000 })).status, 201)
})

t.test('a request repeated with the new secret is the same request', async t => {
  const board = await startBoard(t)
  const { id, secret } = await make(board)
  const send = (key: string) =>
    board.call('POST', '/messages', {
      key,
      body: { channel: 'cloud', to: '14155551234', type: 'text', text: { body: 'Hello' } },
      headers: { 'idempotency-key': 'order-1' }
    })
  const first = await send(secret)
  const again = await send((await rotate(board, id, { overlapSeconds: 0 })).body.secret)
  t.equal(again.text, first.text)
  t.equal(again.headers['idempotency-replayed'], 'true')
})

t.test('keys that nobody used since an instant are listed', async t => {
  const board = await startBoard(t)
  const used = await make(board)
  const idle = await make(board)
  await self(board, used.secret)
  const listed = async (since: string) =>
    (await board.call('GET', `/keys?unusedSince=${encodeURIComponent(since)}`)).body.items.map(
      ({ id }: { id: string }) => id
    )
  const before = new Date(Date.now() - 60_000).toISOString()
  t.strictSame(await listed(before), [idle.id])
  t.strictSame(
    await listed(new Date(Date.now() + 60_000).toISOString()),
    [idle.id, used.id],
    'CONTROL: before it all are'
  )
  t.match(await board.call('GET', '/keys?unusedSince=yesterday'), {
    status: 400,
    body: { errors: [{ path: 'query/unusedSince' }] }
  })
})
