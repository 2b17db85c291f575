import { writeSync } from 'node:fs'
import { CompiledQuery } from 'kysely'
import pino from 'pino'
import { openStore } from '../../src/store/index.ts'
import { type Migration, migrate } from '../../src/store/migrations.ts'

// A process of its own, to be killed: node child.ts <act> <DATA_DIR>. What it says on standard output it has said.
const [act, directory] = process.argv.slice(2) as [string, string]
/** A pipe that its reader has not emptied yet refuses more for the moment: what is not said must not be taken for a death. */
function say(line: string | number): void {
  let left = Buffer.from(`${line}\n`)
  while (left.length > 0)
    try {
      left = left.subarray(writeSync(1, left))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
}
const rows = 40

/**
 * Writes numbered rows, many at once, and acknowledges each: when it is written, or (early) when it is only asked for; then
 * it dies at the worst moment, between such words and their commit.
 */
async function acknowledge(early: boolean): Promise<void> {
  const store = await openStore({ directory }, pino({ level: 'silent' }))
  await store.write(function* () {
    yield CompiledQuery.raw('create table if not exists acked (n integer primary key) strict')
  })
  const [{ last }] = (await store.read(CompiledQuery.raw('select coalesce(max(n), 0) as last from acked'))) as [
    { last: number }
  ]
  for (let n = last; ; n += rows) {
    await Promise.all(
      Array.from({ length: rows }, async (_, i) => {
        const written = store.write(function* () {
          yield CompiledQuery.raw(`insert into acked values (${n + i + 1})`)
        })
        if (!early) await written
        say(n + i + 1)
        if (early && n - last >= 5 * rows) process.kill(process.pid, 'SIGKILL')
        await written
      })
    )
  }
}

/** Dies in the middle of its second migration. */
async function migrateAndDie(): Promise<void> {
  const store = await openStore({ directory }, pino({ level: 'silent' }))
  const good: Migration = { name: '901', statements: () => ['create table one (n integer)'] }
  function* dying() {
    yield 'create table two (n integer)'
    process.kill(process.pid, 'SIGKILL')
    yield 'create table three (n integer)'
  }
  await migrate(store, [good, { name: '902', statements: dying as unknown as () => string[] }])
}

if (act === 'open') {
  await openStore({ directory }, pino({ level: 'silent' })).then(
    store => {
      say('open')
      // It is held: a store that nobody holds is collected, and its lock with it.
      setInterval(() => store.gauges(), 1000)
    },
    error => {
      say(error.message)
      process.exit(1)
    }
  )
} else if (act === 'migrate') await migrateAndDie()
else await acknowledge(act === 'early')
