import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CompiledQuery } from 'kysely'
import t from 'tap'
import { all } from '../../src/store/store.ts'
import { folder, open } from './embedded.ts'

t.test('a row has its values under their own names, whatever becomes of the table', async t => {
  const directory = await folder(t)
  const store = await open(t, directory)
  const asked = CompiledQuery.raw('select * from shapes') as CompiledQuery<Record<string, unknown>>
  const change = (...statements: string[]) =>
    store.write(function* () {
      for (const statement of statements) yield CompiledQuery.raw(statement)
      return yield* all(asked)
    })
  const both = async (statements: string[], row: Record<string, unknown>) => {
    t.same(await change(...statements), [row], statements.join('; '))
    t.same(await store.read(asked), [row], 'read by the other connection')
  }
  const make = ['create table shapes (a text, "b c" text)', `insert into shapes values ('1', null)`]
  await both(make, { a: '1', 'b c': null })
  await both(['ALTER TABLE shapes ADD COLUMN d text'], { a: '1', 'b c': null, d: null })
  await both(
    [
      'drop table shapes',
      'create table shapes (d text, "b c" text, a text)',
      `insert into shapes values ('4', '2', '1')`
    ],
    { d: '4', 'b c': '2', a: '1' }
  )
  await both(['drop table shapes', ...make], { a: '1', 'b c': null })
  await t.rejects(change('drop table shapes', 'create table shapes (z text)', 'select nothing'))
  t.same(await change(), [{ a: '1', 'b c': null }], 'and where the change was taken back')

  const beside = new DatabaseSync(join(directory, 'switchboard.db'))
  const joined = CompiledQuery.raw(`select a.*, 'last' as last from shapes as a`) as typeof asked
  t.same(await store.read(joined), [{ a: '1', 'b c': null, last: 'last' }])
  beside.exec('alter table shapes add column e text')
  beside.close()
  t.same(await store.read(joined), [{ a: '1', 'b c': null, e: null, last: 'last' }], 'changed by another process')

  const twice = CompiledQuery.raw(`select 'first' as x, 'last' as x`)
  t.same(await store.read(twice), [{ x: 'last' }], 'of two columns with one name the last one counts')
})
