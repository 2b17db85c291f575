import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { CompiledQuery } from 'kysely'
import t from 'tap'
import type { Caller } from '../../src/keys/caller.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { migrate } from '../../src/store/migrations.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { prepare } from '../../src/store/store.ts'
import { caller } from '../conformance/store-rows.ts'

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

t.test('a list by a person goes down the index of persons, and no list by a channel sorts what it finds', async t => {
  const store = openSqlite(t.testdir())
  t.teardown(store.close)
  await migrate(store)
  const { list } = messageQueries(store)
  const plan = async (who: Caller, filter: Parameters<typeof list>[1]): Promise<string> => {
    const query = list(who, filter, { limit: 25 })
    const explained = { ...query, sql: `explain query plan ${query.sql}` } as unknown as CompiledQuery<{
      detail: string
    }>
    return (await store.read(explained)).map(({ detail }) => detail).join('; ')
  }
  const admin = caller({ scopes: new Set(['admin']) })
  const received = caller({ scopes: new Set(['inbound:read']) })
  for (const who of [caller(), received, admin]) {
    for (const channel of [undefined, 'a']) {
      const found = await plan(who, { people: ['49151'], channel })
      t.match(found, 'messages_person (contact=?', found)
      t.match(await plan(who, { people: ['US.1'], channel }), 'messages_user (user_id=?)')
    }
  }
  for (const who of [caller(), admin]) t.notMatch(await plan(who, { channel: 'a' }), 'TEMP B-TREE')
})
