import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { CompiledQuery } from 'kysely'
import t from 'tap'
import { newId } from '../../src/ids.ts'
import type { Caller } from '../../src/keys/caller.ts'
import type { ListFilter } from '../../src/messages/list.ts'
import { messageQueries } from '../../src/messages/queries.ts'
import { migrate } from '../../src/store/migrations.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { prepare, readUnit, type Store } from '../../src/store/store.ts'
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

t.test('a list goes down an index of what it asks for, in the order of the ids', async t => {
  const directory = t.testdir()
  const store = openSqlite(directory)
  t.teardown(store.close)
  await migrate(store)
  const row = message({ service: 'billing', channel_id: 'a' })
  await store.write(function* () {
    yield store.build
      .insertInto('messages')
      .values([row, { ...row, id: newId('msg'), channel_id: 'b' }])
      .compile()
  })
  const planOf = async (filter: ListFilter, who: Partial<Caller> = {}): Promise<string[]> => {
    let last: CompiledQuery | undefined
    const read: Store['read'] = query => {
      last = query
      return store.read(query)
    }
    await readUnit({ read }, messageQueries(store).list(caller(who), filter, { limit: 25 }))
    const explained = { ...last!, sql: `explain query plan ${last!.sql}` } as CompiledQuery<{ detail: string }>
    return (await store.read(explained)).map(({ detail }) => detail)
  }
  const ways: [ListFilter, string, Partial<Caller>?][] = [
    [{}, 'messages_place (service=? AND mode=? AND channel_id=?)'],
    [{ channel: 'a' }, 'messages_place (service=? AND mode=? AND channel_id=?)', { scopes: new Set(['admin']) }],
    [{}, 'messages_place (service=? AND mode=? AND channel_id=?)', { channels: new Set(['a']) }],
    [{ status: 'read' }, 'messages_place (service=? AND mode=? AND channel_id=?)'],
    [{ status: 'queued' }, 'messages_waiting (service=? AND mode=?)'],
    [{ status: 'failed' }, 'messages_rarely (service=? AND mode=? AND state=?)'],
    [{ status: 'sending' }, 'messages_lease'],
    [{ people: ['491'] }, 'messages_person (contact=?)'],
    [{ people: ['491', 'US.1'] }, 'messages_user (user_id=?)'],
    [{ reference: 'r', channel: 'a', status: 'failed' }, 'messages_reference (reference=?)'],
    [{ broadcastId: 'brd_1', status: 'failed' }, 'messages_results (broadcast_id=?)'],
    [{ until: '2026-01-01T00:00:00.000Z' }, 'messages_late (created_at<?)']
  ]
  for (const [filter, index, who] of ways) {
    const plan = await planOf(filter, who)
    t.ok(
      plan.some(line => line.includes(index)),
      `${JSON.stringify(filter)} goes down ${index}`
    )
    t.strictSame(
      plan.filter(line => /^SCAN messages(?! USING (COVERING )?INDEX messages_lease)/.test(line)),
      [],
      JSON.stringify(filter)
    )
  }
  // Nearly all that there are: they come as they stand, and nothing is sorted.
  t.strictSame(await planOf({ direction: 'outbound' }, { scopes: new Set(['admin']) }), ['SCAN messages'])
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
