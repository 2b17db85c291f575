import { execFileSync } from 'node:child_process'
import { fdatasync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CompiledQuery } from 'kysely'
import t, { type Test } from 'tap'
import { openStore } from '../../src/store/index.ts'
import { migrate } from '../../src/store/migrations.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { type Store, StoreUnavailable } from '../../src/store/store.ts'
import { changed, message, put } from '../conformance/store-rows.ts'
import { asRoot, count, folder, log, open, start } from './embedded.ts'

const large = (store: Store) =>
  store.write(function* () {
    for (let i = 0; i < 50; i++)
      yield store.build
        .insertInto('messages')
        .values(message({ content: 'x'.repeat(10_000) }))
        .compile()
  })

t.test('a full database is StoreUnavailable, keeps nothing half, and goes on by itself', async t => {
  const store = await open(t, await folder(t))
  const row = await put(store, message())
  await changed(store, CompiledQuery.raw('PRAGMA max_page_count = 1'))
  for (const result of await Promise.allSettled([large(store), large(store)]))
    t.ok(result.status === 'rejected' && result.reason instanceof StoreUnavailable)
  t.match(await store.read(store.build.selectFrom('messages').select('id').compile()), [{ id: row.id }])
  await changed(store, CompiledQuery.raw('PRAGMA max_page_count = 1000000'))
  await large(store)
  t.equal(await count(store), 51)
  await store.probe()
})

t.test('a read-only database is StoreUnavailable, is still read, and can be closed', async t => {
  const directory = await folder(t)
  const store = await openStore({ directory }, log)
  await put(store, message())
  await changed(store, CompiledQuery.raw('PRAGMA query_only = 1'))
  for (const result of await Promise.allSettled([large(store), put(store, message()), store.probe()]))
    t.ok(result.status === 'rejected' && result.reason instanceof StoreUnavailable)
  t.equal(await count(store), 1)
  await store.close()
  t.equal(await count(await open(t, directory)), 1, 'its lock is free')
})

t.test('on a disk that runs full every acknowledged row is kept, no other, and it goes on by itself', async t => {
  if (!asRoot) return t.pass('skipped: only root can mount a small disk')
  const disk = await folder(t)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'none', disk], { stdio: 'ignore' })
  } catch {
    return t.pass('skipped: this machine lets nobody mount')
  }
  t.teardown(() => execFileSync('umount', [disk]))
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, Buffer.alloc(4_000_000))
  const store = await openStore({ directory: disk }, log)
  const acked: string[] = []
  let full: unknown
  while (!full)
    await Promise.allSettled(
      Array.from({ length: 10 }, () =>
        put(store, message({ content: 'x'.repeat(5000) })).then(
          ({ id }) => acked.push(id),
          error => (full = error)
        )
      )
    )
  t.ok(full instanceof StoreUnavailable, String(full))
  const stored = async () =>
    (await store.read(store.build.selectFrom('messages').select('id').compile())).map(({ id }) => id).sort()
  t.strictSame(await stored(), acked.sort())
  rmSync(ballast)
  acked.push((await put(store, message())).id)
  t.strictSame(await stored(), acked.sort())
  await store.close()
  const again = await openStore({ directory: disk }, log)
  t.equal(await count(again), acked.length)
  await again.close()
})

/** Kills a writing process over and over. Answers how many rows it had acknowledged, and how many of them are gone. */
async function killing(t: Test, act: 'written' | 'early', rounds: number) {
  const directory = await folder(t)
  const acked = new Set<number>()
  let lost = 0
  for (let round = 0; round < rounds; round++) {
    const child = start(t, act, directory)
    // The control dies by itself, when what it said last cannot have been written.
    const goal = act === 'early' ? Number.POSITIVE_INFINITY : 50 + Math.floor(Math.random() * 400)
    // However long a busy machine takes: the end of the child is the only other end.
    let ended = false
    void child.ended.then(() => {
      ended = true
    })
    while (child.lines.length < goal && !ended) await new Promise(resolve => setTimeout(resolve, 5))
    if (ended && act === 'written') t.fail('the child died by itself')
    await child.kill()
    for (const line of child.lines) acked.add(Number(line))
    const store = await openStore({ directory }, log)
    const there = new Set(
      ((await store.read(CompiledQuery.raw('select n from acked'))) as { n: number }[]).map(row => row.n)
    )
    const intact = await store.read(CompiledQuery.raw('PRAGMA integrity_check'))
    if (JSON.stringify(intact) !== '[{"integrity_check":"ok"}]') t.fail('the file is damaged')
    await store.close()
    for (const n of acked) if (!there.has(n)) lost++
    for (const n of acked) if (!there.has(n)) acked.delete(n)
  }
  return { acked: acked.size, lost }
}

t.test('kill -9 loses no acknowledged row; acknowledged before the commit it would', async t => {
  const kept = await killing(t, 'written', 10)
  t.equal(kept.lost, 0)
  t.ok(kept.acked > 500, `${kept.acked} rows`)
  const control = await killing(t, 'early', 1)
  t.ok(control.lost > 0, `control: ${control.lost} rows`)
})

t.test('a process killed inside a migration leaves the tables as they were before it', async t => {
  const directory = await folder(t)
  const child = start(t, 'migrate', directory)
  t.equal(await child.ended, null)
  await t.rejects(openStore({ directory }, log), /newer release \(901\)/, 'the release of today does not start on it')
  // The release of tomorrow knows 901.
  const store = openSqlite(directory, fdatasync)
  t.teardown(() => store.close())
  const names = async () =>
    ((await store.read(CompiledQuery.raw('select name from migrations order by name'))) as { name: string }[]).map(
      ({ name }) => name
    )
  t.ok((await names()).includes('901'), 'the one before it stands')
  t.notOk((await names()).includes('902'))
  await t.rejects(store.read(CompiledQuery.raw('select * from two')))
  const all = ['create table two (n integer)', 'create table three (n integer)']
  t.strictSame(await migrate(store, [{ name: '902', statements: () => all }]), ['902'])
})
