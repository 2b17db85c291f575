import { writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { CompiledQuery } from 'kysely'
import { openSqlite } from '../src/store/sqlite.ts'
import { all, StoreUnavailable } from '../src/store/store.ts'

// The victim of power-cut.ts: writes until it is killed and tells each verdict, after it, on stdout, one line each:
// `ok id begun ended`, `no id begun ended kind`, `seen id` (the highest that a read showed), `unread kind` (a read failed).
// Times: CLOCK_MONOTONIC, ns.

const writers = 32

/** What row `id` holds; both sides know it. Most are small; some spill over pages, some over dozens of pages. */
export const bodyOf = (id: number): Buffer =>
  Buffer.alloc(id % 100 === 0 ? 200_000 : id % 10 === 0 ? 12_000 : 50 + (id % 400), `${id};`)
/** In no order, so that the index scatters over the pages. */
const scattered = (id: number): number => Math.imul(id, 0x9e3779b1) >>> 0

const kindOf = (error: unknown): string => {
  if (!(error instanceof StoreUnavailable)) return 'other'
  return error.message.startsWith('the log could not be synced') ? 'sync' : 'store'
}

const full = new Int32Array(new SharedArrayBuffer(4))

async function suffer(directory: string, variant: string): Promise<void> {
  const store =
    variant === 'real' ? openSqlite(directory) : openSqlite(directory, (_, done) => setImmediate(done, null))
  await store.write(function* () {
    yield CompiledQuery.raw('create table rows (id integer primary key, scattered integer, body blob not null) strict')
    yield CompiledQuery.raw('create index rows_scattered on rows (scattered)')
    yield CompiledQuery.raw('create table tally (n integer not null) strict')
    yield CompiledQuery.raw('insert into tally values (0)')
  })
  // Not process.stdout: a line is in the pipe when this returns, whatever happens to us next.
  const tell = (...parts: unknown[]): void => {
    const line = Buffer.from(`${parts.join(' ')}\n`)
    for (let from = 0; from < line.length; )
      try {
        from += writeSync(1, line, from)
      } catch (error) {
        // The pipe is full: without syncs we are faster than whoever reads it.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
        Atomics.wait(full, 0, 0, 1)
      }
  }
  tell('ready')
  let last = 0
  const patience = [undefined, 'sync', undefined, 'commit'] as const
  /** Half of them can wait for the sync of the others, and half of those for a commit together. */
  const write = async (_: unknown, i: number) => {
    const patient = patience[i % 4]
    const how = patient ? { patient } : {}
    for (;;) {
      const id = ++last
      const begun = process.hrtime.bigint()
      try {
        await store.write(function* () {
          yield CompiledQuery.raw('insert into rows values (?, ?, ?)', [id, scattered(id), bodyOf(id)])
          yield* all(CompiledQuery.raw('update tally set n = n + 1'))
        }, how)
        tell('ok', id, begun, process.hrtime.bigint())
      } catch (error) {
        tell('no', id, begun, process.hrtime.bigint(), kindOf(error))
        await pause(1)
      }
    }
  }
  const look = async () => {
    for (let seen = 0; ; await pause(1))
      try {
        const [row] = await store.read<{ id: number }>(CompiledQuery.raw('select max(id) as id from rows') as never)
        if ((row?.id ?? 0) > seen) tell('seen', (seen = row!.id))
      } catch (error) {
        tell('unread', kindOf(error))
      }
  }
  await Promise.all([look(), ...Array.from({ length: writers }).map(write)])
}

if (import.meta.main) await suffer(process.argv[2]!, process.argv[3]!)
