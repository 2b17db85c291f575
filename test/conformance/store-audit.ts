import { CompiledQuery } from 'kysely'
import { auditEntry } from '../../src/store/audit.ts'
import { chainLoose, forgetAudit } from '../../src/store/audit-chain.ts'
import { verifyAudit } from '../../src/store/audit-verify.ts'
import type { Store } from '../../src/store/store.ts'
import type { Case } from './store.ts'
import { caller } from './store-rows.ts'

const actor = { ...caller({ keyId: 'key_1' }), subject: 'repo:acme/shop\u0000\ud800', address: '192.0.2.1' }
const note = (store: Store, target: string, detail?: unknown) =>
  store.write(() => auditEntry(store, actor, 'key.changed', target, detail))
const raw = (store: Store, query: string) =>
  store.write(function* () {
    return (yield CompiledQuery.raw(query)).rows
  })
const verify = (store: Store, noted?: { position: number; hash: string }) =>
  verifyAudit(query => store.read(CompiledQuery.raw(query)) as Promise<never[]>, noted)
/** The guard is no hindrance to anybody who has the database. */
const unguard = (store: Store) =>
  raw(store, `drop trigger if exists audit_fixed${store.dialect === 'postgres' ? ' on audit' : ''}`)
const loose = (store: Store, id: string) =>
  raw(store, `insert into audit (id, at, actor, action, target) values ('${id}', 5, 'start', 'key.created', 'key_0')`)

/** The audit log: append-only, and a chain that shows what was done to it. */
export function auditCases(test: Case): void {
  test('each entry goes on from the one before, and all of it can be checked', async (t, { store }) => {
    for (let i = 0; i < 5; i++) await note(store, `key_${i}`, { fields: ['ü', 'name'], text: 'a\u0000b\ud800' })
    const verdict = await verify(store)
    t.match(verdict, { entries: 5, loose: 0, faults: [], begin: { position: 0 }, end: { position: 5 } })
    const rows = await store.read(store.build.selectFrom('audit').selectAll().orderBy('position').compile())
    t.match(rows[0], { actor: 'key_1', address: '192.0.2.1', action: 'key.changed', position: 1 })
    t.equal(new Set(rows.map(row => row.hash)).size, 5)
    await t.rejects(
      store.write(function* () {
        yield store.build.updateTable('audit').set({ actor: 'key_2' }).compile()
      }),
      'an entry is never changed'
    )
    t.strictSame((await verify(store)).faults, [])
  })

  for (const [what, tamper, said] of [
    ['changed', `update audit set actor = 'key_2' where position = 3`, /place 3 .* not as it was written/],
    ['given another time', 'update audit set at = at + 1 where position = 3', /place 3/],
    ['taken out', 'delete from audit where position = 3', /1 entry is missing before place 4/],
    ['put in another’s place', 'swap', /place 2 .* not where it was/],
    ['the newest', 'delete from audit where position = 6', /newest 1 entries are missing/],
    ['the first', 'delete from audit where position = 1', /1 entry is missing before place 2/],
    ['all', 'delete from audit', /newest 6 entries are missing/]
  ] as const)
    test(`POSITIVE CONTROL: an entry that was tampered with is found: ${what}`, async (t, { store }) => {
      for (let i = 0; i < 6; i++) await note(store, `key_${i}`)
      t.strictSame((await verify(store)).faults, [])
      await unguard(store)
      if (tamper === 'swap')
        for (const [from, to] of [
          [2, 90],
          [3, 2],
          [90, 3]
        ])
          await raw(store, `update audit set position = ${to} where position = ${from}`)
      else await raw(store, tamper)
      const { faults } = await verify(store)
      t.match(faults[0], said)
    })

  test('a chain that was made anew is found by an end that was noted', async (t, { store }) => {
    for (let i = 0; i < 4; i++) await note(store, `key_${i}`)
    const noted = (await verify(store)).end
    await note(store, 'key_5')
    t.strictSame((await verify(store, noted)).faults, [], 'CONTROL: it goes on from there')
    await unguard(store)
    await raw(store, `update audit set position = null, hash = null, actor = 'key_2'`)
    await raw(store, `update audit_chain set position = 0, hash = ''`)
    await chainLoose(store)
    t.strictSame((await verify(store)).faults, [], 'by itself it looks whole')
    t.match((await verify(store, noted)).faults, [/place 4 is another than was noted/])
  })

  test('writers at the same time make one chain, of several processes too', async (t, { store, replica }) => {
    const stores = [store, replica ? await replica() : store]
    await Promise.all(Array.from({ length: 40 }, (_, i) => note(stores[i % 2]!, `key_${i}`)))
    t.match(await verify(store), { entries: 40, end: { position: 40 }, faults: [] })
  })

  test('a change that is not kept leaves neither an entry nor a gap', async (t, { store }) => {
    await note(store, 'key_0')
    await store
      .write(function* () {
        yield* auditEntry(store, actor, 'key.changed', 'key_1')
        throw new Error('not kept')
      })
      .catch(() => {})
    await note(store, 'key_2')
    t.match(await verify(store), { entries: 2, faults: [] })
  })

  test('what a release before the chain wrote is told, and gets its place with the next entry', async (t, {
    store
  }) => {
    await loose(store, 'aud_1')
    await loose(store, 'aud_0')
    t.match(await verify(store), { entries: 0, loose: 2, faults: [] })
    await note(store, 'key_1')
    await loose(store, 'aud_2')
    t.match(await verify(store), { entries: 3, loose: 1, faults: [] })
    t.equal(await chainLoose(store), 1)
    t.equal(await chainLoose(store), 0)
    t.match(await verify(store), { entries: 4, loose: 0, faults: [] })
    const rows = await store.read(store.build.selectFrom('audit').select('id').orderBy('position').compile())
    t.strictSame([rows[0]!.id, rows[1]!.id, rows[3]!.id], ['aud_0', 'aud_1', 'aud_2'])
  })

  test('what retention deletes is the beginning, and the rest is still whole', async (t, { store }) => {
    for (const id of ['aud_0', 'aud_1', 'aud_2']) await loose(store, id)
    await note(store, 'key_1')
    t.equal(await forgetAudit(store, 'aud_2', 100), 2)
    t.match(await verify(store), { entries: 2, begin: { position: 2 }, end: { position: 4 }, faults: [] })
    t.equal(await forgetAudit(store, 'aud_2', 100), 0)
    await note(store, 'key_2')
    t.match(await verify(store), { entries: 3, faults: [] })
  })
}
