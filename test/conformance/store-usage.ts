import { CompiledQuery } from 'kysely'
import type { Store } from '../../src/store/store.ts'
import { fold } from '../../src/usage/counters.ts'
import { createReport } from '../../src/usage/report.ts'
import { usageBesideRows } from '../usage/beside-rows.ts'
import type { Case } from './store.ts'
import { changed, put as insert, message } from './store-rows.ts'

const raw = (store: Store, text: string) => changed(store, CompiledQuery.raw(text))
const put = async (store: Store, changes: object) => {
  const { id } = await insert(store, message(changes))
  return id
}
const to = (store: Store, id: string, state: string, more = '') =>
  raw(store, `update messages set state = '${state}'${more} where id = '${id}'`)

/** Usage is counted in the commit of each change, and equals the rows at every moment. */
export function usageCases(test: Case): void {
  test('counters equal the rows, whatever becomes of a message', async (t, { store }) => {
    const same = async (sentence: string) => t.strictSame(await usageBesideRows(store), [], sentence)
    const template = { type: 'template', content: '{"name":"hello","language":"en"}' }
    const ids = await Promise.all([{}, template, template, { mode: 'test' }].map(more => put(store, more)))
    await same('what waits is not counted')
    t.strictSame(await store.read(store.build.selectFrom('usage').selectAll().where('count', '<>', 0).compile()), [])
    for (const state of ['claimed', 'sending', 'accepted', 'sent', 'delivered', 'read']) {
      for (const id of ids) await to(store, id, state)
      await same(state)
    }
    const price = `pricing = '{"category":"marketing","type":"regular"}'`
    await raw(store, `update messages set ${price} where id = '${ids[1]}'`)
    await same('a price that is told later')
    await raw(store, `update messages set content = null`)
    await to(store, ids[2]!, 'failed')
    await same('a template whose content was dropped keeps its name')
    await to(store, ids[0]!, 'queued')
    await same('what is tried again is not counted until it comes to something')
    await raw(store, `update messages set type = 'template', content = '{"name":"fallback"}' where id = '${ids[0]}'`)
    await to(store, ids[0]!, 'accepted')
    await same('a fallback counts as its own template')
    const report = await createReport(store, 10)({ by: 'template', from: '2000-01-01', to: '2100-01-01' })
    t.match(report.items, [
      { key: 'fallback', messages: { accepted: 1 }, recipients: 1, calls: null },
      { key: 'hello', messages: { failed: 1, read: 1 }, prices: [{ category: 'marketing', type: 'regular', count: 1 }] }
    ])
    await fold(store)
    await same('after the lines were folded')
    t.strictSame(await createReport(store, 10)({ by: 'template', from: '2000-01-01', to: '2100-01-01' }), report)
    await raw(store, `delete from messages where id = '${ids[0]}'`)
    await same('a broadcast that is withdrawn takes its rows back')
  })

  test('POSITIVE CONTROL: a counter that is off is found', async (t, { store }) => {
    const id = await put(store, {})
    await to(store, id, 'accepted')
    await fold(store)
    t.strictSame(await usageBesideRows(store), [])
    await raw(store, 'update usage set count = count + 1')
    t.equal((await usageBesideRows(store)).length, 1)
  })

  test('a change that is not kept is not counted, and writers at once count all', async (t, { store, replica }) => {
    const other = replica ? await replica() : store
    const ids = await Promise.all(Array.from({ length: 20 }, () => put(store, {})))
    await store
      .write(function* () {
        yield CompiledQuery.raw(`update messages set state = 'accepted'`)
        throw new Error('not kept')
      })
      .catch(() => {})
    await Promise.all([...ids.map((id, i) => to(i % 2 ? store : other, id, 'accepted')), fold(store), fold(other)])
    t.strictSame(await usageBesideRows(store), [])
    const { items } = await createReport(store, 0)({ from: '2000-01-01', to: '2100-01-01' })
    t.equal(items[0]!.messages.accepted, 20)
  })

  test('the answer looks through counters by their key, and through no message', async (t, { store }) => {
    const from = `from usage where day >= '2026-01-01' and day <= '2026-02-01' and mode = 'live'`
    const explain = store.dialect === 'sqlite' ? 'explain query plan' : 'explain'
    const told = JSON.stringify(await store.read(CompiledQuery.raw(`${explain} select * ${from}`)))
    t.match(told, /PRIMARY KEY|usage_pkey|Seq Scan on usage/)
    t.notMatch(told, /messages/)
    for (let i = 0; i < 30; i++) await to(store, await put(store, {}), 'accepted')
    await fold(store)
    const [rows] = await store.read<{ n: number }>(
      CompiledQuery.raw('select count(*) as n from usage') as CompiledQuery<{ n: number }>
    )
    t.equal(Number(rows!.n), 1, 'thirty messages of a kind are one row')
  })
}
