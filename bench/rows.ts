import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { openStore } from '../src/store/index.ts'
import { openSqlite } from '../src/store/sqlite.ts'
import type { Store } from '../src/store/store.ts'
import { atMost, median, option } from './children.ts'
import { type Act, acts } from './rows-acts.ts'
import { bulkPostgres, bulkSqlite, fill } from './rows-fill.ts'

// What a claim, a list, a message and a step of retention take in a store of many rows, against one of ten thousand, in turn within one
// run. `nice -n 10 npm run bench:rows -- --rows 10000000`, `-- --postgres --rows 2000000`; `--only list` takes some.
// SQLite's syncs are left out: they take the same with any number of rows, and would hide what does not.
const few = 10_000
const rows = option('rows', 10_000_000)
const rounds = option('rounds', 9)
const most = 1.5
/** Milliseconds that a statement may keep others waiting, with any number of rows. */
const mostMs = 5
/** Milliseconds that one act may go on in one round, and how often at most. */
const [budgetMs, mostCalls] = [200, 20]
const onPostgres = process.argv.includes('--postgres')
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1]! : ''
const log = pino({ level: 'silent' })
const directory = mkdtempSync(join(tmpdir(), 'switchboard-rows-'))
const endings: (() => unknown)[] = []
const now = Date.now()

async function sqlite(count: number): Promise<{ store: Store; megabytes: number }> {
  const place = { directory: join(directory, String(count)) }
  await (await openStore(place, log)).close()
  const file = join(place.directory, 'switchboard.db')
  const bulk = bulkSqlite(file)
  await fill(bulk, count, now)
  await bulk.close()
  await readThrough(file)
  const store = openSqlite(place.directory, (_, done) => done(null))
  endings.push(store.close)
  return { store, megabytes: statSync(file).size / 2 ** 20 }
}

/** So that the system has as much of either in its memory as there is room for. */
async function readThrough(file: string): Promise<void> {
  const handle = await open(file)
  for await (const _ of handle.createReadStream({ highWaterMark: 2 ** 20 }));
}

async function postgres(): Promise<(count: number) => Promise<{ store: Store; megabytes: number }>> {
  // With it comes the runner of tests, which would end this after some minutes.
  process.env.TAP_TIMEOUT = '0'
  const { startPostgres } = await import('../test/store/postgres.ts')
  const cluster = await startPostgres({ teardown: end => void endings.unshift(end) })
  return async count => {
    const name = await cluster.database()
    const databaseUrl = cluster.url(name)
    const store = await openStore({ databaseUrl, directory }, log)
    endings.push(store.close)
    await fill(
      bulkPostgres(statement => cluster.query(statement, name)),
      count,
      now
    )
    const [size] = await cluster.query(`select pg_database_size('${name}') as bytes`)
    return { store, megabytes: Number(size!.bytes) / 2 ** 20 }
  }
}

/** The middle of the times that an act takes, over and over for a while. */
async function time(act: Act): Promise<number> {
  const times: number[] = []
  const begun = performance.now()
  do times.push(await act())
  while (!act.once && times.length < mostCalls && performance.now() - begun < budgetMs)
  return median(times)
}

try {
  const make = onPostgres ? await postgres() : sqlite
  const sides: Record<string, Act>[] = []
  for (const count of [few, rows]) {
    const begun = performance.now()
    const { store, megabytes } = await make(count)
    sides.push(await acts(store, count))
    console.log(
      `${count} rows, ${megabytes.toFixed(0)} MB, made in ${((performance.now() - begun) / 1000).toFixed(0)} s (${store.dialect})`
    )
  }
  const [small, large] = sides as [Record<string, Act>, Record<string, Act>]
  const names = Object.keys(small).filter(name => name.includes(only))
  const times = new Map(names.map(name => [name, { small: [] as number[], large: [] as number[] }]))
  for (let round = 0; round <= rounds; round++)
    for (const name of names) {
      const a = await time(small[name]!)
      const b = await time(large[name]!)
      // The first round brings what is asked for into memory, on both sides.
      if (round === 0) continue
      times.get(name)!.small.push(a)
      times.get(name)!.large.push(b)
    }
  let failed = 0
  for (const [name, { small, large }] of times) {
    const ratio = median(large) / median(small)
    const [value, bound] = name.startsWith('longest') ? [median(large), mostMs] : [ratio, most]
    if (value > bound) failed++
    console.log(
      `${name.padEnd(58)} ${median(small).toFixed(3).padStart(9)} ms ${median(large).toFixed(3).padStart(9)} ms  x${ratio.toFixed(2).padEnd(6)} ${atMost(value, bound)}`
    )
  }
  console.log(`${failed} of ${times.size} took more ${atMost(failed, 0)}`)
} finally {
  for (const end of endings.reverse()) await end()
  rmSync(directory, { recursive: true, force: true })
}
