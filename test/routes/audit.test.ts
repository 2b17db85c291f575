import t from 'tap'
import { startBoard, until } from '../helper.ts'

t.test('every change of a key or channel is told: who, what and when, without a secret', async t => {
  const board = await startBoard(t)
  const made = await board.call('POST', '/keys', {
    body: { service: 'billing', mode: 'live', scopes: ['messages:send'] }
  })
  const { id, secret } = made.body
  await board.call('PATCH', `/keys/${id}`, { body: { scopes: ['messages:read'] } })
  await board.call('DELETE', `/keys/${id}`)
  const log = await board.call('GET', `/audit?target=${id}`)
  t.same(
    log.body.items.map((item: { action: string; actor: string }) => [item.action, item.actor]),
    [
      ['key.revoked', 'key_admin'],
      ['key.changed', 'key_admin'],
      ['key.created', 'key_admin']
    ]
  )
  t.notMatch(log.text, secret)
  const page = await board.call('GET', '/audit?limit=2')
  t.equal(page.body.items.length, 2)
  const next = await board.call('GET', `/audit?limit=2&cursor=${page.body.nextCursor}`)
  t.ok(next.body.items[0].id < page.body.items[1].id, 'the next page goes on where the first ended')
  t.equal((await board.call('GET', '/audit', { key: await board.key() })).status, 403)
})

t.test('the log is asked by who, by what and by when, and by several of them at once', async t => {
  const board = await startBoard(t)
  interface Entry {
    id: string
    at: string
    actor: string
    action: string
    target: string
  }
  const read = async (query: Record<string, string>): Promise<Entry[]> => {
    const answer = await board.call('GET', `/audit?${new URLSearchParams(query)}`)
    t.equal(answer.status, 200)
    return answer.body.items
  }
  /** Makes a key, as the administrator unless a key is given, in a millisecond of its own. */
  let before = 0
  const make = async (key?: string) => {
    await until(
      async () => Date.now(),
      now => now > before
    )
    const body = { service: 'billing', mode: 'live', scopes: ['admin'] }
    const made = await board.call('POST', '/keys', { body, ...(key && { key }) })
    t.equal(made.status, 201)
    before = Date.now()
    return made.body as { id: string; secret: string }
  }
  const other = await make()
  const [second, third] = [await make(other.secret), await make(other.secret)]
  await board.call('PATCH', `/keys/${second.id}`, { key: other.secret, body: { name: 'till' } })
  await board.call('DELETE', `/keys/${third.id}`)
  const all = await read({})
  t.ok(all.length >= 5)

  /** Each filter against what it must leave of the whole log: some of it, and not all. */
  const leaves = async (query: Record<string, string>, keeps: (entry: Entry) => boolean) => {
    const kept = all.filter(keeps).map(({ id }) => id)
    t.ok(kept.length > 0 && kept.length < all.length, `CONTROL: ${JSON.stringify(query)} parts the log`)
    t.strictSame(
      (await read(query)).map(({ id }) => id),
      kept,
      JSON.stringify(query)
    )
  }
  await leaves({ actor: other.id }, ({ actor }) => actor === other.id)
  await leaves({ actor: 'key_admin' }, ({ actor }) => actor === 'key_admin')
  await leaves({ action: 'key.created' }, ({ action }) => action === 'key.created')
  await leaves({ action: 'key.revoked' }, ({ action }) => action === 'key.revoked')
  const { at } = all.find(({ target, action }) => target === second.id && action === 'key.created')!
  await leaves({ since: at }, entry => entry.at >= at)
  await leaves({ until: at }, entry => entry.at < at)
  const zoned = new Date(Date.parse(at) + 7_200_000).toISOString().replace('Z', '+02:00')
  await leaves({ since: zoned }, entry => entry.at >= at)
  const end = all.find(({ target, action }) => target === third.id && action === 'key.created')!.at
  await leaves({ since: at, until: end }, entry => entry.at >= at && entry.at < end)
  await leaves(
    { actor: other.id, action: 'key.created', since: end },
    entry => entry.actor === other.id && entry.action === 'key.created' && entry.at >= end
  )
  await leaves({ target: third.id, actor: 'key_admin' }, e => e.target === third.id && e.actor === 'key_admin')

  const nothing: Record<string, string>[] = [
    { actor: 'key_none' },
    { action: 'key.create' },
    { since: end, until: at },
    { until: '2020-01-01T00:00:00Z' }
  ]
  for (const query of nothing)
    t.strictSame(await read(query), [], `${JSON.stringify(query)}: none, for the beginning of a word is no word`)

  const page = await board.call('GET', `/audit?actor=${other.id}&limit=2`)
  t.equal(page.body.items.length, 2)
  const rest = await board.call('GET', `/audit?actor=${other.id}&limit=2&cursor=${page.body.nextCursor}`)
  t.strictSame(
    [...page.body.items, ...rest.body.items].map(({ id }: Entry) => id),
    all.filter(({ actor }) => actor === other.id).map(({ id }) => id),
    'a filter holds from page to page'
  )
  t.equal(rest.body.nextCursor, null)

  for (const [name, value] of [
    ['since', 'yesterday'],
    ['until', '2026-13-01T00:00:00Z'],
    ['since', '2026-11-01'],
    ['actor', "x' or 1=1"],
    ['action', 'Key Created'],
    ['who', 'me']
  ] as const)
    t.match(await board.call('GET', `/audit?${new URLSearchParams({ [name]: value })}`), {
      status: 400,
      body: { code: 'invalid_request', errors: [{ path: `/${name}` }] }
    })
})
