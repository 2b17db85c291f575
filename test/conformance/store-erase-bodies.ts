import { CompiledQuery, sql } from 'kysely'
import { createDoor } from '../../src/inbound/door.ts'
import { createMetrics } from '../../src/metrics.ts'
import { hearing } from '../../src/store/migrations/hearing.ts'
import { words } from '../../src/store/migrations/words.ts'
import type { Case } from './store.ts'
import { erased, phone } from './store-erase.ts'
import { changed } from './store-rows.ts'

// Kept webhooks that told of a person who was erased since (docs/decisions/0109).

export function eraseBodyCases(test: Case): void {
  test('a webhook that told of an erased person is not kept again, however late it is told again', async (t, {
    store
  }) => {
    let at = Date.now()
    const parts = { adapters: new Map(), channels: {} as never, tokens: {} as never, metrics: createMetrics() }
    const door = createDoor({ ...parts, store: { ...store, clock: () => at }, wake: () => {} })
    const tell = async (text: string) => {
      at += 3600_000
      const admission = { channelId: 'support', mode: 'live', provider: 'wati', settings: {}, token: 'x' } as const
      await door.receive(admission as never, {}, Buffer.from(JSON.stringify({ text })))
      return (await store.read(store.build.selectFrom('webhooks').select('id').compile())).length
    }
    t.strictSame([await tell(`of ${phone}`), await tell('of nobody')], [1, 2])
    await changed(store, store.build.updateTable('webhooks').set({ state: 'read' }))
    await erased(store)
    t.strictSame([await tell(`of ${phone}`), await tell('of nobody')], [2, 3], 'CONTROL: what told of nobody is')

    // As a release before has left it: the digest alone, and no mark.
    await changed(store, store.build.deleteFrom('heard_events'))
    const [oldest] = await store.read(store.build.selectFrom('webhooks').select('id').orderBy('id').compile())
    const digest = sql<string>`substr(sha256, 14)`
    await changed(store, store.build.updateTable('webhooks').set({ sha256: digest }).where('id', '=', oldest!.id))
    t.equal(await tell(`of ${phone}`), 4, 'CONTROL')
    const migration = hearing.find(({ name }) => name === '054_erased_bodies')!
    for (const statement of migration.statements(words[store.dialect]))
      await changed(store, CompiledQuery.raw(statement))
    t.strictSame([await tell(`of ${phone}`), await tell('of nobody')], [4, 5], 'the update marks it')
  })
}
