import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { CompiledQuery } from 'kysely'
import t from 'tap'
import type { Caller } from '../../src/keys/caller.ts'
import { unknownQueries } from '../../src/messages/doubt.ts'
import type { ListFilter } from '../../src/messages/filter.ts'
import { askedBy } from '../../src/messages/filter.ts'
import { createMessageList } from '../../src/messages/lists/list.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { words } from '../../src/store/migrations/words.ts'
import { migrate, released } from '../../src/store/migrations.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { prepare, type Store } from '../../src/store/store.ts'
import { caller, message } from '../conformance/store-rows.ts'

t.test('what SQLite would plan anew at each run is written out', async t => {
  const directory = t.testdir()
  const store = openSqlite(directory)
  t.teardown(store.close)
  const of = (build: (p: { id: string; most: number }) => never) =>
    prepare<{ id: string; most: number }, unknown>(build)({ id: 'm', most: 5 })
  const { build } = store

  const constant = of(
    p =>
      build.selectFrom('messages').select('id').where('id', '=', p.id).where('state', '=', 'sending').limit(1) as never
  )
  t.match(constant.sql, /"id" = \? and "state" = 'sending' limit 1$/)
  t.strictSame(constant.parameters, ['m'])

  const bound = of(p => build.selectFrom('messages').select('id').limit(p.most) as never)
  t.match(bound.sql, / limit \? \+ 0$/, 'SQLite does not look into a sum')
  t.strictSame(bound.parameters, [5])

  const once = build.selectFrom('messages').select('id').where('service', '=', "o'hara").limit(3).compile()
  t.match(once.sql, /"service" = \? limit 3$/, 'what a caller says is bound')
  t.strictSame(once.parameters, ["o'hara"])
})

t.test('no trigger makes a table of a list at each run', async t => {
  const directory = t.testdir()
  const store = openSqlite(directory)
  await migrate(store)
  await store.close()
  t.ok((await readdir(directory)).includes('switchboard.db'))
  const db = new DatabaseSync(join(directory, 'switchboard.db'))
  t.teardown(() => db.close())
  const triggers = db.prepare("select name, sql from sqlite_master where type = 'trigger'").all() as {
    name: string
    sql: string
  }[]
  t.ok(triggers.length > 5)
  t.strictSame(
    triggers.filter(({ sql }) => / in \(/.test(sql)).map(({ name }) => name),
    []
  )
})

t.test(
  'a list is made of few small statements, each down an index of what it is for, and none sorts what it finds',
  async t => {
    const store = openSqlite(t.testdir())
    t.teardown(store.close)
    await migrate(store)
    await store.write(function* () {
      for (const row of [{ channel_id: 'a' }, { channel_id: 'b' }, { service: '', channel_id: 'a' }])
        yield messageQueries(store).insert({ ...message(row), lease_ms: 60_000 })
    })
    const asked = new Map<string, string>()
    const plansOf = async (filter: ListFilter, who: Caller): Promise<string[]> => {
      const texts = new Set<string>()
      const read: Store['read'] = async query => {
        texts.add(query.sql)
        const explained = { ...query, sql: `explain query plan ${query.sql}` } as CompiledQuery<{ detail: string }>
        asked.set(query.sql, (await store.read(explained)).map(({ detail }) => detail).join('; '))
        return store.read(query)
      }
      await createMessageList({ ...store, read })(who, filter, { limit: 25 })
      return [...texts].map(text => asked.get(text)!)
    }
    const admin = caller({ scopes: new Set(['admin']) })
    const spot = '(channel_id,id)>(?,?) AND (channel_id,id)<(?,?)'
    const place = 'service=? AND mode=?'
    const ways: [ListFilter, string][] = [
      [{ channel: 'a' }, `COVERING INDEX messages_place (${place} AND ${spot})`],
      [{ channel: 'a', status: 'read' }, `INDEX messages_place (${place} AND ${spot})`],
      [{ status: 'failed' }, `COVERING INDEX messages_rare (${place} AND state=? AND ${spot})`],
      [{ status: 'unknown', final: false }, `INDEX messages_rare (${place} AND state=? AND ${spot})`],
      [{ until: '2026-01-01T00:00:00.000Z' }, `COVERING INDEX messages_astray (${place} AND ${spot})`],
      [
        { status: 'queued', since: '2026-01-01T00:00:00.000Z' },
        'INDEX messages_queue ((queue,run_at,id)>(?,?,?) AND queue<?)'
      ],
      [{ status: 'sending' }, 'INDEX messages_lease'],
      [{ people: ['49151'] }, 'INDEX messages_person (contact=? AND id>? AND id<?)'],
      [{ people: ['49151'], channel: 'a' }, 'INDEX messages_person (contact=? AND id>? AND id<?)'],
      [{ people: ['US.1'], channel: 'a' }, 'INDEX messages_user (user_id=? AND id>? AND id<?)'],
      [
        { reference: 'r', channel: 'a', status: 'failed' },
        'messages_reference (service=? AND reference=? AND id>? AND id<?)'
      ],
      [{ broadcastId: 'brd_1', status: 'failed' }, 'INDEX messages_results (broadcast_id=? AND id>? AND id<?)'],
      [{ providerMessageId: 'wamid.1' }, 'SEARCH messages USING PRIMARY KEY (id=?)']
    ]
    for (const who of [
      caller(),
      caller({ scopes: new Set(['inbound:read']) }),
      admin,
      caller({ channels: new Set(['a']) })
    ])
      for (const [filter, index] of ways) {
        const plans = await plansOf(filter, who)
        t.ok(
          plans.some(plan => plan.includes(index)),
          `${JSON.stringify(filter)} goes down ${index}: ${plans.join(' | ')}`
        )
      }
    await plansOf({}, admin)
    const sorting = [...asked].filter(
      ([, plan]) =>
        plan.includes('TEMP B-TREE FOR ORDER BY') || /SCAN messages(?! USING INDEX messages_lease)/.test(plan)
    )
    t.strictSame(
      sorting.filter(([text]) => !/^\s*(with (hand|recursive)|select near\.id)/.test(text)),
      [],
      'but for what is in hand, for names, and for a portion that is all there'
    )
    t.ok(asked.size <= 20, `${asked.size} texts, however much is asked for`)
    t.ok(Math.max(...[...asked.keys()].map(text => text.length)) < 4000)
  }
)

t.test('a look for what is in doubt goes down the index of what is open', async t => {
  const store = openSqlite(t.testdir())
  t.teardown(store.close)
  await migrate(store)
  for (const filter of [{}, { channel: 'a' }, { people: ['49151'] }, { reference: 'r' }]) {
    const query = unknownQueries(store).page({ ...askedBy(caller(), filter), after: '', limit: 100 })
    const explained = { ...query, sql: `explain query plan ${query.sql}` } as unknown as CompiledQuery<{
      detail: string
    }>
    const plan = (await store.read(explained)).map(({ detail }) => detail).join('; ')
    t.match(plan, 'messages_open (mode=? AND id>?)')
    t.notMatch(plan, 'TEMP B-TREE FOR ORDER BY')
  }
})

t.test(
  'no migration of ours both makes and drops an index: readers that are about to write would be in its way',
  async t => {
    // Until then the drop came first, and with it the whole lock.
    const later = released.slice(released.findIndex(({ name }) => name === '044_messages_by_person') + 1)
    t.ok(later.length >= 5)
    for (const dialect of ['sqlite', 'postgres'] as const)
      for (const { name, statements } of later) {
        const all = statements(words[dialect])
        const does = (act: string) => all.some(statement => statement.trimStart().startsWith(`${act} index`))
        t.notOk(does('create') && does('drop'), `${name} on ${dialect}`)
      }
  }
)

t.test('what is in hand and not asked for costs a list no statement more', async t => {
  const store = openSqlite(t.testdir())
  t.teardown(store.close)
  await migrate(store)
  await store.write(function* () {
    for (let i = 0; i < 300; i++)
      yield messageQueries(store).insert({ ...message({ state: 'sending' }), lease_ms: 60_000 })
  })
  let statements = 0
  const read: Store['read'] = query => {
    statements++
    return store.read(query)
  }
  t.strictSame(await createMessageList({ ...store, read }, 3)(caller(), { status: 'queued' }, { limit: 25 }), [])
  t.ok(statements < 20, `${statements} statements`)
})
